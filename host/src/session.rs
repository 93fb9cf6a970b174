//! One running session: a publisher of its driver's output, behind a lock, and the tasks that wait
//! on its behalf.
//!
//! The lock is only held for moments, and never across an await. Code that changes the state calls
//! [`StateGuard::settle`], which gives input to the driver, carries out the publisher's tasks, starts
//! other work in tasks of its own, and wakes the link.

mod approvals;
mod events;
mod input;
mod journal;
mod link;
mod output;
mod painter;
#[cfg(test)]
mod simulation;
mod view;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use moorline_shared::agent::action::ActionNumber;
use moorline_shared::change::{ChangesAnswer, ChangesQuestion};
use moorline_shared::control::Hosted;
use moorline_shared::fold::Conversation;
use moorline_shared::id::{ApprovalId, Seq, SessionId};
use moorline_shared::session::ForkedFrom;
use moorline_shared::session::Size;
use moorline_shared::tmux::{TmuxAnswer, TmuxQuestion};
use tokio::sync::{Notify, Semaphore};

use crate::approvals::RuleBook;
use crate::driver::{SessionControl, SnapshotSource, StartedSession, Survival};
use crate::journal::Journal;
use crate::publisher::{Publisher, PublisherTask};
use approvals::HostedApprovals;
use journal::SessionJournal;
use view::SnapshotView;

pub(crate) use approvals::{PendingApproval, SessionBehind};
pub(crate) use link::LinkEnd;
pub(crate) use painter::SessionPainter;

/// A session that runs here, or has ended but is not yet durable at its relay.
#[derive(Debug)]
pub(crate) struct Session {
    hosted: Hosted,
    /// Has a permit for each screen that the host may paint at the same time.
    painters: Arc<Semaphore>,
    /// What becomes of it if its host ends.
    survival: Survival,
    state: Mutex<HostedState>,
    /// Notified when the link may have something to send, or be over.
    changed: Notify,
    /// Notified when the driver may be read again.
    room: Notify,
}

/// What a forked session continues.
#[derive(Debug)]
pub(crate) struct SessionOrigin {
    /// The origin of the log.
    pub(crate) from: ForkedFrom,
    /// The screen; empty for an agent.
    pub(crate) painter: SessionPainter,
    /// The conversation, for an agent.
    pub(crate) conversation: Option<Conversation>,
    /// The approvals that were open.
    pub(crate) open: Vec<ApprovalId>,
}

/// What all sessions of a host share.
#[derive(Debug, Clone)]
pub(crate) struct SessionServices {
    /// Has a permit for each screen that the host may paint at the same time.
    pub(crate) painters: Arc<Semaphore>,
    /// The rules about approvals.
    pub(crate) book: Arc<RuleBook>,
    /// The journal, if there is one.
    pub(crate) journal: Option<Arc<Journal>>,
}

/// The part of a session that its lock guards.
#[derive(Debug)]
struct HostedState {
    publisher: Publisher,
    control: Arc<dyn SessionControl>,
    view: SnapshotView,
    /// The session's part of the journal, if it outlives its host.
    journal: Option<SessionJournal>,
    approvals: HostedApprovals,
    /// The last action that an earlier host had begun, until the driver has told what follows from
    /// the actions up to it.
    restored_action: Option<ActionNumber>,
    /// True while a task waits for the publisher's timeout.
    is_patient: bool,
    /// The folder in the last status.
    cwd: Option<String>,
    /// The task that waits until the driver takes input.
    input: TaskState,
    /// True if the open link must be closed, because its relay sent more input than allowed.
    cuts_link: bool,
    /// True if nobody needs the log any more, so that it is not kept.
    abandoned: bool,
}

/// The state of work that a task of its own does.
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

    /// Returns true once if the task is due and must be started now.
    fn start(&mut self) -> bool {
        let due = *self == Self::Due;
        if due {
            *self = Self::Started;
        }
        due
    }
}

impl Session {
    /// Takes over a session that was just started. If it outlives its host, it is written to the
    /// journal.
    pub(crate) fn start(
        hosted: Hosted,
        fork: Option<SessionOrigin>,
        services: SessionServices,
        started: StartedSession,
    ) -> Arc<Self> {
        let StartedSession { output, control, snapshots, survival, .. } = started;
        let (epoch, size) = (hosted.epoch, hosted.facts.size);
        let (from, painter, conversation) = match fork {
            None => (None, SessionPainter::new(size), None),
            Some(SessionOrigin { from, painter, conversation, open }) => {
                (Some((from, open)), painter, conversation)
            }
        };
        let begin = from.as_ref().map_or(Seq::ZERO, |(from, _)| from.seq);
        let mut publisher = Publisher::starting_after(epoch, begin, size);
        let SessionServices { painters, book, journal } = services;
        if let Some(journal) = journal.as_ref().filter(|_| survival == Survival::Reopened) {
            journal::remember(journal, &hosted, &publisher, &*control);
        }
        let journal = journal.filter(|_| survival == Survival::Journaled);
        let journal = journal.map(SessionJournal::new);
        if journal.is_some() {
            publisher.begin_journal();
        }
        if snapshots == SnapshotSource::Mirror {
            publisher.fix_size();
        }
        if control.confirms_input() {
            publisher.await_confirmations();
        }
        let view = SnapshotView::new(snapshots, painter, conversation.unwrap_or_default());
        let approvals = HostedApprovals::new(book);
        let state = HostedState::new(publisher, control, view, journal, approvals);
        let session = Self::with(hosted, state, painters, survival);
        session.record_begin(from);
        {
            let mut state = session.lock();
            session.begin_journal(&mut state);
            state.settle();
        }
        tokio::spawn(Arc::clone(&session).follow(output));
        session
    }

    fn with(
        hosted: Hosted,
        state: HostedState,
        painters: Arc<Semaphore>,
        survival: Survival,
    ) -> Arc<Self> {
        let (changed, room) = (Notify::new(), Notify::new());
        Arc::new(Self { hosted, painters, survival, state: Mutex::new(state), changed, room })
    }

    /// Returns what becomes of it if its host ends.
    pub(crate) const fn survival(&self) -> Survival {
        self.survival
    }

    pub(crate) const fn id(&self) -> &SessionId {
        &self.hosted.session_id
    }

    /// Returns the description for a relay that does not know the session.
    pub(crate) const fn hosted(&self) -> &Hosted {
        &self.hosted
    }

    /// Ends the session, as closing a terminal's window does.
    pub(crate) fn close(self: &Arc<Self>) {
        self.lock().control.close();
    }

    /// Answers a question about the files that the session's agent has changed.
    pub(crate) fn changes(
        self: &Arc<Self>,
        question: ChangesQuestion,
    ) -> BoxFuture<'static, ChangesAnswer> {
        let control = Arc::clone(&self.lock().control);
        control.changes(question)
    }

    /// Answers a question about the tmux session of the session's pane.
    pub(crate) fn tmux(self: &Arc<Self>, question: TmuxQuestion) -> BoxFuture<'static, TmuxAnswer> {
        let control = Arc::clone(&self.lock().control);
        control.tmux(question)
    }

    /// Ends the session, and drops its output from now on.
    pub(crate) fn abandon(self: &Arc<Self>) {
        self.drop_log(|control| control.close());
    }

    /// Lets go of a session that may go on without this host, and drops its output from now on.
    pub(crate) fn let_go(self: &Arc<Self>) {
        self.drop_log(|control| control.let_go());
    }

    fn drop_log(self: &Arc<Self>, leave: impl FnOnce(&dyn SessionControl)) {
        let mut state = self.lock();
        state.abandoned = true;
        leave(&*state.control);
        state.settle();
        self.room.notify_one();
    }

    fn lock(self: &Arc<Self>) -> StateGuard<'_> {
        // At worst, a panic under the lock has left the state between two entries.
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        StateGuard { session: self, state }
    }
}

/// Holds the session's lock.
#[derive(Debug)]
struct StateGuard<'a> {
    session: &'a Arc<Session>,
    state: MutexGuard<'a, HostedState>,
}

impl Deref for StateGuard<'_> {
    type Target = HostedState;
    fn deref(&self) -> &HostedState {
        &self.state
    }
}

impl DerefMut for StateGuard<'_> {
    fn deref_mut(&mut self) -> &mut HostedState {
        &mut self.state
    }
}

impl StateGuard<'_> {
    /// Carries out what follows from a change, releases the lock, and wakes the link.
    fn settle(mut self) {
        let session = self.session;
        let state = &mut *self.state;
        state.carry_out();
        session.carry_out_approvals(state);
        if state.publisher.has_unjournaled() {
            // Only the driver knows when its state and the log are of the same moment.
            state.control.request_checkpoint();
        }
        approvals::start_expiry(session, state);
        input::start_tasks(session, state);
        painter::start(session, state);
        drop(self);
        session.changed.notify_one();
    }
}

impl HostedState {
    fn new(
        publisher: Publisher,
        control: Arc<dyn SessionControl>,
        view: SnapshotView,
        journal: Option<SessionJournal>,
        approvals: HostedApprovals,
    ) -> Self {
        Self {
            publisher,
            control,
            view,
            journal,
            approvals,
            restored_action: None,
            is_patient: false,
            cwd: None,
            input: TaskState::No,
            cuts_link: false,
            abandoned: false,
        }
    }

    fn carry_out(&mut self) {
        self.write_input();
        while let Some(task) = self.publisher.poll_task() {
            match task {
                PublisherTask::Appended(seq) => self.view.appended(&self.publisher, seq),
                PublisherTask::Resize(size) => self.resize(size),
                PublisherTask::Watched(watched) => self.control.watched(watched),
                PublisherTask::MakeSnapshot => self.want_snapshot(),
                PublisherTask::Answer => self.view.want_answers(),
                PublisherTask::Act(number, action) => self.act(number, *action),
                PublisherTask::Close => self.control.close(),
                PublisherTask::CutLink => self.cuts_link = true,
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
