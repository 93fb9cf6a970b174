//! The files that sessions work with. Those that prompts named are known until the relay ends.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_host::context::{FILES, by_convention, by_prompt};
use moorline_shared::id::SessionId;
use moorline_shared::rest::ContextFile;

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

    /// The files that are there now: those that prompts named, the last first, then those that
    /// agents read in the session's folder and above, up to `top`.
    pub(super) async fn files(
        &self,
        id: &SessionId,
        folder: Option<String>,
        top: Option<String>,
    ) -> Vec<ContextFile> {
        let named = self.named().get(id).cloned().unwrap_or_default();
        let look = move || {
            let home = || std::env::home_dir().unwrap_or_default();
            let folder = folder.map_or_else(home, PathBuf::from);
            let mut files = by_prompt(&folder, named.iter().rev().map(String::as_str));
            for file in by_convention(&folder, top.as_deref().map(Path::new)) {
                if files.iter().all(|other| other.path != file.path) {
                    files.push(file);
                }
            }
            files
        };
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }

    fn named(&self) -> MutexGuard<'_, HashMap<SessionId, Vec<String>>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
