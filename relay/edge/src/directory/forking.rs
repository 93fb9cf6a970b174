//! Sessions that begin as a copy of another one's log.

use std::rc::Rc;

use http::StatusCode;
use moorline_core::api::{check_size, name};
use moorline_core::plan;
use moorline_shared::control::Fork;
use moorline_shared::id::{Epoch, SessionId};
use moorline_shared::rest::{Created, ForkSession};

use super::creating::Plan;
use super::{Directory, now_ms};
use crate::asking;
use crate::internal::{FORK, ForkSource};
use crate::reply::{Answer, json};

impl Directory {
    /// Starts what a session was started with again, on its log up to an entry.
    pub(super) async fn fork(self: &Rc<Self>, id: &SessionId, wanted: ForkSession) -> Answer {
        check_size(wanted.cols, wanted.rows)?;
        let again = self.again(id, name(wanted.name.as_deref())?, "fork")?;
        let again = plan::sized(again, wanted.cols, wanted.rows);
        let mut plan = self.plan(again, None)?;
        plan.record.epoch = Epoch(now_ms());
        let source = asking::session(&self.env, id)?;
        let forked = self.whole(move |directory| async move {
            let Plan { record, host, claim, .. } = plan;
            let wanted = ForkSource { seq: wanted.seq, record: record.clone() };
            let fork: Fork = match asking::ask(&source, FORK, &wanted).await {
                Ok(fork) => fork,
                Err(failure) => {
                    directory.discard(&record.id).await;
                    return Err(failure);
                }
            };
            let from = fork.from.clone();
            let summary = directory.start_on(record, &host, None, Some(fork)).await;
            drop(claim);
            Ok((summary?, from))
        });
        let (session, from) = forked.await?;
        let session_id = session.session_id.clone();
        let created = Created { success: true, session_id, session, forked_from: Some(from) };
        json(StatusCode::CREATED, &created)
    }
}
