//! Notes on sessions: files that prompts named, and the session beside which a terminal was opened.

use std::collections::HashMap;
use std::sync::Arc;

use moorline_shared::id::SessionId;

use super::Registry;
use crate::store::{BESIDE, Store, StoreError};
use moorline_core::named;

impl Registry {
    /// Adds files that a prompt named.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn name_files(&self, id: &SessionId, files: Vec<String>) -> Result<(), StoreError> {
        if files.is_empty() {
            return Ok(());
        }
        let id = id.clone();
        let noted = self.services.writer.run(move |store| {
            let mut kept = named_files(store, &id)?;
            named::add(&mut kept, files);
            let kept = serde_json::to_string(&kept).expect("texts always encode");
            store.put_note(&id, named::NOTE, &kept)
        });
        noted.await
    }

    /// Returns the files that prompts named, the latest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn named_files(self: &Arc<Self>, id: &SessionId) -> Result<Vec<String>, StoreError> {
        let (registry, id) = (Arc::clone(self), id.clone());
        let read = move || registry.services.read(|store| named_files(store, &id));
        let named = tokio::task::spawn_blocking(read).await.unwrap_or(Err(StoreError::Closed))?;
        Ok(named::newest_first(named))
    }
}

/// Returns the session beside which each terminal was opened.
pub(super) fn beside(store: &Store) -> Result<HashMap<SessionId, SessionId>, StoreError> {
    let notes = store.notes(BESIDE)?.into_iter();
    Ok(notes.filter_map(|(terminal, parent)| Some((terminal, parent.parse().ok()?))).collect())
}

fn named_files(store: &Store, id: &SessionId) -> Result<Vec<String>, StoreError> {
    let note = store.note(id, named::NOTE)?;
    // A note that cannot be parsed, such as another version's, counts as empty.
    Ok(note.and_then(|note| serde_json::from_str(&note).ok()).unwrap_or_default())
}
