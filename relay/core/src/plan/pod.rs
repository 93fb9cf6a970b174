//! The pod of a planned session.

use moorline_shared::pod::{BadPodSpec, PodSpec};
use moorline_shared::rest::CreateSession;
use moorline_shared::session::{AGENT_DRIVER, KUBERNETES_DRIVER};

use super::SHOWN_CHARS;

/// The reason why a pod cannot be started as a request describes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PodRefused {
    /// The request has a pod, and another driver.
    #[error(
        "a pod needs the driver `{KUBERNETES_DRIVER}` or `{AGENT_DRIVER}`, not `{0}`: leave out the \
         driver or `pod`"
    )]
    OtherDriver(String),
    /// The request has a pod and a pane, or an agent for a pod's terminal.
    #[error(
        "a pod has a terminal or an agent: leave out `tmux`; with `agent`, leave out the driver"
    )]
    Other,
    /// The folder is not one of the pod.
    #[error("`cwd` is an absolute path in the pod, such as `/app/workspace`")]
    Folder,
    /// A text of the pod is not valid.
    #[error(transparent)]
    Spec(#[from] BadPodSpec),
}

/// Returns the pod that a request selects: for a program on a terminal, or for an agent.
pub(super) fn chosen(wanted: &CreateSession) -> Result<Option<PodSpec>, PodRefused> {
    let driver = wanted.driver.as_deref();
    let spec = match (driver, &wanted.pod) {
        (Some(KUBERNETES_DRIVER), None) => PodSpec::default(),
        (_, None) => return Ok(None),
        (None | Some(KUBERNETES_DRIVER | AGENT_DRIVER), Some(spec)) => spec.clone(),
        (Some(driver), Some(_)) => {
            return Err(PodRefused::OtherDriver(driver.chars().take(SHOWN_CHARS).collect()));
        }
    };
    if wanted.tmux.is_some() || (wanted.agent.is_some() && driver == Some(KUBERNETES_DRIVER)) {
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
    use moorline_shared::agent::spec::AgentSpec;
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
    fn an_agent_can_have_a_pod() {
        let id = || "abcdefgh".parse().unwrap();
        let agent = AgentSpec { agent: Some("codex".into()), ..AgentSpec::default() };
        for driver in [None, Some("agent")] {
            let wanted = wanted(driver, Some(PodSpec::default()));
            let record = record(CreateSession { agent: Some(agent.clone()), ..wanted }, id(), 0);
            let record = record.unwrap();
            assert_eq!((&*record.driver, &record.agent), ("agent", &Some(agent.clone())));
            assert_eq!(start(&record, None).facts.pod, Some(PodSpec::default()));
            let copy = again(&record, &summary(&record, 0), record.size, None, "copy");
            assert_eq!((copy.agent, copy.pod), (record.agent, record.pod));
        }
        let command = Some(vec!["my-agent".to_owned()]);
        let own = CreateSession { command, ..wanted(Some("agent"), Some(PodSpec::default())) };
        assert_eq!(record(own, id(), 0).unwrap().driver, "agent");
    }

    #[test]
    fn what_no_cluster_could_start_is_refused() {
        let pod = || Some(PodSpec::default());
        let bad = PodSpec { cpu: Some("much".into()), ..PodSpec::default() };
        assert_eq!(chosen(&wanted(None, Some(bad))), Err(BadPodSpec::Quantity("pod.cpu").into()));
        let pane = CreateSession { tmux: Some(TmuxSpec::default()), ..wanted(None, pod()) };
        assert_eq!(chosen(&pane), Err(PodRefused::Other));
        assert_eq!(chosen(&wanted(Some("pty"), pod())), Err(PodRefused::OtherDriver("pty".into())));
        let agent = Some(AgentSpec { agent: Some("codex".into()), ..AgentSpec::default() });
        let agent = CreateSession { agent, ..wanted(Some("kubernetes"), pod()) };
        assert_eq!(chosen(&agent), Err(PodRefused::Other));
        let home = CreateSession { cwd: Some("~/x".into()), ..wanted(None, pod()) };
        assert_eq!(chosen(&home), Err(PodRefused::Folder));
    }
}
