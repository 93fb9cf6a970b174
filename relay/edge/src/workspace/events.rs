//! `GET /api/workspaces/:id/events`: the changes of a workspace's files, live.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream;
use moorline_core::events::RETRY_MS;
use moorline_core::routes;
use moorline_core::workspace::WorkspaceEvents;
use moorline_shared::id::WorkspaceId;
use moorline_shared::limits::HEARTBEAT;
use moorline_shared::sse;
use worker::{Delay, Request, console_error};

use super::{WorkspaceState, may_still, workspace};
use crate::abort_guard::AbortGuard;
use crate::internal::Caller;
use crate::reply::{self, Answer};

pub(super) fn open(
    state: &Rc<WorkspaceState>,
    incoming: &routes::Request,
    request: &Request,
) -> Answer {
    let (id, since) = (incoming.workspace()?, routes::since(incoming)?);
    let events = WorkspaceEvents::open(since, &reply::headers(request.headers()));
    let is_here = Rc::new(Cell::new(true));
    let (left, ringing) = (Rc::clone(&is_here), Rc::clone(state));
    let leaving = AbortGuard::watch(request, move || {
        left.set(false);
        ringing.changed.ring();
    });
    let caller = Caller::of(request)?;
    let live = LiveFiles { state: Rc::clone(state), id, events, caller, is_here, seen: None };
    let chunks = stream::unfold((live, leaving), |(mut live, leaving)| async {
        let chunk = live.next().await?;
        Some((chunk.into_bytes(), (live, leaving)))
    });
    reply::event_stream(chunks)
}

struct LiveFiles {
    state: Rc<WorkspaceState>,
    id: WorkspaceId,
    events: WorkspaceEvents,
    caller: Caller,
    is_here: Rc<Cell<bool>>,
    /// The bell's count at the last look; `None` before the first.
    seen: Option<u64>,
}

impl LiveFiles {
    /// The next bytes to send; `None` once the reader has left or may not read any more.
    async fn next(&mut self) -> Option<String> {
        let Some(mut seen) = self.seen else {
            return Some(sse::encode_retry(RETRY_MS) + &self.look()?);
        };
        while self.is_here.get() {
            let is_changed = {
                let changed = pin!(self.state.changed.after(seen));
                let wait = Delay::from(HEARTBEAT.min(self.left()));
                matches!(select(changed, wait).await, Either::Left(_))
            };
            if !self.is_here.get() || !may_still(&self.state.env, &self.caller).await {
                return None;
            }
            if !is_changed {
                return Some(sse::HEARTBEAT.to_owned());
            }
            let told = self.look()?;
            if !told.is_empty() {
                return Some(told);
            }
            seen = self.seen.unwrap_or_default();
        }
        None
    }

    /// The time until the caller's token expires.
    fn left(&self) -> Duration {
        let at = self.caller.ends_at().map(|at| at.ms);
        at.map_or(HEARTBEAT, |at| Duration::from_millis(at.saturating_sub(super::now_ms())))
    }

    fn look(&mut self) -> Option<String> {
        self.seen = Some(self.state.changed.rung());
        let database = self.state.database();
        let database = database.inspect_err(|error| console_error!("{error}")).ok()?;
        let told = self.events.look(workspace(&*database, &self.id));
        told.inspect_err(|error| console_error!("{error}")).ok()
    }
}
