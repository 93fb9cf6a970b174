//! The session as a source for the store's thread.

use std::sync::Arc;

use moorline_core::session::{Batch, SessionInput};
use moorline_core::stored::SegmentRow;
use moorline_shared::id::SessionId;

use super::SessionHandle;
use crate::store::StoreSource;

impl StoreSource for SessionHandle {
    fn id(&self) -> &SessionId {
        &self.id
    }

    fn batch(self: Arc<Self>, bytes: usize) -> Option<Box<Batch>> {
        let now = self.services.clock.now();
        let mut state = self.lock();
        state.is_marked = false;
        state.session.handle(now, SessionInput::Timeout);
        state.session.store_batch(bytes)
    }

    fn stored(self: Arc<Self>, batch: Box<Batch>, rows: Vec<SegmentRow>) {
        self.store_answered(SessionInput::Stored { batch, rows });
    }

    fn failed(self: Arc<Self>) {
        self.store_answered(SessionInput::NotStored);
    }
}

impl SessionHandle {
    fn store_answered(self: &Arc<Self>, answer: SessionInput) {
        let now = self.services.clock.now();
        let mut state = self.lock();
        let before = state.session.action_revision();
        state.session.handle(now, answer);
        let has_outcome = state.session.action_revision() != before;
        state.settle_storing(has_outcome);
    }
}
