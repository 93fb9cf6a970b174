//! The pod of a planned session.

use moorline_shared::pod::{BadPodSpec, PodSpec};
use moorline_shared::rest::CreateSession;
use moorline_shared::session::KUBERNETES_DRIVER;

use super::SHOWN_CHARS;

/// The reason why a pod cannot be started as a request describes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PodRefused {
    /// The request has a pod, and another driver.
    #[error(
        "a pod needs the driver `{KUBERNETES_DRIVER}`, not `{0}`: leave out the driver or `pod`"
    )]
    OtherDriver(String),
    /// The request has a pod, and an agent or a pane.
    #[error("a session is an agent, a pane or a pod: leave out `agent`, `tmux` or `pod`")]
    Other,
    /// The folder is not one of the pod.
    #[error("`cwd` is an absolute path in the pod, such as `/app/workspace`")]
    Folder,
    /// A text of the pod is not valid.
    #[error(transparent)]
    Spec(#[from] BadPodSpec),
}

/// Returns the pod that a request selects, if it selects the driver `kubernetes`.
pub(super) fn chosen(wanted: &CreateSession) -> Result<Option<PodSpec>, PodRefused> {
    let is_pod = wanted.driver.as_deref().map(|driver| driver == KUBERNETES_DRIVER);
    let spec = match (is_pod, &wanted.pod) {
        (Some(false) | None, None) => return Ok(None),
        (Some(false), Some(_)) => {
            let driver = wanted.driver.iter().flat_map(|driver| driver.chars());
            return Err(PodRefused::OtherDriver(driver.take(SHOWN_CHARS).collect()));
        }
        (Some(true), None) => PodSpec::default(),
        (Some(true) | None, Some(spec)) => spec.clone(),
    };
    if wanted.agent.is_some() || wanted.tmux.is_some() {
        return Err(PodRefused::Other);
    }
    if wanted.cwd.as_deref().is_some_and(|cwd| !cwd.is_empty() && !cwd.starts_with('/')) {
        return Err(PodRefused::Folder);
    }
    spec.check()?;
    Ok(Some(spec))
}

#[cfg(test)]
mod tests {
    use moorline_shared::tmux::TmuxSpec;

    use super::*;
    use crate::plan::{again, record, start};
    use crate::record::summary;

    fn wanted(driver: Option<&str>, pod: Option<PodSpec>) -> CreateSession {
        CreateSession { driver: driver.map(str::to_owned), pod, ..CreateSession::default() }
    }

    #[test]
    fn a_pod_selects_its_driver() {
        let id = || "abcdefgh".parse().unwrap();
        let spec = PodSpec { template: Some("small".into()), ..PodSpec::default() };
        for driver in [None, Some("kubernetes")] {
            let record = record(wanted(driver, Some(spec.clone())), id(), 0).unwrap();
            assert_eq!((&*record.driver, &record.pod), ("kubernetes", &Some(spec.clone())));
            assert_eq!(start(&record, None).facts.pod, record.pod);
            let copy = again(&record, &summary(&record, 0), record.size, None, "copy");
            assert_eq!(copy.pod, record.pod);
        }
        let record = record(wanted(Some("kubernetes"), None), id(), 0).unwrap();
        assert_eq!(record.pod, Some(PodSpec::default()));
    }

    #[test]
    fn what_no_cluster_could_start_is_refused() {
        let pod = || Some(PodSpec::default());
        let bad = PodSpec { cpu: Some("much".into()), ..PodSpec::default() };
        assert_eq!(chosen(&wanted(None, Some(bad))), Err(BadPodSpec::Quantity("pod.cpu").into()));
        let pane = CreateSession { tmux: Some(TmuxSpec::default()), ..wanted(None, pod()) };
        assert_eq!(chosen(&pane), Err(PodRefused::Other));
        assert_eq!(chosen(&wanted(Some("pty"), pod())), Err(PodRefused::OtherDriver("pty".into())));
        let home = CreateSession { cwd: Some("~/x".into()), ..wanted(None, pod()) };
        assert_eq!(chosen(&home), Err(PodRefused::Folder));
    }
}
