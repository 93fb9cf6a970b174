//! The handlers of `/api/session/:id`: one session.

use bytes::Bytes;
use moorline_shared::event::{CommandSent, Event};
use moorline_shared::id::SessionId;
use moorline_shared::limits::PROMPT_BYTES;
use moorline_shared::rest::{Deleted, EventsStatus, Prompted, SessionDetails};

use super::{Reply, Request};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::{Guarded, OfSession};
use crate::session::Session;

/// Bytes to type into a session.
#[derive(Debug)]
pub struct Write {
    /// The bytes to type.
    pub data: Bytes,
    /// An event to append to the log with the bytes.
    pub event: Option<Event>,
    /// Files that the request named. The relay notes them once the bytes are typed.
    pub files: Vec<String>,
    /// The answer, sent once the bytes are typed.
    pub reply: Reply,
}

/// Get the status of a session
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/session/{id}/status", tag = "Session", operation_id = "sessionStatus",
    params(("id" = SessionId, Path, description = "The session.")),
    responses(Guarded, OfSession,
        (status = 200, description = "The session's current status.", body = SessionDetails)),
))]
pub(crate) fn status(session: &Session, request: &Request) -> Result<Reply, ApiError> {
    let summary = session.summary(request.now_ms);
    let status = session.status(request.now_ms);
    let (log, size) = (session.log(), session.size());
    Ok(Reply::ok(&SessionDetails {
        mode: summary.driver.clone(),
        pid: status.pid,
        uptime: status.uptime,
        epoch: log.epoch(),
        head: log.head(),
        tail: session.oldest(),
        cols: size.cols,
        rows: size.rows,
        summary,
    }))
}

/// Get the number of open event streams of a session
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/session/{id}/events/status", tag = "Events", operation_id = "eventsStatus",
    params(("id" = SessionId, Path, description = "The session.")),
    responses(Guarded, OfSession,
        (status = 200, description = "The event streams that are open now.", body = EventsStatus)),
))]
pub(crate) fn events_status(session: &Session, request: &Request) -> Result<Reply, ApiError> {
    Ok(Reply::ok(&EventsStatus {
        session_id: session.id().clone(),
        active_connections: session.streams(),
        timestamp: request.now_ms,
    }))
}

/// Prepares a command for typing into a session, followed by Enter. Line breaks become Enter.
///
/// # Errors
/// `bad_request` if the command is empty, or `too_large`.
pub fn prompt_of(id: &SessionId, command: &str, now_ms: u64) -> Result<Write, ApiError> {
    if command.is_empty() {
        return Err(ApiError::command_required());
    }
    if command.len() > PROMPT_BYTES {
        return Err(ApiError::too_much_typed());
    }
    let event = Event::new(id.clone(), now_ms, &CommandSent::of(command));
    let mut typed = command.replace("\r\n", "\r").replace('\n', "\r");
    if !typed.ends_with('\r') {
        typed.push('\r');
    }
    let (message, session_id) = ("Command sent".to_owned(), id.clone());
    let reply = Reply::ok(&Prompted {
        success: true,
        session_id,
        message,
        timestamp: now_ms,
        turn_id: None,
        queued: false,
    });
    Ok(Write { data: typed.into(), event: Some(event), files: Vec::new(), reply })
}

/// End a session and remove it
#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/api/session/{id}", tag = "Session", operation_id = "deleteSession",
    params(("id" = SessionId, Path, description = "The session.")),
    responses(Guarded, OfSession,
        (status = 200, description = "The session was deleted.", body = Deleted)),
))]
pub(crate) fn delete(id: &SessionId) -> Reply {
    let message = "Session deleted".to_owned();
    Reply::ok(&Deleted { success: true, message, session_id: id.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_typed_with_returns_and_shown_in_short() {
        let id: SessionId = "abcdefgh".parse().unwrap();
        let typed = |command: &str| prompt_of(&id, command, 5).map(|write| write.data);
        assert_eq!(typed("ls").unwrap(), "ls\r");
        assert_eq!(typed("a\r\nb\n").unwrap(), "a\rb\r");
        assert_eq!(typed("").unwrap_err().status().as_u16(), 400);
        assert_eq!(typed(&"x".repeat(PROMPT_BYTES + 1)).unwrap_err().status().as_u16(), 413);
        let event = prompt_of(&id, &"é".repeat(101), 5).unwrap().event.unwrap();
        assert_eq!(event.fields["command"], format!("{}...", "é".repeat(100)));
    }
}
