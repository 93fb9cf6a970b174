//! State of a session that a tab keeps over a reload: its client id, and input that could not be
//! delivered.
//!
//! It is stored only while the page is hidden or going away, or while input waits for a connection.
//! A duplicated tab takes a copy of the storage with it, and two pages must not be the same client.

use moorline_shared::id::{ClientId, SessionId};
use moorline_shared::link::SavedInput;
use serde::{Deserialize, Serialize};

use crate::bindings::storage::{self, Area};

/// State of a session that a tab keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TabState {
    /// The page's client id at the relay.
    pub client_id: ClientId,
    /// Input that was accepted, and input that was not.
    pub input: SavedInput,
}

fn key(session: &SessionId) -> String {
    format!("moorline.client.{session}")
}

/// Takes the state that an earlier page of this tab stored.
#[must_use]
pub fn take(session: &SessionId) -> Option<TabState> {
    let key = key(session);
    let text = storage::get(Area::Tab, &key)?;
    storage::remove(Area::Tab, &key);
    serde_json::from_str(&text).ok()
}

/// Stores the state, or removes it if it is `None`.
pub fn keep(session: &SessionId, saved: Option<&TabState>) {
    let key = key(session);
    match saved.and_then(|saved| serde_json::to_string(saved).ok()) {
        Some(text) => {
            storage::set(Area::Tab, &key, &text);
        }
        None => storage::remove(Area::Tab, &key),
    }
}
