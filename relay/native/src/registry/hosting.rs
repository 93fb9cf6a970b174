//! What hosts say that they have, and what this relay takes them to have.

use std::sync::{Arc, Weak};
use std::time::Duration;

use moorline_shared::control::{Hello, Hosted, local_host};
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::rest::HostList;
use moorline_shared::session::Lifecycle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Known, Registry, Slot};
use crate::clock::wall_ms;
use crate::hosts::Seat;
use crate::session::SessionHandle;
use crate::store::{SessionRecord, StoreError};
use moorline_core::meeting::Meeting;
use moorline_core::plan::adopted;

/// A host that publishes a session which is not known here is about to say hello.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);

/// A session that a host is starting.
#[derive(Debug)]
pub(super) struct Starting {
    pub(super) host: HostId,
    pub(super) handle: Arc<SessionHandle>,
    /// Told where a hello says that it was started: the answer was lost with its link.
    pub(super) told: Option<oneshot::Sender<Hosted>>,
}

/// Why a session cannot be published here.
#[derive(Debug, thiserror::Error)]
pub enum NotPublishing {
    /// It is not known, or was deleted: the control link tells which.
    #[error("there is no session {0}")]
    Unknown(SessionId),
    /// It is another host's.
    #[error("the session {0} is another host's")]
    Another(SessionId),
    /// Its log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Registry {
    /// A host is here, and has these sessions: those that it has no more are lost, and those that
    /// are not known here are from now on. Returns what it is to forget, too.
    pub fn greet(self: &Arc<Self>, id: &HostId, hello: &Hello) -> (Seat, Vec<SessionId>) {
        let (forget, forgotten, lost) = {
            let mut known = self.known();
            known.tell_started(id, hello);
            let Meeting { adopt, forget, forgotten, lost } = known.meet(id, hello);
            self.store_all(known.adopt(id, &adopt));
            forgotten.iter().for_each(|session| drop(known.deleted.remove(session)));
            (forget, forgotten, known.lose(&lost))
        };
        for record in lost.into_iter().filter_map(|lost| lost.tell()) {
            tracing::warn!(session = %record.id, "lost: its host has it no more");
            self.store_all(vec![record]);
        }
        let (seat, record) = self.hosts.arrived(id, hello);
        // Whoever asks for a host's row reads memory.
        drop(self.services.writer.run(move |store| {
            forgotten.iter().try_for_each(|session| store.remove_deleted(session))?;
            store.put_host(&record)
        }));
        self.list_changed();
        (seat, forget)
    }

    /// The session that a host is about to publish, in memory. `host` is the relay's own, where that
    /// asks: nobody else publishes its sessions.
    ///
    /// # Errors
    /// [`NotPublishing`].
    pub async fn publishing(
        self: &Arc<Self>,
        id: &SessionId,
        host: Option<&HostId>,
    ) -> Result<Arc<SessionHandle>, NotPublishing> {
        let mut hosts = self.hosts.subscribe();
        let known_by_then =
            async { while !self.known().is_known(id) && hosts.changed().await.is_ok() {} };
        if self.known().deleted.contains_key(id) {
            return Err(NotPublishing::Unknown(id.clone()));
        }
        if timeout(HELLO_PATIENCE, known_by_then).await.is_err() {
            return Err(NotPublishing::Unknown(id.clone()));
        }
        let starting = self.known().starting.get(id).map(|it| (it.host.clone(), it.handle.clone()));
        let (owner, handle) = match starting {
            Some((owner, handle)) => (Some(owner), handle),
            None => {
                let handle = self.get(id).await?;
                let handle = handle.ok_or_else(|| NotPublishing::Unknown(id.clone()))?;
                (handle.record().host, handle)
            }
        };
        let is_ours = self.hosts.has_local() && owner == Some(local_host());
        if is_ours != host.is_some() {
            return Err(NotPublishing::Another(id.clone()));
        }
        self.keep_running(id, &handle);
        Ok(handle)
    }

    /// A session that is published stays in memory.
    fn keep_running(self: &Arc<Self>, id: &SessionId, handle: &Arc<SessionHandle>) {
        let mut known = self.known();
        if let Some(slot @ Slot::Stored { .. }) = known.slots.get_mut(id) {
            *slot = Slot::Running(Arc::clone(handle));
            drop(known);
            tokio::spawn(Arc::clone(self).retire(id.clone(), Arc::clone(handle)));
        }
    }

    fn store_all(&self, records: Vec<SessionRecord>) {
        for record in records {
            // The order of the calls is that of the writes.
            drop(self.services.writer.run(move |store| store.put_session(&record)));
        }
    }

    /// All hosts, as the API tells of them.
    #[must_use]
    pub fn host_list(&self) -> HostList {
        let owners: Vec<_> = {
            let known = self.known();
            known.slots.values().filter(|slot| !slot.is_over()).filter_map(Slot::host).collect()
        };
        let count = |id: &HostId| owners.iter().filter(|owner| *owner == id).count();
        self.hosts.list(count)
    }
}

/// A session that its host has no more.
enum Lost {
    InMemory(Arc<SessionHandle>),
    Stored(Box<SessionRecord>),
}

impl Lost {
    /// Tells its clients, or gives the row that must be stored.
    fn tell(self) -> Option<SessionRecord> {
        match self {
            Self::InMemory(handle) => {
                handle.lose();
                None
            }
            Self::Stored(record) => Some(*record),
        }
    }
}

impl Known {
    fn is_known(&self, id: &SessionId) -> bool {
        self.slots.contains_key(id) || self.starting.contains_key(id)
    }

    fn tell_started(&mut self, id: &HostId, hello: &Hello) {
        for hosted in &hello.sessions {
            let starting = self.starting.get_mut(&hosted.session_id);
            let starting = starting.filter(|starting| starting.host == *id);
            if let Some(told) = starting.and_then(|starting| starting.told.take()) {
                // Whoever waited may have given up.
                let _ = told.send(hosted.clone());
            }
        }
    }

    fn meet<'h>(&self, id: &HostId, hello: &'h Hello) -> Meeting<'h> {
        for session in hello.sessions.iter().map(|hosted| &hosted.session_id) {
            if self.slots.get(session).is_some_and(|slot| slot.host().as_ref() != Some(id)) {
                tracing::warn!(%session, "another host has a session with this id");
            }
        }
        let of_host = self.deleted.iter().filter(|(_, host)| *host == id);
        let deleted = of_host.map(|(session, _)| session.clone()).collect();
        let is_known = |session: &SessionId| {
            self.is_known(session)
                || self.busy.contains(session)
                || self.deleted.contains_key(session)
        };
        Meeting::of(hello, is_known, self.running_on(id), deleted)
    }

    /// Registers what is not known here; returns its rows.
    fn adopt(&mut self, id: &HostId, hosted: &[&Hosted]) -> Vec<SessionRecord> {
        let mut rows = Vec::new();
        for hosted in hosted {
            let mut record = adopted(id, hosted, wall_ms());
            tracing::info!(session = %record.id, "adopted");
            record.project = record.project.filter(|id| self.projects.contains_key(id));
            rows.push(record.clone());
            let session = record.id.clone();
            let slot = Slot::Stored { record: Box::new(record), opened: Weak::new() };
            self.slots.insert(session, slot);
        }
        rows
    }

    /// A host has these no more.
    fn lose(&mut self, sessions: &[SessionId]) -> Vec<Lost> {
        let mut lost = Vec::new();
        for session in sessions {
            let Some(slot) = self.slots.get_mut(session) else { continue };
            if let Slot::Stored { record, .. } = slot {
                record.lifecycle = Lifecycle::Lost;
            }
            lost.push(match (slot.handle(), slot) {
                (Some(handle), _) => Lost::InMemory(handle),
                (None, Slot::Stored { record, .. }) => Lost::Stored(record.clone()),
                (None, Slot::Running(_)) => continue,
            });
        }
        lost
    }
}

impl Slot {
    /// What runs it.
    pub(super) fn host(&self) -> Option<HostId> {
        match self {
            Self::Running(handle) => handle.record().host,
            Self::Stored { record, .. } => record.host.clone(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Running(handle) => handle.lock().session.lifecycle().is_over(),
            Self::Stored { record, .. } => record.lifecycle.is_over(),
        }
    }
}
