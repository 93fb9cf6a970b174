//! Renaming, moving and removing sessions.

use std::sync::Arc;

use moorline_shared::control::ToHost;
use moorline_shared::event::{Event, kind};
use moorline_shared::id::{ProjectId, SessionId};
use serde_json::json;

use super::creating::Claim;
use super::{Known, Registry, Slot};
use crate::native::clock::wall_ms;
use crate::native::session::SessionHandle;
use crate::native::store::{SessionRecord, StoreError};

/// Why a session was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is none with this id.
    #[error("there is no session {0}")]
    NotFound(SessionId),
    /// It is to belong to a project that is not there.
    #[error("there is no project {0}")]
    NoSuchProject(ProjectId),
    /// It is not stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Registry {
    /// Gives a session another name; `None` for its id.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn rename(&self, id: &SessionId, name: Option<String>) -> Result<(), ChangeError> {
        let stored = {
            let mut known = self.known();
            let row = known.slot(id)?.change(
                |record| record.name.clone_from(&name),
                |handle| handle.rename(name.clone()),
            );
            self.store(row)
        };
        self.list_changed();
        stored.await
    }

    /// A session belongs to this project from now on.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn move_to(
        &self,
        id: &SessionId,
        project: Option<ProjectId>,
    ) -> Result<(), ChangeError> {
        let stored = {
            let mut known = self.known();
            if let Some(project) = &project
                && !known.projects.contains_key(project)
            {
                // Who asks for a session that is not there is told so first.
                known.slot(id)?;
                return Err(ChangeError::NoSuchProject(project.clone()));
            }
            let row = known.slot(id)?.move_to(project.as_ref());
            self.store(row)
        };
        self.list_changed();
        stored.await
    }

    /// Stores a row, in the order of the calls.
    fn store(
        &self,
        row: Option<SessionRecord>,
    ) -> impl Future<Output = Result<(), ChangeError>> + use<> {
        let stored = row.map(|row| self.services.writer.run(move |store| store.put_session(&row)));
        async {
            match stored {
                Some(stored) => Ok(stored.await?),
                None => Ok(()),
            }
        }
    }

    /// Ends and forgets a session, here and, now or when it is back, on its host. False where there
    /// is none with this id.
    ///
    /// # Errors
    /// [`StoreError`] where its rows could not be removed.
    pub async fn delete(self: &Arc<Self>, id: &SessionId) -> Result<bool, StoreError> {
        let (slot, host, parent) = {
            let mut known = self.known();
            let Some(slot) = known.slots.remove(id) else { return Ok(false) };
            known.busy.insert(id.clone());
            let parent = known.beside.remove(id);
            let host = slot.host();
            if let Some(host) = &host {
                known.deleted.insert(id.clone(), host.clone());
            }
            (slot, host, parent.and_then(|parent| known.slots.get(&parent)?.handle()))
        };
        // Until its rows are gone no other session may have the id, even if who asked goes away.
        let claim = Claim::new(self, id.clone());
        if let Some(handle) = slot.handle() {
            handle.delete();
        }
        if let Some(host) = &host {
            self.hosts.tell(host, ToHost::Forget { session_id: id.clone() });
        }
        if let Some(parent) = parent {
            tell_closed(&parent, id);
        }
        self.list_changed();
        tracing::info!(session = %id, "deleted");
        let removed = self.services.writer.run(move |store| {
            let id = &claim.id;
            store.transaction(|store| {
                store.delete_session(id)?;
                host.map_or(Ok(()), |host| store.put_deleted(id, &host, wall_ms()))
            })?;
            store.give_back_space()
        });
        removed.await.map(|()| true)
    }
}

fn tell_closed(parent: &Arc<SessionHandle>, terminal: &SessionId) {
    let id = parent.summary().session_id;
    let fields = json!({ "terminalId": terminal });
    parent.append(Event::new(id, kind::TERMINAL_CLOSED, wall_ms(), fields));
}

impl Known {
    fn slot(&mut self, id: &SessionId) -> Result<&mut Slot, ChangeError> {
        self.slots.get_mut(id).ok_or_else(|| ChangeError::NotFound(id.clone()))
    }
}

impl Slot {
    /// Changes a session in memory, which sees to its row itself, or its row, which is returned.
    fn change(
        &mut self,
        change_record: impl FnOnce(&mut SessionRecord),
        change_handle: impl FnOnce(&Arc<SessionHandle>),
    ) -> Option<SessionRecord> {
        let handle = self.handle();
        if let Self::Stored { record, .. } = self {
            change_record(record);
            if handle.is_none() {
                return Some((**record).clone());
            }
        }
        if let Some(handle) = handle {
            change_handle(&handle);
        }
        None
    }

    pub(super) fn move_to(&mut self, project: Option<&ProjectId>) -> Option<SessionRecord> {
        self.change(
            |record| record.project = project.cloned(),
            |handle| handle.move_to(project.cloned()),
        )
    }
}
