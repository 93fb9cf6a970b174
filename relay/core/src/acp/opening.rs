//! A client's request to attach to a session, until it is answered.

use std::time::Duration;

use moorline_shared::fold::Conversation;
use moorline_shared::id::{Cursor, SessionId};
use moorline_shared::rpc::{RpcError, RpcId};
use moorline_shared::time::Time;
use serde_json::{Map, Value, json};

use super::failure::bad_params;
use super::updates;

/// Time allowed for the relay and the session to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The way in which a client attaches to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpeningKind {
    /// `session/new`: the history follows the answer.
    New,
    /// `session/load`: the history precedes the answer.
    Load,
    /// `session/resume`: only what follows the cursor is told, after the answer.
    Resume,
}

/// A request to attach to a session.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) id: RpcId,
    pub(super) kind: OpeningKind,
    /// The cursor up to which the client has the history.
    pub(super) cursor: Option<Cursor>,
    /// True if the stream continues at the cursor; `None` until that is known.
    pub(super) continues: Option<bool>,
    /// When the request fails.
    pub(super) until: Time,
}

impl Opening {
    /// Begins a request, with the cursor that its `_meta` names.
    ///
    /// # Errors
    /// The error for the client, if the cursor cannot be read.
    pub(super) fn begin(
        id: RpcId,
        kind: OpeningKind,
        params: &Value,
        now: Time,
    ) -> Result<Self, RpcError> {
        let cursor = match params.pointer("/_meta/moorline/cursor") {
            None | Some(Value::Null) => None,
            Some(cursor) => Some(serde_json::from_value(cursor.clone()).map_err(|_| {
                bad_params("`_meta.moorline.cursor` must have the numbers `epoch` and `seq`.")
            })?),
        };
        // A new session has no earlier cursor.
        let cursor = cursor.filter(|_| kind != OpeningKind::New);
        Ok(Self { id, kind, cursor, continues: None, until: now + PATIENCE })
    }

    /// Returns true if the stream does not continue at the client's cursor, so that the client is
    /// told the whole history.
    pub(super) fn starts_over(&self) -> bool {
        self.continues == Some(false)
    }

    /// Returns the answer, for a client that has everything up to `position`.
    pub(super) fn answer(
        &self,
        session: &SessionId,
        conversation: &Conversation,
        position: Option<Cursor>,
    ) -> Value {
        let mut answer = Map::new();
        if self.kind == OpeningKind::New {
            answer.insert("sessionId".to_owned(), json!(session));
        }
        let options = &conversation.config.options;
        if !options.is_empty() {
            answer.insert("configOptions".to_owned(), updates::config_options(options));
        }
        answer.extend(updates::modes(options).map(|modes| ("modes".to_owned(), modes)));
        let mut meta = Map::new();
        meta.extend(position.map(|cursor| ("cursor".to_owned(), json!(cursor))));
        if self.cursor.is_some() {
            let history = if self.starts_over() { "replayed" } else { "continued" };
            meta.insert("history".to_owned(), json!(history));
        }
        answer.insert("_meta".to_owned(), json!({ "moorline": meta }));
        Value::Object(answer)
    }
}
