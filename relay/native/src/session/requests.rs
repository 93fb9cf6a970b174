//! Input written to a session on behalf of the API, and entries read from its store.

use std::sync::Arc;

use bytes::Bytes;
use moorline_core::action::ActionRefused;
use moorline_core::api::ApiError;
use moorline_core::plan::ANSWER_PATIENCE;
use moorline_core::routes::{ActionRequest, Reply};
use moorline_shared::event::Event;
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::log::Entry;
use moorline_shared::publish::{RequestId, WriteAnswer, WriteRefused};
use tokio::sync::watch;

use super::SessionHandle;
use crate::clock::wall_ms;
use crate::store::StoreError;

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
        self.change(|session| {
            let request = session.write(data, event, WriteAnswer::Queued)?;
            session.note_activity(wall_ms());
            Ok(request)
        })
    }

    /// Answers a request once what it asks for is stored.
    ///
    /// # Errors
    /// The error of the request, or `not_stored` if the store takes too long. Then it may still be
    /// carried out.
    pub async fn act(self: &Arc<Self>, mut request: ActionRequest) -> Result<Reply, ApiError> {
        let mut changed = self.subscribe();
        let answered = async {
            loop {
                if let Some(answer) = self.poll_action(&mut request, &mut changed) {
                    return answer;
                }
                // The sender belongs to this handle, so this cannot fail.
                let _ = changed.changed().await;
            }
        };
        let late = ApiError::not_accepted(ActionRefused::NotStored, self.id());
        tokio::time::timeout(ANSWER_PATIENCE, answered).await.unwrap_or(Err(late))
    }

    /// Polls a request. Wakes the readers if it has changed something.
    fn poll_action(
        self: &Arc<Self>,
        request: &mut ActionRequest,
        changed: &mut watch::Receiver<()>,
    ) -> Option<Result<Reply, ApiError>> {
        let mut state = self.lock();
        let before = state.session.action_revision();
        let answer = request.poll(&mut state.session, wall_ms());
        state.settle_for_one();
        if state.session.action_revision() != before {
            self.wake();
        }
        // Whatever changes after this needs the lock first, and wakes this request then.
        changed.mark_unchanged();
        answer
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
        self.session.lock().session.written(self.request)
    }
}

impl Drop for WaitingWrite<'_> {
    fn drop(&mut self) {
        self.session.lock().session.forget_request(self.request);
    }
}
