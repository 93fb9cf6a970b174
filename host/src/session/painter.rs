//! Makes snapshots of the screen off the hot path: on a blocking thread, if one is requested or the
//! screen has much to catch up on.

use std::sync::{Arc, Weak};
use std::time::Duration;

use moorline_shared::control::Fork;
use moorline_shared::frame::{Frame, FrameError};
use moorline_shared::id::Seq;
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::session::Size;

use super::{HostedState, Session};
use crate::publisher::QueryId;
use crate::queries::Query;
use crate::screen::{CATCH_UP_BYTES, Screen};

/// Idle time after which an emulator's memory is freed.
const PARK_AFTER: Duration = Duration::from_secs(5);

/// The screen of one session, and the requests to its emulator.
pub(crate) struct SessionPainter {
    screen: Screen,
    wanted: bool,
    /// True if queries wait for answers of the emulator.
    answers_wanted: bool,
    /// True if a task paints, or waits for its turn.
    started: bool,
    /// The number of times that the emulator ran.
    rounds: u64,
}

impl SessionPainter {
    /// Creates an empty screen.
    pub(crate) fn new(size: Size) -> Self {
        Self {
            screen: Screen::new(size),
            wanted: false,
            answers_wanted: false,
            started: false,
            rounds: 0,
        }
    }

    /// Creates the screen that a fork begins with. Takes CPU time: call it where blocking is
    /// allowed.
    ///
    /// # Errors
    /// [`FrameError`] if the fork begins before the first entry.
    pub(crate) fn forked(fork: &Fork, size: Size) -> Result<Self, FrameError> {
        let painter = Self::new(size);
        if let Some(snapshot) = &fork.snapshot {
            painter.screen.restore(snapshot);
        }
        for output in &fork.output {
            for data in output.0.chunks(FRAME_DATA_BYTES) {
                painter.screen.push(&Frame::copy(fork.seq(), data)?);
            }
            if painter.screen.pending_bytes() > CATCH_UP_BYTES {
                painter.screen.catch_up();
            }
        }
        painter.screen.push(&Frame::copy(fork.seq(), &[])?);
        painter.screen.resize(size);
        Ok(painter)
    }

    /// Queues output, with the queries in it and the offset at which each ends.
    pub(super) fn push(&mut self, frame: &Frame, asked: Vec<(usize, QueryId, Query)>) {
        self.screen.push_asking(frame, asked);
    }

    /// Counts an entry without output.
    pub(super) fn count(&self, seq: Seq) {
        match Frame::copy(seq, &[]) {
            Ok(frame) => self.screen.push(&frame),
            Err(error) => tracing::error!(%error, "an entry has no number"),
        }
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.screen.resize(size);
    }

    pub(super) const fn want(&mut self) {
        self.wanted = true;
    }

    pub(super) const fn want_answers(&mut self) {
        self.answers_wanted = true;
    }

    pub(super) fn pending_bytes(&self) -> u64 {
        self.screen.pending_bytes() as u64
    }

    pub(super) const fn is_idle(&self) -> bool {
        !self.wanted && !self.started
    }

    fn is_due(&self) -> bool {
        self.wanted || self.answers_wanted || self.screen.pending_bytes() > CATCH_UP_BYTES
    }
}

impl std::fmt::Debug for SessionPainter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { wanted, started, rounds, .. } = self;
        write!(f, "Painter {{ wanted: {wanted}, started: {started}, rounds: {rounds} }}")
    }
}

/// Starts a task if there is something to paint and no task runs.
pub(super) fn start(session: &Arc<Session>, state: &mut HostedState) {
    if let Some(painter) = state.view.painter()
        && painter.is_due()
        && !painter.started
    {
        painter.started = true;
        tokio::spawn(paint(Arc::clone(session)));
    }
}

async fn paint(session: Arc<Session>) {
    while let Some((screen, wanted)) = next(&session) {
        // The permit is held for one round only, so that sessions take turns.
        let Ok(turn) = session.painters.acquire().await else { return };
        let work = move || {
            let snapshot = wanted.then(|| screen.snapshot());
            if !wanted {
                screen.catch_up();
            }
            (snapshot, screen.take_answers())
        };
        let snapshot = tokio::task::spawn_blocking(work).await;
        drop(turn);
        let mut state = session.lock();
        match snapshot {
            Ok((snapshot, answers)) => {
                for (id, answer) in answers {
                    state.publisher.answered(id, answer);
                }
                if snapshot.is_some() {
                    state.publisher.snapshot(snapshot);
                }
            }
            Err(error) => {
                tracing::error!(%error, "the screen could not be painted");
                let size = state.publisher.size();
                if let Some(painter) = state.view.painter() {
                    painter.screen = Screen::new(size);
                }
                state.publisher.snapshot(None);
                state.publisher.unanswerable();
            }
        }
        state.settle();
        session.room.notify_one();
    }
    let weak = Arc::downgrade(&session);
    // The link may only have waited for the last snapshot.
    session.changed.notify_one();
    drop(session);
    park(weak).await;
}

/// Returns the screen to paint now, and true if a snapshot is requested. `None` ends the task.
fn next(session: &Arc<Session>) -> Option<(Screen, bool)> {
    let mut state = session.lock();
    let painter = state.view.painter()?;
    painter.started = painter.is_due();
    painter.rounds += u64::from(painter.started);
    let wanted = std::mem::take(&mut painter.wanted);
    painter.answers_wanted = false;
    painter.started.then(|| (painter.screen.clone(), wanted))
}

async fn park(session: Weak<Session>) {
    let state_of_rest = || {
        let session = session.upgrade()?;
        let mut state = session.lock();
        let painter = state.view.painter()?;
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
