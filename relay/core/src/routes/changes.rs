//! The handlers of `/api/session/:id/changes`: requests that the session's host answers.

use moorline_shared::change::{ChangesAnswer, ChangesQuestion};
use moorline_shared::id::SessionId;
use moorline_shared::limits::CHANGED_FILES;
use moorline_shared::rest::{ChangesSettled, SessionChangeList, SettleChanges};

use super::question::SessionQuestion;
use super::{Reply, Request, operations};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::{Changing, Guarded, OfSession, WithBody};

/// List the files that the agent has changed
///
/// Asks the session's host for the files that differ from what they were before the agent's turns, with the parts that
/// differ. What was kept or reverted is not listed.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/session/{id}/changes", tag = "Agents", operation_id = "listChanges",
    params(("id" = SessionId, Path, description = "The session.")),
    responses(Guarded, OfSession, Changing,
        (status = 200, description = "The changed files.", body = SessionChangeList)),
))]
pub(crate) fn list(_: &Request) -> Result<SessionQuestion, ApiError> {
    Ok(SessionQuestion::Changes(ChangesQuestion::List))
}

/// Keep or revert changes of the agent
///
/// Keeps or reverts each file, or some hunks of it, whose content still has the hash `before` that was listed. If
/// anything is different then, the session's log reports `agent-changes`.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/session/{id}/changes", tag = "Agents", operation_id = "settleChanges",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = SettleChanges,
    responses(Guarded, OfSession, WithBody, Changing,
        (status = 200, description = "A result for each file.", body = ChangesSettled)),
))]
pub(crate) fn settle(request: &Request) -> Result<SessionQuestion, ApiError> {
    let SettleChanges { keep, revert } = operations::body(request)?;
    match keep.len() + revert.len() {
        0 => Err(ApiError::nothing_to_settle()),
        count if count > CHANGED_FILES => Err(ApiError::too_many_changes()),
        _ => Ok(SessionQuestion::Changes(ChangesQuestion::Settle { keep, revert })),
    }
}

/// Returns the reply to a request about changes. `now_ms` is the time in milliseconds since 1970.
///
/// # Errors
/// `host_offline`, `no_folder`, `session_ended` or `internal`.
pub(super) fn reply(id: &SessionId, answer: ChangesAnswer, now_ms: u64) -> Result<Reply, ApiError> {
    let (success, session_id, timestamp) = (true, id.clone(), now_ms);
    match answer {
        ChangesAnswer::Listed(changes) => {
            Ok(Reply::ok(&SessionChangeList { success, session_id, changes, timestamp }))
        }
        ChangesAnswer::Settled { results } => {
            let done = results.iter().filter(|result| result.success).count();
            let count = results.len();
            Ok(Reply::ok(&ChangesSettled { success, session_id, results, count, done, timestamp }))
        }
        ChangesAnswer::Failed(why) => Err(ApiError::not_operated(&why, id)),
    }
}

#[cfg(test)]
mod tests {
    use moorline_shared::change::{ChangeAction, ChangeResult, ListedChanges, PlannedChange};
    use moorline_shared::failure::HostFailure;
    use moorline_shared::limits::OPERATIONS_BODY_BYTES;
    use serde_json::{Value, json};

    use super::*;
    use crate::tests::support::request;

    fn refused(body: &Value) -> u16 {
        settle(&request("", body)).unwrap_err().status().as_u16()
    }

    #[test]
    fn a_request_names_what_to_keep_and_to_revert() {
        let body = json!({ "keep": [{ "path": "a", "before": "00", "hunks": ["1"] }] });
        let planned = PlannedChange {
            path: "a".into(),
            before: Some("00".into()),
            hunks: Some(vec!["1".into()]),
        };
        let expected = ChangesQuestion::Settle { keep: vec![planned], revert: vec![] };
        let expected = SessionQuestion::Changes(expected);
        assert_eq!(settle(&request("", &body)).unwrap(), expected);
        for body in [json!({}), json!({ "keep": [] }), json!({ "revert": [{ "before": "00" }] })] {
            assert_eq!(refused(&body), 400, "{body}");
        }
        let file = json!({ "path": "a" });
        let half = vec![&file; CHANGED_FILES / 2 + 1];
        assert_eq!(refused(&json!({ "keep": half, "revert": half })), 413);
        let large = json!({ "keep": [{ "path": "x".repeat(OPERATIONS_BODY_BYTES) }] });
        assert_eq!(refused(&large), 413);
    }

    #[test]
    fn an_answer_of_the_host_is_passed_on() {
        let id: SessionId = "abcdefgh".parse().unwrap();
        let body = |answer| -> Value {
            serde_json::from_slice(&reply(&id, answer, 7).unwrap().body).unwrap()
        };
        let listed = ListedChanges { complete: true, ..ListedChanges::default() };
        let expected = json!({
            "success": true, "sessionId": "abcdefgh", "files": [], "count": 0, "truncated": false,
            "complete": true, "gaps": [], "timestamp": 7,
        });
        assert_eq!(body(ChangesAnswer::Listed(listed)), expected);
        let result = |success| ChangeResult {
            success,
            action: ChangeAction::Keep,
            path: "a".into(),
            code: None,
            message: None,
        };
        let settled = body(ChangesAnswer::Settled { results: vec![result(true), result(false)] });
        assert_eq!((&settled["count"], &settled["done"]), (&json!(2), &json!(1)));
        for (code, status) in [
            ("no_folder", 409),
            ("session_ended", 409),
            ("not_an_agent", 409),
            ("host_offline", 503),
            ("internal", 500),
        ] {
            let answer = HostFailure::new(code, "m").into();
            let error = reply(&id, answer, 7).unwrap_err();
            assert_eq!(error.status().as_u16(), status, "{code}");
        }
    }
}
