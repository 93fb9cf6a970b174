//! The files that prompts named, which are known until the relay ends.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_host::context::FILES;
use moorline_shared::id::SessionId;

/// See the module.
#[derive(Debug, Default)]
pub struct Context {
    /// Of each session, those that were named last.
    named: Mutex<HashMap<SessionId, Vec<String>>>,
}

impl Context {
    /// A prompt named these.
    pub(super) fn add(&self, id: &SessionId, paths: Vec<String>) {
        if paths.is_empty() {
            return;
        }
        let mut named = self.named();
        let files = named.entry(id.clone()).or_default();
        files.retain(|file| !paths.contains(file));
        files.extend(paths);
        files.drain(..files.len().saturating_sub(FILES));
    }

    /// The session is gone.
    pub(super) fn forget(&self, id: &SessionId) {
        self.named().remove(id);
    }

    /// Those that prompts named, the last one first.
    pub(super) fn of(&self, id: &SessionId) -> Vec<String> {
        self.named().get(id).into_iter().flatten().rev().cloned().collect()
    }

    fn named(&self) -> MutexGuard<'_, HashMap<SessionId, Vec<String>>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
