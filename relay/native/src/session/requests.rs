//! Events appended to a session, and input written to it, on behalf of the API.

use std::sync::Arc;

use bytes::Bytes;
use moorline_shared::event::Event;
use moorline_shared::id::{Epoch, ProjectId, Seq};
use moorline_shared::log::Entry;
use moorline_shared::publish::{RequestId, WriteAnswer, WriteRefused};

use super::SessionHandle;
use crate::store::StoreError;
use moorline_core::record;

/// Limit of the bytes loaded of a stored log at a time.
const LOAD_BYTES: u64 = 512 * 1024;

impl SessionHandle {
    /// Types `data`, and appends `event` when the session accepts it.
    ///
    /// # Errors
    /// [`WriteRefused`]: nothing was typed.
    pub async fn write(
        self: &Arc<Self>,
        data: Bytes,
        event: Option<Event>,
    ) -> Result<(), WriteRefused> {
        let mut changed = self.subscribe();
        let waiting = WaitingWrite { session: self, request: self.ask_to_write(data, event)? };
        loop {
            if let Some(answer) = waiting.answer() {
                return answer;
            }
            // The sender belongs to this handle, so this cannot fail.
            let _ = changed.changed().await;
        }
    }

    fn ask_to_write(
        self: &Arc<Self>,
        data: Bytes,
        event: Option<Event>,
    ) -> Result<RequestId, WriteRefused> {
        let mut state = self.lock();
        let request = state.session.write(data, event, WriteAnswer::Queued)?;
        state.active();
        state.settle();
        Ok(request)
    }

    /// Appends an event to the log. Does nothing if the host is away.
    pub fn append(self: &Arc<Self>, event: Event) {
        let mut state = self.lock();
        state.session.append(event);
        state.settle();
    }

    /// Renames the session. `None` makes its id its name.
    pub fn rename(self: &Arc<Self>, name: Option<String>) {
        let mut state = self.lock();
        state.record.name = name;
        let called = record::name(&state.record);
        state.session.rename(called);
        state.storing.record_changed();
        state.settle();
    }

    /// Moves the session to this project, or out of any with `None`.
    pub fn move_to(self: &Arc<Self>, project: Option<ProjectId>) {
        let mut state = self.lock();
        state.record.project = project;
        state.storing.record_changed();
        state.settle();
        self.services().listing.send_replace(());
    }

    /// Returns stored entries after `after`, oldest first, up to a limit of bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stored_entries(
        self: &Arc<Self>,
        epoch: Epoch,
        after: Seq,
    ) -> Result<Vec<Entry>, StoreError> {
        let handle = Arc::clone(self);
        let load =
            move || handle.services.read(|store| store.load(&handle.id, epoch, after, LOAD_BYTES));
        tokio::task::spawn_blocking(load).await.unwrap_or(Err(StoreError::Closed))
    }
}

/// A request that somebody waits for. Dropping it forgets the request.
struct WaitingWrite<'a> {
    session: &'a Arc<SessionHandle>,
    request: RequestId,
}

impl WaitingWrite<'_> {
    fn answer(&self) -> Option<Result<(), WriteRefused>> {
        let mut state = self.session.lock();
        let answer = state.session.written(self.request);
        answer.or_else(|| state.session.is_deleted().then_some(Err(WriteRefused::Ended)))
    }
}

impl Drop for WaitingWrite<'_> {
    fn drop(&mut self) {
        self.session.lock().session.forget_request(self.request);
    }
}
