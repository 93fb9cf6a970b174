//! The messages between a session's page in a frame and the page around it, over `postMessage`.
//!
//! `docs/EMBED.md` describes the protocol. [`EmbedChannel`] decides which messages count and where
//! answers go, [`EmbedTheme`] is the part of a page's look that a frame takes over, and
//! [`CursorPace`] limits how often a frame tells its position.

mod channel;
mod colour;
mod pace;
mod theme;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{Epoch, Seq, SessionId};
use crate::tagged::tagged;

pub use channel::{EmbedChannel, FramePost, PostTarget};
pub use colour::Colour;
pub use pace::CursorPace;
pub use theme::{EmbedScheme, EmbedTheme, FontList, InvalidTheme};

/// The version of the protocol.
pub const EMBED_VERSION: u32 = 1;

/// The kind of page in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmbedKind {
    /// A terminal.
    Terminal,
    /// The conversation of an agent.
    Agent,
}

/// The position of a frame in its session's log. Together with the snapshot that came with it, a
/// later frame shows the same and continues there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EmbedCursor {
    /// The session that it is of. A frame of another session ignores it.
    pub session_id: SessionId,
    /// The kind of page that made the snapshot.
    pub kind: EmbedKind,
    /// The epoch of the log.
    pub epoch: Epoch,
    /// The last entry that the snapshot contains.
    pub seq: Seq,
    /// Columns of the terminal that the snapshot is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cols: Option<u16>,
    /// Rows of the terminal that the snapshot is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
}

impl EmbedCursor {
    /// Reads it by hand, as [`EmbedTheme::read`] does.
    fn read(value: &Value) -> Option<Self> {
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        let short = |name: &str| number(name).and_then(|number| u16::try_from(number).ok());
        Some(Self {
            session_id: value.get("sessionId")?.as_str()?.parse().ok()?,
            kind: match value.get("kind")?.as_str()? {
                "terminal" => EmbedKind::Terminal,
                "agent" => EmbedKind::Agent,
                _ => return None,
            },
            epoch: Epoch(number("epoch")?),
            seq: Seq(number("seq")?),
            cols: short("cols"),
            rows: short("rows"),
        })
    }
}

/// The prompt that somebody is writing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmbedDraft {
    /// The text.
    pub text: String,
    /// The paths of the files that it refers to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// The first message of the page around a frame.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EmbedHello {
    /// The newest version of the protocol that the page knows. A frame that is older answers as
    /// itself, so newer pages must accept that.
    pub version: u32,
    /// The access token, unless it is in the fragment of the frame's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The theme: see [`EmbedTheme::read`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<Value>,
    /// The position of an earlier frame. Its snapshot stands beside it in the message, and is no
    /// part of the JSON form. One that cannot be read is ignored, so it is read later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Value>,
    /// The draft that an earlier frame told last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft: Option<EmbedDraft>,
    /// True to only show the session, whatever the token allows.
    pub read_only: bool,
    /// True to take the keyboard focus.
    pub focus: bool,
}

impl EmbedHello {
    /// Returns the position of an earlier frame of this session, if there is one that can be read.
    #[must_use]
    pub fn cursor_of(&self, session: &SessionId) -> Option<EmbedCursor> {
        let cursor = EmbedCursor::read(self.cursor.as_ref()?)?;
        (cursor.session_id == *session).then_some(cursor)
    }
}

tagged! {
    /// A message from the page around a frame.
    #[derive(Debug, Clone, PartialEq)]
    pub enum ParentMessage {
        /// The answer to [`FrameMessage::Ready`].
        #[serde(rename = "moorline.hello")]
        Hello(EmbedHello),
        /// The page has another look.
        #[serde(rename = "moorline.theme")]
        Theme {
            /// The theme: see [`EmbedTheme::read`].
            theme: Value,
        },
        /// Asks the frame to take the keyboard focus.
        #[serde(rename = "moorline.focus")]
        Focus,
        /// Replaces the access token.
        #[serde(rename = "moorline.token")]
        Token {
            /// The new token.
            token: String,
        },
        /// Sends a prompt to an agent; types a line into a terminal.
        #[serde(rename = "moorline.prompt")]
        Prompt {
            /// The text.
            text: String,
            /// The files that an agent's prompt refers to.
            #[serde(default)]
            files: Vec<String>,
        },
        /// Adds text to the draft of a prompt; pastes it into a terminal. Nothing is sent.
        #[serde(rename = "moorline.insert")]
        Insert {
            /// The text.
            text: String,
        },
        /// A message of a later version.
        #[serde(other)]
        Unknown,
    }
}

impl ParentMessage {
    /// Parses a message from JSON.
    ///
    /// # Errors
    /// An error if the text is not a JSON object with a type, or a field has the wrong type.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        Self::read(text)
    }
}

/// The state of a frame and its session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FrameState {
    /// The kind of page.
    pub kind: EmbedKind,
    /// The state of the connection: `connecting`, `catching-up`, `live`, `silent`, `waiting`, `ended` or
    /// `refused`.
    pub connection: &'static str,
    /// True if the relay answers but the session's host does not.
    pub host_away: bool,
    /// True if nothing can be typed or decided.
    pub read_only: bool,
    /// The state that an agent reports: `idle`, `working`, `waiting` or `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The number of an agent's questions that wait for a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<usize>,
    /// The exit code of a session that has ended, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// A message to the page around a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum FrameMessage {
    /// The frame waits for [`ParentMessage::Hello`].
    #[serde(rename = "moorline.ready")]
    Ready {
        /// The version of the frame's protocol.
        version: u32,
    },
    /// The names of the session and of the program that runs in it.
    #[serde(rename = "moorline.title")]
    Title {
        /// The session's name.
        name: String,
        /// The title that a program on a terminal has set, or an agent has given itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    /// The state has changed.
    #[serde(rename = "moorline.state")]
    State(FrameState),
    /// The size that shows everything.
    #[serde(rename = "moorline.size")]
    Size {
        /// The height in CSS pixels.
        height: u32,
        /// The rows of a terminal.
        #[serde(skip_serializing_if = "Option::is_none")]
        rows: Option<u16>,
    },
    /// The position in the log. The snapshot stands beside it, and is no part of the JSON form.
    #[serde(rename = "moorline.cursor")]
    Cursor {
        /// The position.
        cursor: EmbedCursor,
    },
    /// The draft of a prompt has changed. An empty one was sent or removed.
    #[serde(rename = "moorline.draft")]
    Draft {
        /// The draft.
        draft: EmbedDraft,
    },
    /// The keyboard focus has moved, or the user asks to leave the frame.
    #[serde(rename = "moorline.focus")]
    Focus {
        /// True if it is in the frame.
        inside: bool,
        /// True if the user pressed the key that leaves the frame.
        leave: bool,
    },
    /// A message was refused.
    #[serde(rename = "moorline.error")]
    Error {
        /// A stable code.
        code: &'static str,
        /// A sentence that says what to do.
        message: String,
    },
}

impl FrameMessage {
    /// Encodes the message as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("messages have text keys and no floats")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let session: SessionId = "abcdefgh".parse().unwrap();
        let terminal = EmbedCursor {
            session_id: session.clone(),
            kind: EmbedKind::Terminal,
            epoch: Epoch(1_764_000_000_000),
            seq: Seq(7),
            cols: Some(80),
            rows: Some(24),
        };
        let agent =
            EmbedCursor { kind: EmbedKind::Agent, cols: None, rows: None, ..terminal.clone() };
        for cursor in [terminal, agent] {
            let written = serde_json::to_value(&cursor).unwrap();
            let hello = EmbedHello { cursor: Some(written), ..EmbedHello::default() };
            assert_eq!(hello.cursor_of(&session), Some(cursor));
            assert_eq!(hello.cursor_of(&"another1".parse().unwrap()), None);
        }
        for wrong in [Value::Null, 1.into(), serde_json::json!({ "sessionId": "abcdefgh" })] {
            let hello = EmbedHello { cursor: Some(wrong), ..EmbedHello::default() };
            assert_eq!(hello.cursor_of(&session), None);
        }
    }
}
