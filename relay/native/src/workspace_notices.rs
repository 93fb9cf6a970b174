//! Who waits for changes of workspaces.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_shared::id::WorkspaceId;
use tokio::sync::watch;

/// Tells who waits that a workspace has changed.
#[derive(Debug, Default)]
pub struct WorkspaceNotices(Mutex<BTreeMap<WorkspaceId, watch::Sender<()>>>);

impl WorkspaceNotices {
    /// Returns what is notified of every change of a workspace from now on, and when it is deleted.
    #[must_use]
    pub fn subscribe(&self, id: &WorkspaceId) -> watch::Receiver<()> {
        let mut senders = self.senders();
        // Those that nobody waits for any more would never go otherwise.
        senders.retain(|_, sender| !sender.is_closed());
        senders.entry(id.clone()).or_default().subscribe()
    }

    /// Notifies everyone who waits for a change of a workspace.
    pub fn changed(&self, id: &WorkspaceId) {
        if let Some(sender) = self.senders().get(id) {
            sender.send_replace(());
        }
    }

    fn senders(&self) -> MutexGuard<'_, BTreeMap<WorkspaceId, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
