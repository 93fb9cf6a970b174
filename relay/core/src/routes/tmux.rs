//! The handlers of tmux: requests that a host answers.

use moorline_shared::control::ToRelay;
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::rest::{HostTmux, SessionTmux};
use moorline_shared::session::TMUX_DRIVER;
use moorline_shared::tmux::{TmuxAction, TmuxAnswer, TmuxQuestion, TmuxServer};

use super::question::SessionQuestion;
use super::{Reply, Request};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::{Guarded, InTmux, OfSession, WithBody};
use crate::plan::HostError;
use crate::session::Session;

/// Describe the tmux session of a pane
///
/// Asks the session's host for the windows and panes of the tmux session that the session's pane is in. The session's
/// log reports the same after every change, as `tmux-layout`.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/session/{id}/tmux", tag = "tmux", operation_id = "sessionTmux",
    params(("id" = SessionId, Path, description = "The session of a pane.")),
    responses(Guarded, OfSession, InTmux,
        (status = 200, description = "The tmux session.", body = SessionTmux)),
))]
pub(crate) fn show(_: &Request) -> Result<SessionQuestion, ApiError> {
    Ok(SessionQuestion::Tmux(TmuxQuestion::Show))
}

/// Change the tmux session of a pane
///
/// Carries out an action in the tmux session that the session's pane is in, such as splitting a pane or renaming a
/// window. The answer describes the tmux session as it is then. New panes are opened as sessions by themselves.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/session/{id}/tmux", tag = "tmux", operation_id = "changeTmux",
    params(("id" = SessionId, Path, description = "The session of a pane.")),
    request_body = TmuxAction,
    responses(Guarded, OfSession, WithBody, InTmux,
        (status = 200, description = "The tmux session after the action.", body = SessionTmux)),
))]
pub(crate) fn act(request: &Request) -> Result<SessionQuestion, ApiError> {
    let action: TmuxAction = request.body()?;
    action.check().map_err(ApiError::bad_request)?;
    Ok(SessionQuestion::Tmux(TmuxQuestion::Act(action)))
}

pub(super) fn check_tmux(session: &Session) -> Result<(), ApiError> {
    if session.driver() == TMUX_DRIVER {
        return Ok(());
    }
    Err(ApiError::not_tmux(session.id()))
}

/// Returns the reply to a request about the tmux session of a pane.
///
/// # Errors
/// `not_tmux`, `tmux_failed`, `session_ended`, `host_offline` or `internal`.
pub(super) fn reply(id: &SessionId, answer: TmuxAnswer) -> Result<Reply, ApiError> {
    match answer {
        TmuxAnswer::Shown { pane, session } => {
            let (success, session_id) = (true, id.clone());
            Ok(Reply::ok(&SessionTmux { success, session_id, pane, session: session.cleaned() }))
        }
        TmuxAnswer::Failed(why) => Err(ApiError::not_operated(&why, id)),
    }
}

/// Returns the answer to a request for the tmux servers of a host, from what that answers.
///
/// # Errors
/// `internal`, or `host_offline` if the answer is not one to this question.
pub fn host_tmux(host_id: HostId, answer: Option<ToRelay>) -> Result<Reply, ApiError> {
    match answer {
        Some(ToRelay::TmuxServers { servers, .. }) => {
            Ok(Reply::ok(&HostTmux { host_id, servers: TmuxServer::cleaned(servers) }))
        }
        Some(ToRelay::Failed { message, .. }) => Err(ApiError::internal(&message)),
        _ => Err(HostError::Silent(host_id).into()),
    }
}

#[cfg(test)]
mod tests {
    use moorline_shared::failure::HostFailure;
    use moorline_shared::tmux::{SplitDirection, TmuxSession};
    use serde_json::{Value, json};

    use super::*;
    use crate::tests::support::request;

    #[test]
    fn a_request_names_an_action_that_tmux_could_carry_out() {
        let asked = |body: Value| act(&request("", &body));
        let split = json!({ "action": "split", "pane": "%3", "direction": "right" });
        let action = TmuxAction::Split { pane: "%3".into(), direction: SplitDirection::Right };
        assert_eq!(asked(split).unwrap(), SessionQuestion::Tmux(TmuxQuestion::Act(action)));
        for body in [
            json!({}),
            json!({ "action": "kill-server" }),
            json!({ "action": "select", "pane": "@1" }),
            json!({ "action": "select", "pane": "%1 ; kill-server" }),
            json!({ "action": "rename-window", "window": "@1", "name": "" }),
            json!({ "action": "rename-window", "window": "@1", "name": "a\nkill-server" }),
            json!({ "action": "rename-session", "name": "a:b" }),
            json!({ "action": "fit", "window": "@1", "cols": 70000, "rows": 1 }),
        ] {
            assert_eq!(asked(body.clone()).unwrap_err().status().as_u16(), 400, "{body}");
        }
    }

    #[test]
    fn an_answer_of_the_host_is_passed_on() {
        let id: SessionId = "abcdefgh".parse().unwrap();
        let session = TmuxSession { id: "$0".into(), name: "work".into(), ..Default::default() };
        let shown = reply(&id, TmuxAnswer::Shown { pane: "%1".into(), session }).unwrap();
        let shown: Value = serde_json::from_slice(&shown.body).unwrap();
        assert_eq!(shown["session"]["name"], "work");
        for (code, status) in [
            ("not_tmux", 409),
            ("tmux_failed", 409),
            ("session_ended", 409),
            ("host_offline", 503),
            ("internal", 500),
        ] {
            let failed = reply(&id, HostFailure::new(code, "m").into()).unwrap_err();
            assert_eq!(failed.status().as_u16(), status, "{code}");
        }
    }
}
