//! One session that runs here: a publisher over a terminal, behind a lock, and the tasks that wait
//! for what it waits for.
//!
//! The lock is held for moments only and never across an await. Whoever changed something calls
//! [`Guard::settle`]: it writes input to the terminal, does what the publisher asks for, starts
//! what must be done elsewhere, and wakes the link.

mod events;
mod link;
mod output;
mod painter;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_shared::control::Hosted;
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::rest::ForkedFrom;
use moorline_shared::session::Size;
use tokio::sync::{Notify, Semaphore};

use crate::driver::pty::{Pty, PtyWriter};
use crate::marks::{Marks, ShellState, this_host};
use crate::publisher::{Publisher, Task};
use crate::queries::Queries;

pub(crate) use link::LinkEnd;
pub(crate) use painter::Painter;

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    hosted: Hosted,
    /// A permit for each screen of the host that may be painted at a time.
    painters: Arc<Semaphore>,
    state: Mutex<State>,
    /// The link may have something to send, or be over.
    changed: Notify,
    /// The terminal may be read again.
    room: Notify,
    /// It was asked once more who has the terminal.
    renewed: Arc<Notify>,
}

/// What the lock guards.
#[derive(Debug)]
struct State {
    publisher: Publisher,
    terminal: PtyWriter,
    painter: Painter,
    marks: Marks,
    queries: Queries,
    /// A task waits for the publisher's timeout.
    is_patient: bool,
    /// What the session's shell says of itself.
    shell: ShellState,
    /// Waiting until the terminal takes input.
    input: TaskState,
    hang_up: TaskState,
    /// Looking who has the terminal.
    foreground: Watch,
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

/// Something that a task of its own does for as long as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watch {
    No,
    Due,
    Started {
        /// It was asked for since the task last looked.
        renewed: bool,
    },
}

impl Watch {
    fn ask(&mut self) {
        *self = match self {
            Self::No | Self::Due => Self::Due,
            Self::Started { .. } => Self::Started { renewed: true },
        };
    }

    /// Whether to start it now; once.
    fn start(&mut self) -> bool {
        let due = *self == Self::Due;
        if due {
            *self = Self::Started { renewed: false };
        }
        due
    }

    /// Whether it was asked for since [`Watch::take_renewed`] was last called.
    fn is_renewed(self) -> bool {
        self == Self::Started { renewed: true }
    }

    /// Whether it was asked for since this was last called.
    fn take_renewed(&mut self) -> bool {
        std::mem::replace(self, Self::Started { renewed: false }) == Self::Started { renewed: true }
    }
}

impl Session {
    /// A session whose process was just started, and where its log comes from with the screen at
    /// that point, where it is a fork. Follows the terminal.
    pub(crate) fn start(
        hosted: Hosted,
        fork: Option<(ForkedFrom, Painter)>,
        painters: Arc<Semaphore>,
        pty: Pty,
    ) -> Arc<Self> {
        let Pty { reader, writer: terminal, .. } = pty;
        let (epoch, size) = (hosted.epoch, hosted.facts.size);
        let (from, painter) = match fork {
            None => (None, Painter::new(size)),
            Some((from, painter)) => (Some(from), painter),
        };
        let begin = from.as_ref().map_or(Seq::ZERO, |from| from.seq);
        let publisher = Publisher::starting_after(epoch, begin, size);
        let state = State {
            publisher,
            terminal: terminal.clone(),
            painter,
            marks: Marks::new(),
            queries: Queries::new(),
            is_patient: false,
            shell: ShellState::new(this_host(), terminal.pid()),
            input: TaskState::No,
            hang_up: TaskState::No,
            foreground: Watch::No,
            cuts_link: false,
            abandoned: false,
        };
        let session = Arc::new(Self {
            hosted,
            painters,
            state: Mutex::new(state),
            changed: Notify::new(),
            room: Notify::new(),
            renewed: Arc::default(),
        });
        session.tell_begin(from.as_ref());
        tokio::spawn(Arc::clone(&session).follow(reader, terminal));
        tokio::spawn(output::look_after_start(Arc::downgrade(&session)));
        session
    }

    /// Its id.
    pub(crate) const fn id(&self) -> &SessionId {
        &self.hosted.session_id
    }

    /// What a relay that knows nothing of it is told.
    pub(crate) const fn hosted(&self) -> &Hosted {
        &self.hosted
    }

    /// Ends the process, as a closed terminal window does.
    pub(crate) fn hang_up(self: &Arc<Self>) {
        let mut state = self.lock();
        state.hang_up.ask();
        state.settle();
    }

    /// Ends the process, and keeps nothing of what it puts out from now on.
    pub(crate) fn abandon(self: &Arc<Self>) {
        let mut state = self.lock();
        state.abandoned = true;
        state.hang_up.ask();
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
        output::start_tasks(session, state);
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
                Task::Appended(seq) => self.painter.count(seq),
                Task::Resize(size) => self.resize(size),
                Task::MakePicture => self.painter.want(),
                Task::Answer => self.painter.want_answers(),
                Task::Close => self.hang_up.ask(),
                Task::CutLink => self.cuts_link = true,
            }
        }
    }

    fn resize(&mut self, size: Size) {
        self.painter.resize(size);
        if let Err(error) = self.terminal.resize(size) {
            tracing::debug!(%error, "the terminal could not be resized");
        }
    }
}
