//! `GET /api/events`: the list of sessions and projects, live.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream;
use moorline_core::events::RETRY_MS;
use moorline_core::overview::{OverviewStream, ROUND};
use moorline_shared::limits::HEARTBEAT;
use moorline_shared::rest::AuditKind;
use moorline_shared::sse;
use worker::{Delay, Request, console_error};

use super::{DirectoryState, now_ms};
use crate::abort_guard::AbortGuard;
use crate::internal::Caller;
use crate::reply::{self, Answer};

/// The path of the route.
const LIST_PATH: &str = "/api/events";

pub(super) fn open(directory: &Rc<DirectoryState>, request: &Request) -> Answer {
    let reader = Rc::new(OverviewReader::counted(directory, Caller::of(request)?));
    let left = Rc::clone(&reader);
    let leaving = AbortGuard::watch(request, move || left.leave());
    let live = OverviewConnection::of(reader);
    let chunks = stream::unfold((live, leaving), |(mut live, leaving)| async {
        let chunk = live.next().await?;
        Some((chunk.into_bytes(), (live, leaving)))
    });
    reply::event_stream(chunks)
}

/// A reader of the list, counted in the directory's `streams` until it leaves.
struct OverviewReader {
    directory: Rc<DirectoryState>,
    caller: Caller,
    /// When the reader's token expires, in milliseconds since 1970.
    ends_at: Cell<Option<u64>>,
    is_here: Cell<bool>,
}

impl OverviewReader {
    fn counted(directory: &Rc<DirectoryState>, caller: Caller) -> Self {
        directory.streams.set(directory.streams.get() + 1);
        let ends_at = Cell::new(caller.ends_at().map(|at| at.ms));
        Self { directory: Rc::clone(directory), caller, ends_at, is_here: Cell::new(true) }
    }

    /// Returns true if the reader may still read. A fault takes nobody's access away.
    fn may_read(&self) -> bool {
        match self.directory.still(&self.caller, None) {
            Ok(caller) => {
                let ends_at = caller.as_ref().and_then(Caller::ends_at);
                self.ends_at.set(ends_at.map(|at| at.ms));
                caller.is_some()
            }
            Err(failure) => {
                console_error!("a reader of the lists was not checked: {failure}");
                true
            }
        }
    }

    /// Counts the reader out, and wakes its stream so that it ends. All other streams wake too, for
    /// nothing.
    fn leave(&self) {
        if self.is_here.replace(false) {
            self.directory.streams.set(self.directory.streams.get().saturating_sub(1));
            self.directory.changed.ring();
        }
    }
}

impl Drop for OverviewReader {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The stream to one reader.
struct OverviewConnection {
    reader: Rc<OverviewReader>,
    stream: OverviewStream,
    is_open: bool,
    /// The bell's count when the list was last read.
    seen: u64,
    looked_ms: u64,
    said_ms: u64,
}

impl OverviewConnection {
    fn of(reader: Rc<OverviewReader>) -> Self {
        Self {
            reader,
            stream: OverviewStream::default(),
            is_open: false,
            seen: 0,
            looked_ms: 0,
            said_ms: 0,
        }
    }

    /// The next bytes to send; `None` once the reader has left.
    async fn next(&mut self) -> Option<String> {
        let chunk = if self.is_open {
            self.wait_for_change().await?
        } else {
            self.is_open = true;
            sse::encode_retry(RETRY_MS) + &self.look()
        };
        self.said_ms = now_ms();
        Some(chunk)
    }

    async fn wait_for_change(&mut self) -> Option<String> {
        while self.reader.is_here.get() {
            let access = self.reader.ends_at.get();
            let access = access.map(|at| Duration::from_millis(at.saturating_sub(now_ms())));
            let silence = until(self.said_ms, HEARTBEAT);
            let wait = access.map_or(silence, |access| silence.min(access));
            let is_changed = {
                let changed = pin!(self.reader.directory.changed.after(self.seen));
                matches!(select(changed, Delay::from(wait)).await, Either::Left(_))
            };
            if !self.reader.may_read() {
                let caller = &self.reader.caller;
                self.reader.directory.record(&caller.event_of(AuditKind::Cut, LIST_PATH, None));
                return None;
            }
            if !is_changed {
                return Some(sse::HEARTBEAT.to_owned());
            }
            Delay::from(until(self.looked_ms, ROUND)).await;
            let told = self.look();
            if !told.is_empty() {
                return Some(told);
            }
        }
        None
    }

    fn look(&mut self) -> String {
        self.seen = self.reader.directory.changed.rung();
        self.looked_ms = now_ms();
        let access = &self.reader.caller.grant.access;
        match self.reader.directory.ask(|directory| Ok(directory.overview(access))) {
            Ok(overview) => self.stream.update(overview),
            Err(failure) => {
                console_error!("the list cannot be read: {failure}");
                String::new()
            }
        }
    }
}

/// Time left of a wait that began at `since_ms`.
fn until(since_ms: u64, wait: Duration) -> Duration {
    wait.saturating_sub(Duration::from_millis(now_ms().saturating_sub(since_ms)))
}
