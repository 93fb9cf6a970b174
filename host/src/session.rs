//! One session that runs here: a publisher over what its driver puts out, behind a lock, and the tasks
//! that wait for what it waits for.
//!
//! The lock is held for moments only and never across an await. Whoever changed something calls
//! [`Guard::settle`]: it gives input to the driver, does what the publisher asks for, starts what must be
//! done elsewhere, and wakes the link.

mod events;
mod input;
mod link;
mod output;
mod painter;
mod view;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_shared::control::Hosted;
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::session::ForkedFrom;
use moorline_shared::session::Size;
use tokio::sync::{Notify, Semaphore};

use crate::driver::{SessionControl, StartedSession};
use crate::publisher::{Publisher, Task};
use view::View;

pub(crate) use link::LinkEnd;
pub(crate) use painter::Painter;

/// A session that runs here, or has ended and is not durable at its relay.
#[derive(Debug)]
pub(crate) struct Session {
    hosted: Hosted,
    /// A permit for each screen of the host that may be painted at a time.
    painters: Arc<Semaphore>,
    state: Mutex<State>,
    /// The link may have something to send, or be over.
    changed: Notify,
    /// The driver may be read again.
    room: Notify,
}

/// What the lock guards.
#[derive(Debug)]
struct State {
    publisher: Publisher,
    control: Arc<dyn SessionControl>,
    view: View,
    /// A task waits for the publisher's timeout.
    is_patient: bool,
    /// The folder of the last status.
    cwd: Option<String>,
    /// Waiting until the driver takes input.
    input: TaskState,
    /// The open link is to be closed: its relay sent more input than it may.
    cuts_link: bool,
    /// Nobody wants its log any more: it is not kept.
    abandoned: bool,
}

/// Something that a task of its own does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TaskState {
    No,
    Due,
    Started,
}

impl TaskState {
    fn ask(&mut self) {
        if *self == Self::No {
            *self = Self::Due;
        }
    }

    /// Whether to start it now; once.
    fn start(&mut self) -> bool {
        let due = *self == Self::Due;
        if due {
            *self = Self::Started;
        }
        due
    }
}

impl Session {
    /// Takes over a session that was just started. For a fork, `fork` is where its log comes from, with
    /// the screen at that point.
    pub(crate) fn start(
        hosted: Hosted,
        fork: Option<(ForkedFrom, Painter)>,
        painters: Arc<Semaphore>,
        started: StartedSession,
    ) -> Arc<Self> {
        let StartedSession { output, control, snapshots, .. } = started;
        let (epoch, size) = (hosted.epoch, hosted.facts.size);
        let (from, painter) = match fork {
            None => (None, Painter::new(size)),
            Some((from, painter)) => (Some(from), painter),
        };
        let begin = from.as_ref().map_or(Seq::ZERO, |from| from.seq);
        let state = State {
            publisher: Publisher::starting_after(epoch, begin, size),
            control,
            view: View::new(snapshots, painter),
            is_patient: false,
            cwd: None,
            input: TaskState::No,
            cuts_link: false,
            abandoned: false,
        };
        let session = Arc::new(Self {
            hosted,
            painters,
            state: Mutex::new(state),
            changed: Notify::new(),
            room: Notify::new(),
        });
        session.record_begin(from.as_ref());
        tokio::spawn(Arc::clone(&session).follow(output));
        session
    }

    pub(crate) const fn id(&self) -> &SessionId {
        &self.hosted.session_id
    }

    /// What a relay that knows nothing of it is told.
    pub(crate) const fn hosted(&self) -> &Hosted {
        &self.hosted
    }

    /// Ends it, as a closed terminal window does.
    pub(crate) fn close(self: &Arc<Self>) {
        self.lock().control.close();
    }

    /// Ends it, and keeps nothing of what it puts out from now on.
    pub(crate) fn abandon(self: &Arc<Self>) {
        let mut state = self.lock();
        state.abandoned = true;
        state.control.close();
        state.settle();
        self.room.notify_one();
    }

    fn lock(self: &Arc<Self>) -> Guard<'_> {
        // What panicked under the lock has left the machines between two entries at worst.
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Guard { session: self, state }
    }
}

/// The lock's guard.
#[derive(Debug)]
struct Guard<'a> {
    session: &'a Arc<Session>,
    state: MutexGuard<'a, State>,
}

impl Deref for Guard<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Guard<'_> {
    /// Carries out what follows from a change, lets go, and wakes the link.
    fn settle(mut self) {
        let session = self.session;
        let state = &mut *self.state;
        state.carry_out();
        input::start_tasks(session, state);
        painter::start(session, state);
        drop(self);
        session.changed.notify_one();
    }
}

impl State {
    fn carry_out(&mut self) {
        self.write_input();
        while let Some(task) = self.publisher.poll_task() {
            match task {
                Task::Appended(seq) => self.view.count(seq),
                Task::Resize(size) => self.resize(size),
                Task::MakePicture => self.want_snapshot(),
                Task::Answer => self.view.want_answers(),
                Task::Close => self.control.close(),
                Task::CutLink => self.cuts_link = true,
            }
        }
    }

    fn resize(&mut self, size: Size) {
        self.view.resize(size);
        if let Err(error) = self.control.resize(size) {
            tracing::debug!(%error, "the terminal could not be resized");
        }
    }
}
