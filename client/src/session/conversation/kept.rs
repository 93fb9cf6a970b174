//! The requests of a conversation that are kept until they are answered, for a later page.
//!
//! Each has a key of its own, so that the tabs of a browser do not undo what the others keep. A
//! browser that stores nothing keeps nothing: then they end with the page.

use moorline_shared::id::SessionId;

use super::driver::{RequestNumber, UserRequest};
use crate::bindings::clock;
use crate::bindings::storage::{self, Area};

/// The beginning of all keys.
const PREFIX: &str = "moorline.unsent.";

/// A request that an earlier page has kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRequest {
    /// Its key in the browser's storage.
    pub key: String,
    /// The request.
    pub request: UserRequest,
}

fn prefix(session: &SessionId) -> String {
    format!("{PREFIX}{session}.")
}

/// Keeps a request. Returns its key; `None` if the browser does not store it, as when it is full.
#[must_use]
pub fn keep(session: &SessionId, number: RequestNumber, request: &UserRequest) -> Option<String> {
    // Sorted by time. The random part tells tabs apart.
    let (now, random) = (clock::wall_ms() as u64, clock::random_bits() as u32);
    let key = format!("{}{now:014}.{number:06}.{random:08x}", prefix(session));
    let json = serde_json::to_string(request).ok()?;
    storage::set(Area::Browser, &key, &json).then_some(key)
}

/// Forgets the request that is kept under a key.
pub fn forget(key: &str) {
    storage::remove(Area::Browser, key);
}

/// Forgets the requests of all sessions: whoever uses this browser next must not send them.
pub fn forget_all() {
    storage::keys(Area::Browser, PREFIX).iter().for_each(|key| forget(key));
}

/// Returns the requests that are kept for a session, oldest first. What cannot be read is forgotten.
#[must_use]
pub fn kept(session: &SessionId) -> Vec<KeptRequest> {
    let mut keys = storage::keys(Area::Browser, &prefix(session));
    keys.sort_unstable();
    let read = |key: String| {
        let text = storage::get(Area::Browser, &key)?;
        match serde_json::from_str(&text) {
            Ok(request) => Some(KeptRequest { key, request }),
            Err(_) => {
                forget(&key);
                None
            }
        }
    };
    keys.into_iter().filter_map(read).collect()
}
