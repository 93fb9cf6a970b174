//! What a tab keeps of a session over its reload: who it is, and what it typed and could not
//! deliver.
//!
//! It is stored only while the page is hidden or going, or while input waits for a connection. A
//! tab that is duplicated takes a copy of the storage with it, and two pages must not be the same
//! client.

use moorline_shared::id::{ClientId, SessionId};
use moorline_shared::link::SavedInput;
use serde::{Deserialize, Serialize};

use crate::bindings::storage::{self, Area};

/// What a tab keeps of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TabState {
    /// Who the page is to the relay.
    pub client_id: ClientId,
    /// Its input: what was accepted, and what was not.
    pub input: SavedInput,
}

fn key(session: &SessionId) -> String {
    format!("moorline.client.{session}")
}

/// Takes what an earlier page of this tab left.
#[must_use]
pub fn take(session: &SessionId) -> Option<TabState> {
    let key = key(session);
    let text = storage::get(Area::Tab, &key)?;
    storage::remove(Area::Tab, &key);
    serde_json::from_str(&text).ok()
}

/// Stores, or forgets.
pub fn keep(session: &SessionId, saved: Option<&TabState>) {
    let key = key(session);
    match saved.and_then(|saved| serde_json::to_string(saved).ok()) {
        Some(text) => {
            storage::set(Area::Tab, &key, &text);
        }
        None => storage::remove(Area::Tab, &key),
    }
}
