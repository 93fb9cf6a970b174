//! [`SessionMeta`]: the session's description in IC-1, with the additions of `moorline.v1`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::id::{Epoch, Seq};
use crate::session::{Lifecycle, TMUX_DRIVER};

/// The description of a session that a client gets when it connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionMeta {
    /// The session's name; if it was given none, one made from its command and folder.
    pub name: String,
    /// When the session was created, as RFC 3339.
    pub created_at: String,
    /// The additions of `moorline.v1`.
    #[serde(flatten)]
    pub extended: Option<ExtendedMeta>,
}

impl<'de> Deserialize<'de> for SessionMeta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Plain {
            name: String,
            created_at: String,
        }
        let fields = Map::<String, Value>::deserialize(deserializer)?;
        let Plain { name, created_at } = Plain::deserialize(&fields).map_err(D::Error::custom)?;
        // Either all additions of `moorline.v1` are present, or none.
        Ok(Self { name, created_at, extended: ExtendedMeta::deserialize(&fields).ok() })
    }
}

/// The part of [`SessionMeta`] that only clients of `moorline.v1` get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtendedMeta {
    /// The epoch of the log.
    pub epoch: Epoch,
    /// The log's last entry.
    pub head: Seq,
    /// The oldest retained entry; `head + 1` if none is retained.
    pub tail: Seq,
    /// The terminal's columns.
    pub cols: u16,
    /// The terminal's rows.
    pub rows: u16,
    /// The name of the driver that runs the session.
    pub driver: String,
    /// The session's state.
    pub lifecycle: Lifecycle,
    /// The rights of this client to the session.
    pub scope: Scope,
}

impl ExtendedMeta {
    /// Returns true if this client can change the session's size. That of a pane is tmux's.
    #[must_use]
    pub fn may_resize(&self) -> bool {
        self.scope == Scope::Write && self.driver != TMUX_DRIVER
    }
}

/// The rights of a client to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// It may follow the session.
    Read,
    /// It may follow the session, type and resize.
    Write,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ServerMessage;

    fn server(json: &str, meta: SessionMeta) {
        let message = ServerMessage::SessionMeta(Box::new(meta));
        assert_eq!(ServerMessage::from_json(json).unwrap(), message);
        assert_eq!(message.to_json(), json);
    }

    #[test]
    fn session_meta_is_ic1_with_additions() {
        let plain = SessionMeta {
            name: "build".into(),
            created_at: "2026-01-02T03:04:05Z".into(),
            extended: None,
        };
        server(
            r#"{"type":"session-meta","name":"build","createdAt":"2026-01-02T03:04:05Z"}"#,
            plain.clone(),
        );
        let extended = ExtendedMeta {
            epoch: Epoch(1),
            head: Seq(2),
            tail: Seq(1),
            cols: 80,
            rows: 24,
            driver: "pty".into(),
            lifecycle: Lifecycle::Live,
            scope: Scope::Write,
        };
        server(
            r#"{"type":"session-meta","name":"build","createdAt":"2026-01-02T03:04:05Z","epoch":1,"head":2,"tail":1,"cols":80,"rows":24,"driver":"pty","lifecycle":"live","scope":"write"}"#,
            SessionMeta { extended: Some(extended), ..plain },
        );
    }

    #[test]
    fn half_of_what_is_added_is_nothing() {
        let texts = [
            r#"{"type":"session-meta","name":"a","createdAt":"b","epoch":1}"#,
            r#"{"createdAt":"b","epoch":1,"head":2,"tail":1,"cols":80,"rows":24,"driver":"pty","lifecycle":"live","scope":"newer","name":"a","type":"session-meta"}"#,
        ];
        let plain = SessionMeta { name: "a".into(), created_at: "b".into(), extended: None };
        let message = ServerMessage::SessionMeta(Box::new(plain));
        for text in texts {
            assert_eq!(ServerMessage::from_json(text).unwrap(), message, "{text}");
        }
        let nameless = r#"{"type":"session-meta","createdAt":"b","epoch":1}"#;
        assert!(ServerMessage::from_json(nameless).is_err());
    }
}
