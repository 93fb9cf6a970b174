//! The tmux pane of a planned session.

use moorline_shared::rest::CreateSession;
use moorline_shared::session::TMUX_DRIVER;
use moorline_shared::tmux::{BadTmuxSpec, TmuxSpec};

use super::SHOWN_CHARS;

/// The reason why a pane cannot be opened as a request describes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TmuxRefused {
    /// The request has a pane, and another driver.
    #[error("a pane needs the driver `{TMUX_DRIVER}`, not `{0}`: leave out the driver or `tmux`")]
    OtherDriver(String),
    /// The request has a pane, and an agent.
    #[error("a session is either an agent or a pane: leave out `agent` or `tmux`")]
    Agent,
    /// The request has a command for a pane that exists.
    #[error("an open pane has its program already: leave out `command` or `tmux.pane`")]
    Command,
    /// A text of the pane is not valid.
    #[error(transparent)]
    Spec(#[from] BadTmuxSpec),
}

/// Returns the pane that a request selects, if it selects the driver `tmux`.
pub(super) fn chosen(wanted: &CreateSession) -> Result<Option<TmuxSpec>, TmuxRefused> {
    let is_tmux = wanted.driver.as_deref().map(|driver| driver == TMUX_DRIVER);
    let spec = match (is_tmux, &wanted.tmux) {
        (Some(false) | None, None) => return Ok(None),
        (Some(false), Some(_)) => {
            let driver = wanted.driver.iter().flat_map(|driver| driver.chars());
            return Err(TmuxRefused::OtherDriver(driver.take(SHOWN_CHARS).collect()));
        }
        (Some(true), None) => TmuxSpec::default(),
        (Some(true) | None, Some(spec)) => spec.clone(),
    };
    if wanted.agent.is_some() {
        return Err(TmuxRefused::Agent);
    }
    if wanted.command.is_some() && spec.pane.is_some() {
        return Err(TmuxRefused::Command);
    }
    spec.check()?;
    Ok(Some(spec))
}

/// Returns the pane of a session that starts again: a new window of the same tmux session, or that
/// session anew if it is gone.
pub(super) fn again(spec: &TmuxSpec) -> TmuxSpec {
    let (socket, session) = (spec.socket.clone(), spec.session.clone());
    TmuxSpec { socket, new_window: session.is_some(), session, pane: None }
}

#[cfg(test)]
mod tests {
    use moorline_shared::agent::spec::AgentSpec;

    use super::*;
    use crate::plan::{again, record, start};
    use crate::record::summary;

    fn pane(pane: &str) -> TmuxSpec {
        TmuxSpec { pane: Some(pane.to_owned()), ..TmuxSpec::default() }
    }

    fn wanted(driver: Option<&str>, tmux: Option<TmuxSpec>) -> CreateSession {
        CreateSession { driver: driver.map(str::to_owned), tmux, ..CreateSession::default() }
    }

    #[test]
    fn a_pane_selects_its_driver() {
        let id = || "abcdefgh".parse().unwrap();
        for driver in [None, Some("tmux")] {
            let record = record(wanted(driver, Some(pane("%3"))), id(), 0).unwrap();
            assert_eq!((&*record.driver, &record.tmux), ("tmux", &Some(pane("%3"))));
            assert_eq!(start(&record, None).facts.tmux, record.tmux);
            let copy = again(&record, &summary(&record, 0), record.size, None, "copy");
            assert_eq!(copy.tmux, Some(TmuxSpec::default()), "a pane is not opened twice");
            let (session, socket) = (Some("work".to_owned()), Some("other".to_owned()));
            let own = TmuxSpec { session: session.clone(), socket: socket.clone(), ..pane("%3") };
            let window = TmuxSpec { session, socket, new_window: true, ..TmuxSpec::default() };
            assert_eq!(super::again(&own), window);
        }
        let new = record(wanted(Some("tmux"), None), id(), 0).unwrap();
        assert_eq!(new.tmux, Some(TmuxSpec::default()));
        let shell = record(wanted(Some("pty"), None), id(), 0).unwrap();
        assert_eq!((&*shell.driver, shell.tmux), ("pty", None));
    }

    #[test]
    fn what_no_server_could_have_is_refused() {
        let socket = |socket: &str| TmuxSpec { socket: Some(socket.into()), ..TmuxSpec::default() };
        let session = |name: &str| TmuxSpec { session: Some(name.into()), ..TmuxSpec::default() };
        let chosen = |tmux| chosen(&wanted(None, Some(tmux)));
        for good in [pane("%0"), socket("work"), socket("/tmp/x/y"), session("my work")] {
            assert_eq!(chosen(good.clone()), Ok(Some(good)));
        }
        for bad in ["3", "%", "%-1", "%1 ; kill-server", "@1", "%99999999999"] {
            assert_eq!(chosen(pane(bad)), Err(BadTmuxSpec::Pane.into()), "{bad}");
        }
        for bad in ["", "a/b", "../x", "a\nb"] {
            assert_eq!(chosen(socket(bad)), Err(BadTmuxSpec::Socket.into()), "{bad}");
        }
        for bad in ["", "a:b", "a.b", "=a", "%1", "$1", "a\u{7}"] {
            assert_eq!(chosen(session(bad)), Err(BadTmuxSpec::Session.into()), "{bad}");
        }
        let agent =
            CreateSession { agent: Some(AgentSpec::default()), ..wanted(None, Some(pane("%1"))) };
        assert_eq!(super::chosen(&agent), Err(TmuxRefused::Agent));
        let command =
            CreateSession { command: Some(vec!["vi".into()]), ..wanted(None, Some(pane("%1"))) };
        assert_eq!(super::chosen(&command), Err(TmuxRefused::Command));
        let other = super::chosen(&wanted(Some("pty"), Some(pane("%1"))));
        assert_eq!(other, Err(TmuxRefused::OtherDriver("pty".into())));
    }
}
