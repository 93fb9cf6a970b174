//! Sessions that begin as a copy of another session's log.

use std::sync::Arc;

use moorline_core::api::ApiError;
use moorline_core::directory::Reservation;
use moorline_core::fork::{ForkTail, last_copied};
use moorline_core::session::AgentDocument;
use moorline_shared::control::Fork;
use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::limits::{FORK_TOO_FAR, SEGMENT_BYTES};
use moorline_shared::log::Entry;
use moorline_shared::message::Snapshot;
use moorline_shared::rest::ForkSession;
use moorline_shared::session::ForkedFrom;
use moorline_shared::session::Size;

use super::start::{ReservedId, new_id};
use super::{Registry, restore};
use crate::clock::wall_ms;
use crate::session::{Services, SessionHandle};
use crate::store::{LogCopy, SessionRecord, StoreError};

impl Registry {
    /// Starts a session from the source's spec, on a copy of its log up to `wanted.seq`, or to the newest entry.
    ///
    /// # Errors
    /// As [`Registry::start_by`], `bad_request` if the entry does not exist, or `trimmed`. Nothing was
    /// started.
    pub async fn fork(
        self: &Arc<Self>,
        source: &Arc<SessionHandle>,
        wanted: ForkSession,
    ) -> Result<(Arc<SessionHandle>, ForkedFrom), ApiError> {
        let id = new_id()?;
        let draft = {
            let mut known = self.known();
            known.refresh(source.id());
            known.directory.draft_fork(source.id(), &wanted, id, wall_ms())?
        };
        let (from, agent) = {
            let state = source.lock();
            let log = state.session.log();
            let seq = last_copied(wanted.seq, log.head())?;
            let from = ForkedFrom { session_id: source.id().clone(), epoch: log.epoch(), seq };
            (from, state.session.agent_at(seq))
        };
        let (reserved, mut reservation) = self.reserve(draft).await?;
        reservation.record.head = from.seq;
        reservation.record.epoch = Epoch(wall_ms());
        let was = reservation.record.size;
        let size =
            Size { cols: wanted.cols.unwrap_or(was.cols), rows: wanted.rows.unwrap_or(was.rows) };
        let (registry, source) = (Arc::clone(self), Arc::clone(source));
        // The requester may disconnect halfway: a session is started completely or not at all.
        let forked = tokio::spawn(async move {
            let fork = (reserved, reservation, size);
            let handle = registry.start_fork(&source, fork, &from, agent).await?;
            Ok((handle, from))
        });
        forked.await.unwrap_or_else(|panicked| Err(ApiError::internal(&panicked)))
    }

    async fn start_fork(
        self: &Arc<Self>,
        source: &Arc<SessionHandle>,
        (reserved, mut reservation, size): (ReservedId, Reservation, Size),
        from: &ForkedFrom,
        agent: AgentDocument,
    ) -> Result<Arc<SessionHandle>, ApiError> {
        let record = reservation.record.clone();
        let Ok(_turn) = self.forks.acquire().await else {
            return Err(ApiError::unavailable("the relay is shutting down"));
        };
        self.wait_until_stored(source, from.seq).await?;
        let begun = async {
            let fork = self.copy(&record, from, agent).await?;
            let handle = self.forked(&record).await?;
            reservation.record.size = size;
            self.start(reserved, reservation, &handle, Some(fork)).await?;
            Ok(handle)
        };
        let begun = begun.await;
        if begun.is_err() {
            self.forget_copy(record.id).await;
        }
        begun
    }

    /// Waits until the source is stored up to `seq`, as only stored entries can be copied.
    async fn wait_until_stored(
        &self,
        source: &Arc<SessionHandle>,
        seq: Seq,
    ) -> Result<(), StoreError> {
        let is_stored = || {
            let state = source.lock();
            // The copy of a deleted source finds no entries.
            state.session.durable() >= seq || state.session.is_deleted()
        };
        while !is_stored() {
            if self.services.writer.failure().is_some() {
                return Err(StoreError::Closed);
            }
            // The writer stores sessions between two jobs, so this waits for one round.
            self.services.writer.run(|_| Ok(())).await?;
        }
        Ok(())
    }

    /// Copies the source's log, and returns what the fork's host gets: a snapshot, and the log
    /// after it.
    async fn copy(
        &self,
        record: &SessionRecord,
        from: &ForkedFrom,
        agent: AgentDocument,
    ) -> Result<Fork, ApiError> {
        let (source, epoch, copy) = (from.session_id.clone(), from.epoch, record.clone());
        let stored = agent.clone();
        let copied = self.services.writer.run(move |store| {
            store.transaction(|store| {
                let copied = store.copy_log(&source, epoch, &copy)?;
                store.put_agent(&copy.id, &stored)?;
                Ok(copied)
            })
        });
        let seq = from.seq;
        let snapshot = match copied.await? {
            LogCopy::Copied(snapshot) => snapshot,
            LogCopy::Trimmed => {
                let error = format!("too many entries before {seq} are gone: choose a later one");
                return Err(ApiError::trimmed(error));
            }
            LogCopy::TooFar => return Err(ApiError::trimmed(FORK_TOO_FAR)),
        };
        let (services, record, from) = (Arc::clone(&self.services), record.clone(), from.clone());
        let read = move || {
            let tail = tail_of(&services, &record, snapshot)?;
            Ok(tail.finish(record.epoch, from, &agent))
        };
        let fork = tokio::task::spawn_blocking(read).await;
        fork.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    async fn forked(&self, record: &SessionRecord) -> Result<Arc<SessionHandle>, ApiError> {
        let (services, row) = (Arc::clone(&self.services), record.clone());
        let load = move || services.read(|store| restore(store, row));
        let loaded = tokio::task::spawn_blocking(load).await.unwrap_or(Err(StoreError::Closed));
        Ok(SessionHandle::restored(Arc::clone(&self.services), loaded?))
    }

    async fn forget_copy(&self, id: SessionId) {
        let removed = self
            .services
            .writer
            .run(move |store| store.transaction(|store| store.delete_session(&id)));
        if let Err(error) = removed.await {
            tracing::error!(%error, "the copy of a log was left behind");
        }
    }
}

/// Returns the part of a stored log that its host gets. Blocks.
fn tail_of(
    services: &Services,
    record: &SessionRecord,
    snapshot: Option<Snapshot>,
) -> Result<ForkTail, ApiError> {
    let mut after = snapshot.as_ref().map_or(Seq::ZERO, |snapshot| snapshot.seq);
    let mut tail = ForkTail::new(&record.driver, snapshot);
    while after < record.head {
        let entries = services
            .read(|store| store.load(&record.id, record.epoch, after, SEGMENT_BYTES as u64))?;
        after = entries.last().map(Entry::seq).ok_or(StoreError::Closed)?;
        entries.iter().try_for_each(|entry| tail.push(entry))?;
    }
    Ok(tail)
}
