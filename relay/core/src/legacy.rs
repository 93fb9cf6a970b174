//! The routes that seed 000 names as deprecated: the headers of their answers, and the messages of
//! the chat's WebSocket, a bridge to a session's prompts and events.

use std::sync::atomic::{AtomicU64, Ordering};

use moorline_shared::event::{Event, EventKind};
use moorline_shared::rest::{ErrorBody, SessionSummary};
use moorline_shared::sse::{Parser, SseEvent, SseItem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The deprecated path of `/api/sessions`.
pub const SESSIONS: &str = "/claude/api/claude/sessions";
/// The path of the chat's WebSocket.
pub const CHAT: &str = "/claude/api/claude/chat";

/// Headers of every answer. RFC 9745's date is the day on which seed 000 deprecated these routes,
/// RFC 8594's the day from which they may be removed.
pub const HEADERS: [(&str, &str); 3] = [
    ("deprecation", "@1737417600"),
    ("sunset", "Fri, 31 Dec 2027 23:59:59 GMT"),
    (
        "link",
        "</api/sessions>; rel=\"successor-version\", </api/openapi.json>; rel=\"service-desc\"",
    ),
];

/// Returns true if a path is one of these.
#[must_use]
pub fn is_legacy(path: &str) -> bool {
    [SESSIONS, CHAT].contains(&path)
}

/// Returns true if this value of the variable `MOORLINE_NO_LEGACY` turns these routes off.
#[must_use]
pub fn is_off(value: &str) -> bool {
    let no = ["", "0", "f", "false", "n", "no", "off"];
    !no.contains(&value.trim().to_ascii_lowercase().as_str())
}

/// The log line about their use. [`Warned`] limits how often it is written.
pub const WARNING: &str =
    "/claude/api/claude/* is deprecated: use /api/sessions and /api/session/:id/events";
const WARN_EVERY_MS: u64 = 60_000;

/// The time of the last warning.
#[derive(Debug, Default)]
pub struct Warned {
    at_ms: AtomicU64,
}

impl Warned {
    /// Starts without an earlier warning.
    #[must_use]
    pub const fn never() -> Self {
        Self { at_ms: AtomicU64::new(0) }
    }

    /// Returns true if a warning is due now; the caller then writes it. `wall_ms` is in
    /// milliseconds since 1970.
    pub fn is_due(&self, wall_ms: u64) -> bool {
        let at = self.at_ms.load(Ordering::Relaxed);
        let due = wall_ms >= at.saturating_add(WARN_EVERY_MS);
        let claim =
            || self.at_ms.compare_exchange(at, wall_ms, Ordering::Relaxed, Ordering::Relaxed);
        due && claim().is_ok()
    }
}

/// A message of a client. It is flat: the fields are checked once the type is known.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChatMessage {
    r#type: String,
    session_id: Option<String>,
    command: Option<String>,
}

/// A message to a client, except for events that are passed on unchanged.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum ChatReply<'a> {
    Connected {
        message: &'static str,
    },
    Subscribed {
        session_id: &'a str,
        session: &'a SessionSummary,
    },
    Output {
        session_id: &'a str,
        data: ChatOutput<'a>,
    },
    Pong,
    Error {
        error: &'a str,
        code: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<&'a str>,
    },
}

#[derive(Serialize)]
struct ChatOutput<'a> {
    r#type: &'static str,
    content: Option<&'a Value>,
    timestamp: u64,
}

impl ChatReply<'_> {
    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and JSON values always encode")
    }
}

/// A task for the owner of a [`Chat`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatAction {
    /// Send this text to the client.
    Tell(String),
    /// Subscribe the client to this session, then call [`Chat::subscribed`]; send [`refusal`] on
    /// failure.
    Subscribe(String),
    /// Type this as a prompt of the session; send [`refusal`] on failure.
    Command {
        /// The session; it may not be a valid id.
        session_id: String,
        /// The command to type.
        command: String,
    },
}

/// One connected client of the chat.
#[derive(Debug, Default)]
pub struct Chat {
    followed: Option<ChatSubscription>,
}

/// The session that the client is subscribed to.
#[derive(Debug)]
struct ChatSubscription {
    id: String,
    parser: Parser,
}

impl Chat {
    /// Opens a connection. Returns it with the client's first message.
    #[must_use]
    pub fn open() -> (Self, String) {
        (Self::default(), ChatReply::Connected { message: "WebSocket connected" }.to_json())
    }

    /// Handles a text message; `None` if there is nothing to do.
    #[must_use]
    pub fn text(&self, text: &str) -> Option<ChatAction> {
        // Serde would read a JSON list as the fields in their order.
        let said =
            text.trim_start().starts_with('{').then(|| serde_json::from_str::<ChatMessage>(text));
        let Some(Ok(said)) = said else { return Some(bad_message("Invalid JSON")) };
        let ChatMessage { r#type, session_id, command } = said;
        Some(match (r#type.as_str(), session_id, command) {
            ("subscribe", Some(id), _) => ChatAction::Subscribe(id),
            ("command", id, Some(command)) => match id.or_else(|| self.followed_id()) {
                Some(session_id) => ChatAction::Command { session_id, command },
                None => bad_message("Name a session: this connection is not subscribed to one."),
            },
            ("ping", ..) => ChatAction::Tell(ChatReply::Pong.to_json()),
            ("subscribe" | "command", ..) => bad_message("Invalid JSON"),
            _ => return None,
        })
    }

    /// Handles a message that is not text.
    #[must_use]
    pub fn binary(&self) -> ChatAction {
        bad_message("Send JSON text.")
    }

    /// Subscribes the client to this session, and returns the message that says so.
    #[must_use]
    pub fn subscribed(&mut self, session: &SessionSummary) -> String {
        let session_id = session.session_id.as_str();
        self.followed = Some(ChatSubscription { id: session_id.to_owned(), parser: Parser::new() });
        ChatReply::Subscribed { session_id, session }.to_json()
    }

    /// Ends the subscription: the session's event stream has ended.
    pub fn ended(&mut self) {
        self.followed = None;
    }

    /// Returns the id of the last event that was read whole, to resume after it.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.followed.as_ref().and_then(|followed| followed.parser.last_event_id())
    }

    /// Translates bytes of the session's event stream into messages to the client.
    #[must_use]
    pub fn events(&mut self, chunk: &[u8]) -> Vec<String> {
        let Some(followed) = &mut self.followed else { return Vec::new() };
        let mut told = Vec::new();
        let read = followed.parser.push(chunk, |item| {
            if let SseItem::Event(event) = item {
                told.extend(translate(&event));
            }
        });
        if let Err(error) = read {
            tracing::error!(%error, "an event stream of this relay cannot be read");
            followed.parser = Parser::new();
        }
        told
    }

    fn followed_id(&self) -> Option<String> {
        self.followed.as_ref().map(|followed| followed.id.clone())
    }
}

/// Returns the message for a request of the client that failed.
#[must_use]
pub fn refusal(body: &ErrorBody) -> String {
    let ErrorBody { error, code, session_id, .. } = body;
    ChatReply::Error { error, code, session_id: session_id.as_deref() }.to_json()
}

fn bad_message(error: &str) -> ChatAction {
    ChatAction::Tell(ChatReply::Error { error, code: "bad_message", session_id: None }.to_json())
}

/// Translates an event to the form that clients of the deprecated socket know; `None` if they do
/// not.
fn translate(event: &SseEvent) -> Option<String> {
    let mut event: Event = serde_json::from_str(&event.data).ok()?;
    let name = match EventKind::of(&event.kind) {
        EventKind::Connected => return None,
        EventKind::SessionOutput => {
            let content = event.fields.get("content");
            let data = ChatOutput { r#type: "stdout", content, timestamp: event.timestamp };
            return Some(
                ChatReply::Output { session_id: event.session_id.as_str(), data }.to_json(),
            );
        }
        EventKind::SessionStatus => "status",
        EventKind::SessionError => "error",
        _ => return Some(event.to_json()),
    };
    name.clone_into(&mut event.kind);
    Some(event.to_json())
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::sse;
    use serde_json::json;

    fn following(id: &str) -> Chat {
        Chat { followed: Some(ChatSubscription { id: id.to_owned(), parser: Parser::new() }) }
    }

    fn told(wish: Option<ChatAction>) -> Value {
        let Some(ChatAction::Tell(text)) = wish else { panic!("{wish:?}") };
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_is_no_message_is_told_to_be_none() {
        let (chat, _) = Chat::open();
        let wrong = ["", "{", "[]", r#"["ping"]"#, "null", "{}", r#"{"type":7}"#];
        for wrong in wrong.into_iter().chain([r#"{"type":"subscribe"}"#, r#"{"type":"command"}"#]) {
            assert_eq!(told(chat.text(wrong))["code"], "bad_message", "{wrong}");
        }
        assert_eq!(told(Some(chat.binary()))["code"], "bad_message");
        // A message of a client that is newer than these routes.
        assert_eq!(chat.text(r#"{"type":"wave","sessionId":"abcdefgh"}"#), None);
        assert_eq!(told(chat.text(r#" {"type":"ping"}"#)), json!({"type": "pong"}));
    }

    #[test]
    fn a_command_is_for_the_session_that_it_names_else_for_the_one_listened_to() {
        let command = |session_id: &str| {
            Some(ChatAction::Command {
                session_id: session_id.to_owned(),
                command: "ls".to_owned(),
            })
        };
        let named = r#"{"type":"command","sessionId":"other-one","command":"ls"}"#;
        let unnamed = r#"{"type":"command","command":"ls"}"#;
        let mut chat = following("abcdefgh");
        assert_eq!(chat.text(named), command("other-one"));
        assert_eq!(chat.text(unnamed), command("abcdefgh"));
        chat.ended();
        assert_eq!(told(chat.text(unnamed))["code"], "bad_message");
    }

    #[test]
    fn events_are_told_under_their_names_of_before() {
        let event = |kind: &str, fields: Value| {
            let id = "abcdefgh".parse().unwrap();
            sse::encode(kind, "1.2".parse().ok(), &Event::of_kind(id, kind, 5, fields).to_json())
        };
        let stream = [
            event("connected", json!({"message": "x"})),
            event("session-output", json!({"seq": 2, "content": "é"})),
            event("session-status", json!({"status": "idle"})),
            event("session-error", json!({"code": "x"})),
            event("command-sent", json!({"command": "ls"})),
            "data: {}\n\n".to_owned(),
        ];
        let mut chat = following("abcdefgh");
        // In chunks of any size.
        let all = stream.concat();
        let told = all.as_bytes().chunks(7).flat_map(|chunk| chat.events(chunk));
        let told: Vec<Value> = told.map(|text| serde_json::from_str(&text).unwrap()).collect();
        assert_eq!(
            Value::Array(told),
            json!([
                {"type": "output", "sessionId": "abcdefgh",
                    "data": {"type": "stdout", "content": "é", "timestamp": 5}},
                {"type": "status", "sessionId": "abcdefgh", "timestamp": 5, "status": "idle"},
                {"type": "error", "sessionId": "abcdefgh", "timestamp": 5, "code": "x"},
                {"type": "command-sent", "sessionId": "abcdefgh", "timestamp": 5, "command": "ls"},
            ])
        );
        assert_eq!(chat.last_event_id(), Some("1.2"));
    }

    #[test]
    fn they_are_there_unless_they_are_turned_off() {
        assert!(["1", "true", "yes"].into_iter().all(is_off));
        assert!(!["", "0", "False", "no"].into_iter().any(is_off));
    }

    #[test]
    fn the_log_is_told_once_a_minute() {
        let warned = Warned::never();
        let due = [1_000_000, 1_000_001, 1_059_999, 1_060_000].map(|at| warned.is_due(at));
        assert_eq!(due, [true, false, false, true]);
    }
}
