//! What hosts say that they have, and what this relay takes them to have.

use std::sync::Arc;
use std::time::Duration;

use moorline_core::directory::Change;
use moorline_shared::control::{Hello, Hosted, local_host};
use moorline_shared::id::{HostId, SessionId};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{InMemory, Known, Registry};
use crate::clock::wall_ms;
use crate::hosts::Seat;
use crate::session::SessionHandle;
use crate::store::StoreError;

/// Time that a host which publishes an unknown session gets to say hello.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);

/// A session that a host is starting.
#[derive(Debug)]
pub(super) struct Starting {
    pub(super) host: HostId,
    pub(super) handle: Arc<SessionHandle>,
    /// Sent to if a hello says that it was started: the answer was lost with the host's link.
    pub(super) started: Option<oneshot::Sender<Hosted>>,
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
    /// A host has connected and says what it has. Sessions that it no longer has are lost, and unknown ones are listed
    /// from now on. Returns what the host is to forget, too.
    pub fn greet(self: &Arc<Self>, id: &HostId, hello: &Hello) -> (Seat, Vec<SessionId>) {
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
            tracing::warn!(%session, "lost: its host does not have it any longer");
            change.rows.extend(self.lose(&session).rows);
        }
        let seat = self.hosts.arrived(id);
        // Whoever asks reads memory.
        drop(self.services.writer.run(move |store| store.write_change(&change)));
        self.services.listing.send_replace(());
        (seat, greeting.forget)
    }

    /// A session's host does not have it any longer. Returns what is to be stored.
    fn lose(&self, id: &SessionId) -> Change {
        let handle = self.known().handle(id);
        if let Some(handle) = handle {
            // It stores its own row.
            handle.lose();
            return Change::default();
        }
        let change = self.known().directory.lose(id).unwrap_or_default();
        self.apply(change.clone());
        change
    }

    /// A host has gone away.
    pub fn host_left(&self, id: &HostId) {
        let change = self.known().directory.host_left(id, wall_ms()).unwrap_or_default();
        self.apply(change.clone());
        drop(self.services.writer.run(move |store| store.write_change(&change)));
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

    /// A session that is published stays in memory.
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

impl Known {
    fn is_known(&self, id: &SessionId) -> bool {
        self.directory.contains(id) || self.starting.contains_key(id)
    }

    /// Answers those who wait for a start whose answer was lost with the host's link.
    fn answer_starts(&mut self, id: &HostId, hello: &Hello) {
        for hosted in &hello.sessions {
            let starting = self.starting.get_mut(&hosted.session_id);
            let starting = starting.filter(|starting| starting.host == *id);
            if let Some(started) = starting.and_then(|starting| starting.started.take()) {
                // Whoever waited may have given up.
                let _ = started.send(hosted.clone());
            }
        }
    }
}
