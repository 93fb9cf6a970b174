//! Renaming, moving and removing sessions.

use std::sync::Arc;

use moorline_shared::control::ToHost;
use moorline_shared::event::{Event, kind};
use moorline_shared::id::{HostId, ProjectId, SessionId};
use serde_json::json;

use super::{Known, Registry, Slot};
use crate::clock::wall_ms;
use crate::session::SessionHandle;
use crate::store::{SessionRecord, Store, StoreError};

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
    /// Gives a session another name; `None` for the one that is made of its command.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing has changed.
    pub async fn rename(
        self: &Arc<Self>,
        id: &SessionId,
        name: Option<String>,
    ) -> Result<(), ChangeError> {
        let id = id.clone();
        self.store_first(move |registry, store| {
            let mut row = registry.known().slot(&id)?.record();
            row.name.clone_from(&name);
            store.rename_session(&row)?;
            registry.known().slot(&id)?.rename(name);
            Ok(())
        })
        .await
    }

    /// A session belongs to this project from now on.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing has changed.
    pub async fn move_to(
        self: &Arc<Self>,
        id: &SessionId,
        project: Option<ProjectId>,
    ) -> Result<(), ChangeError> {
        let id = id.clone();
        self.store_first(move |registry, store| {
            let mut row = registry.known().movable(&id, project.as_ref())?;
            row.project.clone_from(&project);
            store.move_session(&row)?;
            registry.known().slot(&id)?.move_to(project.as_ref());
            Ok(())
        })
        .await
    }

    /// Ends and forgets a session, here and, now or when it is back, on its host. False where there
    /// is none with this id.
    ///
    /// # Errors
    /// [`StoreError`] where its rows could not be removed: it goes on.
    pub async fn delete(self: &Arc<Self>, id: &SessionId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.store_first(move |registry, store| {
            let host = match registry.known().slots.get(&id) {
                Some(slot) => slot.host(),
                None => return Ok(false),
            };
            store.transaction(|store| {
                store.delete_session(&id)?;
                host.as_ref().map_or(Ok(()), |host| store.put_deleted(&id, host, wall_ms()))
            })?;
            registry.forget(&id, host.as_ref());
            if let Err(error) = store.give_back_space() {
                tracing::debug!(%error, "the database's file stays as large as it is");
            }
            Ok(true)
        })
        .await
    }

    /// Runs `change` on the writer's thread, where nothing else is stored meanwhile. It stores the
    /// change before it makes it: what cannot be stored does not happen, and what is answered is kept.
    pub(super) async fn store_first<T, E>(
        self: &Arc<Self>,
        change: impl FnOnce(&Arc<Self>, &mut Store) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let registry = Arc::clone(self);
        let changed = self.services.writer.run(move |store| Ok(change(&registry, store)));
        let changed = changed.await?;
        if changed.is_ok() {
            self.list_changed();
        }
        changed
    }

    /// Ends a session whose rows are gone.
    fn forget(&self, id: &SessionId, host: Option<&HostId>) {
        let (slot, parent) = {
            let mut known = self.known();
            let Some(slot) = known.slots.remove(id) else { return };
            if let Some(host) = host {
                known.deleted.insert(id.clone(), host.clone());
            }
            let parent = known.beside.remove(id);
            (slot, parent.and_then(|parent| known.slots.get(&parent)?.handle()))
        };
        if let Some(handle) = slot.handle() {
            handle.delete();
        }
        if let Some(host) = host {
            self.hosts.tell(host, ToHost::Forget { session_id: id.clone() });
        }
        if let Some(parent) = parent {
            tell_closed(&parent, id);
        }
        tracing::info!(session = %id, "deleted");
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

    /// The row of a session that can belong to this project. Who asks for a session that is not there
    /// is told so first.
    fn movable(
        &mut self,
        id: &SessionId,
        project: Option<&ProjectId>,
    ) -> Result<SessionRecord, ChangeError> {
        let record = self.slot(id)?.record();
        match project {
            Some(project) if !self.projects.contains_key(project) => {
                Err(ChangeError::NoSuchProject(project.clone()))
            }
            _ => Ok(record),
        }
    }
}

impl Slot {
    /// The session's row as it is now.
    fn record(&self) -> SessionRecord {
        match self {
            Self::Running(handle) => handle.record(),
            Self::Stored { record, opened } => {
                opened.upgrade().map_or_else(|| (**record).clone(), |handle| handle.record())
            }
        }
    }

    fn rename(&mut self, name: Option<String>) {
        if let Some(handle) = self.handle() {
            handle.rename(name.clone());
        }
        if let Self::Stored { record, .. } = self {
            record.name = name;
        }
    }

    pub(super) fn move_to(&mut self, project: Option<&ProjectId>) {
        if let Some(handle) = self.handle() {
            handle.move_to(project.cloned());
        }
        if let Self::Stored { record, .. } = self {
            record.project = project.cloned();
        }
    }
}
