//! Hosts' reports of their sessions, and the relay's conclusions from them.

use std::sync::Arc;
use std::time::Duration;

use moorline_core::directory::Change;
use moorline_shared::control::{Hello, Hosted, local_host};
use moorline_shared::id::{HostId, SessionId};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{InMemory, Registry, RegistryState};
use crate::clock::wall_ms;
use crate::hosts::HostLease;
use crate::session::SessionHandle;
use crate::store::StoreError;

/// Time allowed for a host that publishes an unknown session to say hello.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);

/// A session that a host is starting.
#[derive(Debug)]
pub(super) struct StartingSession {
    pub(super) host: HostId,
    pub(super) handle: Arc<SessionHandle>,
    /// Receives the session if a hello reports it as started: the answer was lost with the host's
    /// link.
    pub(super) started: Option<oneshot::Sender<Hosted>>,
}

/// The reason that a session cannot be published here.
#[derive(Debug, thiserror::Error)]
pub enum NotPublishing {
    /// The session is unknown or was deleted. The control link says which.
    #[error("the session {0} does not exist")]
    Unknown(SessionId),
    /// The session belongs to another host.
    #[error("the session {0} belongs to another host")]
    Another(SessionId),
    /// The session's log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Registry {
    /// Takes a host's hello. Sessions that it no longer has are marked as lost, and unknown ones are listed.
    /// Returns the host's seat, and the sessions that the host is to forget.
    pub fn greet(self: &Arc<Self>, id: &HostId, hello: &Hello) -> (HostLease, Vec<SessionId>) {
        let greeting = {
            let mut known = self.known();
            known.answer_starts(id, hello);
            known.refresh_all();
            known.directory.greet(id, hello, wall_ms())
        };
        greeting.adopted.iter().for_each(|record| tracing::info!(session = %record.id, "adopted"));
        let mut change = greeting.change;
        self.apply(change.clone());
        for session in greeting.lost {
            tracing::warn!(%session, "lost: its host no longer has it");
            change.rows.extend(self.lose(&session).rows);
        }
        let seat = self.hosts.arrived(id);
        // Not awaited: readers are served from memory.
        drop(self.services.writer.run(move |store| store.write_change(&change)));
        self.services.listing.send_replace(());
        (seat, greeting.forget)
    }

    /// Lists a session that a host has opened of its own accord, unless it is known.
    pub fn adopt(&self, host: &HostId, hosted: &Hosted) {
        let (id, now_ms) = (&hosted.session_id, wall_ms());
        let change = self.known().directory.adopt(host, hosted, now_ms);
        let Some(change) = change else { return };
        tracing::info!(session = %id, "adopted");
        self.apply(change.clone());
        let reported = self.known().directory.opened(id, now_ms);
        reported.into_iter().for_each(|effect| self.carry_out(effect));
        // Not awaited: readers are served from memory.
        drop(self.services.writer.run(move |store| store.write_change(&change)));
        self.services.listing.send_replace(());
        self.hosts.changed();
    }

    /// Marks a session as lost: its host no longer has it. Returns the change to store.
    fn lose(&self, id: &SessionId) -> Change {
        let handle = self.known().handle(id);
        if let Some(handle) = handle {
            // A session in memory stores its own row.
            handle.lose();
            return Change::default();
        }
        let change = self.known().directory.lose(id).unwrap_or_default();
        self.apply(change.clone());
        change
    }

    /// Marks a host as disconnected.
    pub fn host_left(&self, id: &HostId) {
        let change = self.known().directory.host_left(id, wall_ms()).unwrap_or_default();
        self.apply(change.clone());
        drop(self.services.writer.run(move |store| store.write_change(&change)));
    }

    /// Returns the session that a host is about to publish, in memory. `host` is the relay's own
    /// host if that is the caller: no other host may publish its sessions.
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
        if self.known().directory.deleted_from(id).is_some() {
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

    /// Keeps a published session in memory.
    fn keep_running(self: &Arc<Self>, id: &SessionId, handle: &Arc<SessionHandle>) {
        let mut known = self.known();
        let is_listed = known.directory.contains(id);
        if is_listed && !matches!(known.in_memory.get(id), Some(InMemory::Running(_))) {
            known.in_memory.insert(id.clone(), InMemory::Running(Arc::clone(handle)));
            drop(known);
            tokio::spawn(Arc::clone(self).retire(id.clone(), Arc::clone(handle)));
        }
    }
}

impl RegistryState {
    fn is_known(&self, id: &SessionId) -> bool {
        self.directory.contains(id) || self.starting.contains_key(id)
    }

    /// Completes starts whose answer was lost with the host's link.
    fn answer_starts(&mut self, id: &HostId, hello: &Hello) {
        for hosted in &hello.sessions {
            let starting = self.starting.get_mut(&hosted.session_id);
            let starting = starting.filter(|starting| starting.host == *id);
            if let Some(started) = starting.and_then(|starting| starting.started.take()) {
                // The receiver may have given up.
                let _ = started.send(hosted.clone());
            }
        }
    }
}
