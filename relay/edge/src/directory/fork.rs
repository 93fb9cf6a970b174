//! Sessions that begin as a copy of another one's log.

use std::rc::Rc;

use moorline_core::routes::forked;
use moorline_shared::control::Fork;
use moorline_shared::id::{Epoch, SessionId};
use moorline_shared::rest::ForkSession;

use super::start::new_id;
use super::{DirectoryState, now_ms};
use crate::internal::{FORK, ForkSource};
use crate::object_client;
use crate::reply::{self, Answer};

impl DirectoryState {
    /// Starts a session from another one's spec, on a copy of its log up to an entry.
    pub(super) async fn fork(self: &Rc<Self>, source: &SessionId, wanted: ForkSession) -> Answer {
        let id = new_id()?;
        let draft = self.ask(|directory| directory.draft_fork(source, &wanted, id, now_ms()))?;
        let (reserved, mut reservation) = self.reserve(draft)?;
        let record = &mut reservation.record;
        record.epoch = Epoch(now_ms());
        record.size.cols = wanted.cols.unwrap_or(record.size.cols);
        record.size.rows = wanted.rows.unwrap_or(record.size.rows);
        let source = object_client::session(&self.env, source)?;
        let started = self.to_completion(move |state| async move {
            let record = reservation.record.clone();
            let wanted = ForkSource { seq: wanted.seq, record: record.clone() };
            let fork: Fork = match object_client::ask(&source, FORK, &wanted).await {
                Ok(fork) => fork,
                Err(failure) => {
                    state.discard(&record.id).await;
                    return Err(failure);
                }
            };
            let from = fork.from.clone();
            let summary = state.start_on(reservation, Some(fork)).await;
            drop(reserved);
            Ok((summary?, from))
        });
        let (session, from) = started.await?;
        reply::answer(forked(session, from))
    }
}
