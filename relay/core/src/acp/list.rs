//! The answers to `session/list`.

use moorline_shared::rest::{SessionList, SessionSummary};
use moorline_shared::rpc::RpcError;
use moorline_shared::session::AGENT_DRIVER;
use serde_json::{Value, json};

use super::call::{self, CallParts};
use super::failure::bad_params;

/// Returns the request for a page of the list.
///
/// # Errors
/// The error for the client, if the cursor cannot be one.
pub(super) fn page(params: &Value) -> Result<CallParts, RpcError> {
    let cursor = params.get("cursor").and_then(Value::as_str);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    match cursor {
        Some(cursor) if !cursor.bytes().all(is_plain) => {
            Err(bad_params("`cursor` must be the `nextCursor` of the page before."))
        }
        cursor => Ok(call::list(cursor)),
    }
}

/// Returns the folder that a request asks for.
pub(super) fn folder(params: &Value) -> Option<String> {
    Some(params.get("cwd")?.as_str()?.to_owned())
}

/// Returns a page of the list: the sessions in this folder, or all.
pub(super) fn answer(list: &SessionList, folder: Option<&str>) -> Value {
    let is_wanted = |session: &&SessionSummary| {
        let is_there = folder.is_none_or(|folder| session.cwd.as_deref() == Some(folder));
        session.driver == AGENT_DRIVER && is_there
    };
    let sessions: Vec<_> = list.sessions.iter().filter(is_wanted).map(info).collect();
    let mut answer = json!({ "sessions": sessions });
    if let Some(next) = &list.next_cursor {
        answer["nextCursor"] = json!(next);
    }
    answer
}

fn info(session: &SessionSummary) -> Value {
    let SessionSummary { session_id, name, cwd, lifecycle, last_activity, agent, .. } = session;
    // The protocol requires an absolute path.
    let cwd = cwd.as_deref().unwrap_or("/");
    json!({
        "sessionId": session_id, "cwd": cwd, "title": name, "updatedAt": last_activity,
        "_meta": { "moorline": { "lifecycle": lifecycle, "agent": agent } },
    })
}
