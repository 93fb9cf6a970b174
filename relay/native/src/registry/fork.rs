//! Sessions that begin as a copy of another session's log.

use std::sync::Arc;

use moorline_core::api::ApiError;
use moorline_core::directory::Reservation;
use moorline_host::screen::Screen;
use moorline_shared::control::Fork;
use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::limits::SEGMENT_BYTES;
use moorline_shared::log::Entry;
use moorline_shared::message::Snapshot;
use moorline_shared::rest::ForkSession;
use moorline_shared::session::ForkedFrom;
use moorline_shared::session::Size;

use super::start::{ReservedId, new_id};
use super::{Registry, restore};
use crate::clock::wall_ms;
use crate::session::{Services, SessionHandle};
use crate::store::{SessionRecord, StoreError};

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
        let from = {
            let state = source.lock();
            let log = state.session.log();
            let seq = wanted.seq.unwrap_or(log.head());
            if seq == Seq::ZERO || seq > log.head() {
                let head = log.head();
                let error = format!("the entry {seq} does not exist: the log has 1 to {head}");
                return Err(ApiError::bad_request(error));
            }
            ForkedFrom { session_id: source.id().clone(), epoch: log.epoch(), seq }
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
            let handle = registry.start_fork(&source, fork, &from).await?;
            Ok((handle, from))
        });
        forked.await.unwrap_or_else(|panicked| Err(ApiError::internal(&panicked)))
    }

    async fn start_fork(
        self: &Arc<Self>,
        source: &Arc<SessionHandle>,
        (reserved, mut reservation, size): (ReservedId, Reservation, Size),
        from: &ForkedFrom,
    ) -> Result<Arc<SessionHandle>, ApiError> {
        let record = reservation.record.clone();
        let Ok(_turn) = self.forks.acquire().await else {
            return Err(ApiError::unavailable("the relay is shutting down"));
        };
        self.wait_until_stored(source, from.seq).await?;
        let begun = async {
            let snapshot = self.copy(&record, from).await?;
            let handle = self.forked(&record).await?;
            let (epoch, from, snapshot) = (record.epoch, from.clone(), Some(snapshot));
            // The snapshot was painted at the source's size. The new size applies from here on.
            reservation.record.size = size;
            let fork = Fork { epoch, from, snapshot, output: Vec::new() };
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

    /// Stores the fork's log and the snapshot of its screen.
    async fn copy(&self, record: &SessionRecord, from: &ForkedFrom) -> Result<Snapshot, ApiError> {
        let (source, epoch, copy) = (from.session_id.clone(), from.epoch, record.clone());
        let copied = self
            .services
            .writer
            .run(move |store| store.transaction(|store| store.copy_log(&source, epoch, &copy)));
        let copied = copied.await?.ok_or_else(|| {
            let seq = from.seq;
            ApiError::trimmed(format!("too many entries before {seq} are gone: choose a later one"))
        })?;
        let snapshot = self.paint(record.clone(), copied.snapshot).await?;
        let (id, epoch, painted) = (record.id.clone(), record.epoch, snapshot.clone());
        let stored =
            self.services.writer.run(move |store| store.put_snapshot(&id, epoch, &painted));
        stored.await?;
        Ok(snapshot)
    }

    async fn paint(
        &self,
        record: SessionRecord,
        base: Option<Snapshot>,
    ) -> Result<Snapshot, StoreError> {
        let Ok(turn) = self.services.painters.acquire().await else {
            return Err(StoreError::Closed);
        };
        let services = Arc::clone(&self.services);
        let painted = tokio::task::spawn_blocking(move || paint(&services, &record, base.as_ref()));
        let painted = painted.await.unwrap_or(Err(StoreError::Closed));
        drop(turn);
        painted
    }

    async fn forked(&self, record: &SessionRecord) -> Result<Arc<SessionHandle>, ApiError> {
        let (services, row) = (Arc::clone(&self.services), record.clone());
        let load = move || services.read(|store| restore(store, &row));
        let loaded = tokio::task::spawn_blocking(load).await.unwrap_or(Err(StoreError::Closed));
        Ok(SessionHandle::restored(Arc::clone(&self.services), record.clone(), loaded?))
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

/// Paints the screen after the last stored entry, some entries at a time. Blocks.
fn paint(
    services: &Services,
    record: &SessionRecord,
    base: Option<&Snapshot>,
) -> Result<Snapshot, StoreError> {
    let screen = Screen::new(record.size);
    if let Some(base) = base {
        screen.restore(base);
    }
    let (id, epoch): (&SessionId, Epoch) = (&record.id, record.epoch);
    let mut painted = base.map_or(Seq::ZERO, |base| base.seq);
    while painted < record.head {
        let entries =
            services.read(|store| store.load(id, epoch, painted, SEGMENT_BYTES as u64))?;
        let Some(last) = entries.last().map(Entry::seq) else { return Err(StoreError::Closed) };
        for entry in entries {
            if let Entry::Output(frame) = entry {
                screen.push(&frame);
            }
        }
        screen.catch_up();
        painted = last;
    }
    Ok(Snapshot { seq: record.head, ..screen.snapshot() })
}
