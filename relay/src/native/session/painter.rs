//! Pictures of the screen, made off the hot path: on a blocking thread, when one is wanted or when
//! the screen has much to catch up with.

use std::sync::{Arc, Weak};
use std::time::Duration;

use moorline_host::screen::{CATCH_UP_BYTES, Screen};
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::log::{Entry, Log};
use moorline_shared::message::Snapshot;
use moorline_shared::session::Size;

use super::{SessionHandle, State};

/// An emulator that nobody needed for this long gives its memory back.
const PARK_AFTER: Duration = Duration::from_secs(5);

/// The screen of one session.
pub(super) struct Painter {
    screen: Screen,
    wanted: bool,
    /// A task waits for its turn, or paints.
    started: bool,
    /// How often the emulator ran.
    rounds: u64,
}

impl Painter {
    pub(super) fn new(size: Size) -> Self {
        Self { screen: Screen::new(size), wanted: false, started: false, rounds: 0 }
    }

    /// A screen that shows a picture.
    pub(super) fn after(picture: &Snapshot, size: Size) -> Self {
        let painter = Self::new(size);
        painter.screen.restore(picture);
        painter.screen.resize(size);
        painter
    }

    pub(super) fn push(&mut self, frame: &Frame) {
        self.screen.push(frame);
    }

    /// An entry without output.
    pub(super) fn count(&self, seq: Seq) {
        match Frame::copy(seq, &[]) {
            Ok(frame) => self.screen.push(&frame),
            Err(error) => tracing::error!(%error, "an event has no number"),
        }
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.screen.resize(size);
    }

    pub(super) const fn want(&mut self) {
        self.wanted = true;
    }

    pub(super) fn pending_bytes(&self) -> u64 {
        self.screen.pending_bytes() as u64
    }

    pub(super) const fn is_idle(&self) -> bool {
        !self.wanted && !self.started
    }

    fn is_due(&self) -> bool {
        self.wanted || self.screen.pending_bytes() > CATCH_UP_BYTES
    }
}

impl std::fmt::Debug for Painter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { wanted, started, rounds, .. } = self;
        write!(f, "Painter {{ wanted: {wanted}, started: {started}, rounds: {rounds} }}")
    }
}

/// Starts a task where there is something to paint and none is started.
pub(super) fn start(handle: &Arc<SessionHandle>, state: &mut State) {
    let Some(painter) = state.host.as_mut().map(|host| &mut host.painter) else { return };
    if painter.is_due() && !painter.started {
        painter.started = true;
        tokio::spawn(paint(Arc::clone(handle)));
    }
}

async fn paint(handle: Arc<SessionHandle>) {
    while let Some((screen, wanted)) = next(&handle) {
        // Held for one round, so that sessions take turns.
        let Ok(turn) = handle.services.painters.acquire().await else { return };
        let work = move || {
            if wanted {
                return Some(screen.snapshot());
            }
            screen.catch_up();
            None
        };
        let picture = tokio::task::spawn_blocking(work).await;
        drop(turn);
        let mut state = handle.lock();
        if let Some(host) = state.host.as_mut() {
            match picture {
                Ok(None) => {}
                Ok(picture) => host.publisher.picture(picture),
                Err(error) => {
                    tracing::error!(%error, "the screen could not be painted");
                    host.painter.screen = Screen::new(host.publisher.size());
                    host.publisher.picture(None);
                }
            }
        }
        state.settle();
        handle.room.notify_one();
    }
    let weak = Arc::downgrade(&handle);
    // The host may have stayed only for its last picture.
    handle.lock().settle();
    drop(handle);
    park(weak).await;
}

/// What is to be painted now; `None` ends the task.
fn next(handle: &Arc<SessionHandle>) -> Option<(Screen, bool)> {
    let mut state = handle.lock();
    let painter = &mut state.host.as_mut()?.painter;
    painter.started = painter.is_due();
    painter.rounds += u64::from(painter.started);
    let wanted = std::mem::take(&mut painter.wanted);
    painter.started.then(|| (painter.screen.clone(), wanted))
}

async fn park(handle: Weak<SessionHandle>) {
    let state_of_rest = || {
        let handle = handle.upgrade()?;
        let state = handle.lock();
        let painter = &state.host.as_ref()?.painter;
        painter.is_idle().then(|| (painter.rounds, painter.screen.clone()))
    };
    let Some((rounds, _)) = state_of_rest() else { return };
    tokio::time::sleep(PARK_AFTER).await;
    if let Some((rounds_now, screen)) = state_of_rest()
        && rounds_now == rounds
    {
        let parked = tokio::task::spawn_blocking(move || screen.park()).await;
        if let Err(error) = parked {
            tracing::error!(%error, "the screen could not be parked");
        }
    }
}

/// The screen after a log's last entry, for a session whose host is gone. Blocks.
#[must_use]
pub fn paint_history(picture: Option<&Snapshot>, log: &Log, size: Size) -> Snapshot {
    let screen = Screen::new(size);
    if let Some(picture) = picture {
        screen.restore(picture);
    }
    let mut pending = 0;
    for entry in log.after(picture.map(|picture| picture.seq).unwrap_or_default()) {
        if let Entry::Output(frame) = entry {
            screen.push(frame);
            pending += frame.data_len();
        }
        if pending > CATCH_UP_BYTES {
            screen.catch_up();
            pending = 0;
        }
    }
    Snapshot { seq: log.head(), ..screen.snapshot() }
}
