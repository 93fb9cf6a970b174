//! Drivers: each runs one kind of session for a host.
//!
//! A [`Driver`] starts a session from a [`SessionSpec`]. The session has two halves, because one
//! task reads its output while others type into it:
//!
//! * [`OutputSource`] yields what happens, in order, as [`DriverOutput`]: bytes, events, states,
//!   snapshots, and finally the end. It is only read while there is room. A driver that is not read
//!   must make its session wait, or drop output that a snapshot can replace; it must not queue
//!   without a bound.
//! * [`SessionControl`] takes requests: input, a size, a snapshot, the end. Its methods are called
//!   under a lock and must not block; longer work belongs into a task of the driver's own.
//!
//! A driver is not concerned with numbering, publishing, events that every session has, or who may
//! type.
//!
//! # One more driver
//!
//! A folder in `host/src/driver/`, a line in [`Drivers::built_in`], and a page in `docs/`.
//! `host/tests/hosting/line_driver.rs` is a small example. If a new driver needs something that no
//! driver has needed yet, such as prompts and decisions, add a method to [`SessionControl`] whose
//! default refuses, or a variant to [`DriverOutput`].

#[cfg(feature = "host")]
pub mod agent;
mod checkpoint;
mod error;
#[cfg(feature = "host")]
pub mod kubernetes;
mod opener;
pub mod pty;
#[cfg(feature = "host")]
mod registry;
#[cfg(feature = "host")]
pub mod tmux;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::future::ready;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::{ApprovalDecision, ApprovalRequest};
use moorline_shared::agent::spec::KnownAgent;
use moorline_shared::change::{ChangesAnswer, ChangesQuestion};
use moorline_shared::control::Facts;
#[cfg(feature = "host")]
use moorline_shared::event::EventFields;
use moorline_shared::event::Status;
use moorline_shared::failure::HostFailure;
use moorline_shared::fold::Conversation;
use moorline_shared::id::{ApprovalId, SessionId};
use moorline_shared::pod::{PodMetrics, PodsAnswer, PodsQuestion};
use moorline_shared::session::{ExitStatus, Size};
use moorline_shared::tmux::{TmuxAnswer, TmuxQuestion, TmuxServer};
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::workspace::SessionWorkspace;
pub use checkpoint::{DriverCheckpoint, StoredCheckpoint};
pub use error::DriverError;
pub(crate) use error::blocking;
pub use opener::{OpenedTerminal, PaneWish, TerminalOpener, TerminalTail, TerminalWish};
#[cfg(feature = "host")]
pub use registry::{Drivers, UnknownDriver};

/// Starts sessions of one kind.
pub trait Driver: Debug + Send + Sync {
    /// Returns the driver's name, by which sessions select it: short, in lower case. It is stored
    /// with each session.
    fn name(&self) -> &'static str;

    /// Returns the reason why no session can be started now, in one sentence that says what to do,
    /// such as "tmux is not installed"; `None` if sessions can be started. Called each time that
    /// the host connects to its relay. May block.
    fn missing(&self) -> Option<String> {
        None
    }

    /// Returns true if the folder of such a session is not on this machine, so that the driver keeps it
    /// in sync with its workspace itself.
    fn has_folders(&self, _facts: &Facts) -> bool {
        false
    }

    /// Continues a session that a host of this machine has left behind when it died, from its last
    /// checkpoint. Called within a tokio runtime.
    ///
    /// # Errors
    /// [`DriverError`] if it cannot be continued; then it is lost.
    fn restore(
        &self,
        _spec: SessionSpec,
        _checkpoint: StoredCheckpoint,
    ) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async { Err(DriverError::Refused("its sessions end with their host".into())) })
    }

    /// Ends what earlier hosts of this machine have left behind and no session uses. Called once,
    /// after [`Driver::restore`] was called for all sessions and before others are started.
    fn tidy(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Returns the coding agents that its sessions can run, installed or not. Called each time that
    /// a user asks for them. May block.
    fn agents(&self) -> Vec<KnownAgent> {
        Vec::new()
    }

    /// Returns the tmux servers whose panes its sessions can show. Called each time that a user asks
    /// for them.
    fn tmux_servers(&self) -> BoxFuture<'_, Vec<TmuxServer>> {
        Box::pin(ready(Vec::new()))
    }

    /// Hears that a session was deleted, which may have ended before: what it has left behind is not
    /// needed any more.
    fn forget(&self, _session: &SessionId) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    /// Ends what sessions have left behind that are not among these. Called from time to time.
    fn sweep<'a>(&'a self, _known: &'a BTreeSet<SessionId>) -> BoxFuture<'a, ()> {
        Box::pin(ready(()))
    }

    /// Answers a question about templates and pods; `None` if the driver has no pods.
    fn pods(&self, _question: PodsQuestion) -> BoxFuture<'_, Option<PodsAnswer>> {
        Box::pin(ready(None))
    }

    /// Returns counts of its pods, with every change; `None` if the driver has no pods.
    fn pod_metrics(&self) -> Option<watch::Receiver<PodMetrics>> {
        None
    }

    /// Starts a session. Called within a tokio runtime. If the future is dropped, the session may
    /// or may not have been started.
    ///
    /// # Errors
    /// [`DriverError`]; then nothing was started.
    fn start(&self, spec: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>>;
}

/// The session that a driver is to start.
#[derive(Debug, Clone)]
pub struct SessionSpec {
    /// The session's id, unique on the host.
    pub session_id: SessionId,
    /// The spec that the session is started from. The size is within the limits.
    pub facts: Facts,
    /// The folder to start in; `None` for the driver's default.
    pub cwd: Option<PathBuf>,
    /// The conversation to continue, if the session is the fork of an agent's. It is as it was at
    /// the entry that the fork was taken from: turns and approvals in it may be open, but nobody
    /// works on them any more. Only for the driver `agent`.
    pub fork: Option<Conversation>,
    /// Variables of the host that every program of the session gets, such as where to ask for
    /// approvals: see [`crate::ask`]. They take precedence over those of `facts`.
    pub variables: BTreeMap<String, String>,
    /// Opens further sessions beside this one, if it may.
    pub opener: Option<Arc<dyn TerminalOpener>>,
    /// The workspace that the driver keeps the session's folder in sync with. Only for drivers with
    /// [`Driver::has_folders`]; for others, the host does so.
    pub workspace: Option<SessionWorkspace>,
}

/// A session that was started.
#[derive(Debug)]
pub struct StartedSession {
    /// Yields the session's output. One task reads it until [`DriverOutput::End`].
    pub output: Box<dyn OutputSource>,
    /// Takes requests to the session.
    pub control: Arc<dyn SessionControl>,
    /// The source of the session's snapshots.
    pub snapshots: SnapshotSource,
    /// The folder that it started in.
    pub cwd: String,
    /// The id of its process on this machine, if it has one.
    pub pid: Option<u32>,
    /// What becomes of it if its host ends.
    pub survival: Survival,
}

/// What becomes of a session if its host ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// It ends.
    Ends,
    /// [`Driver::restore`] continues it if its host has died: each step of it is in the journal, so
    /// that nothing is lost or repeated. A host that is stopped ends it.
    Journaled,
    /// It goes on by itself, whether its host has died or was stopped. [`Driver::restore`] shows it
    /// again, in a new epoch of its log that begins with what it shows then. Only its first
    /// checkpoint is in the journal.
    Reopened,
}

/// The source of a session's snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotSource {
    /// An emulator of the host: the output is that of a program that has a terminal to itself. The
    /// emulator also answers the program's terminal queries while no client does.
    Emulator,
    /// An emulator of the host, of a program whose terminal is elsewhere, such as a pane of tmux.
    /// That terminal answers the program's queries, so neither the host nor a client does.
    Mirror,
    /// The driver: [`SessionControl::request_snapshot`] asks it, and it answers with
    /// [`DriverOutput::Snapshot`]. Nobody interprets its output as a terminal would.
    Driver,
    /// The session's events: the host folds them into a
    /// [`Conversation`], whose encoding is the snapshot. Only
    /// the host has all events, because some are its own, such as decisions, and only it knows their
    /// numbers. Nobody interprets the output as a terminal would.
    Conversation,
}

/// The output half of a session.
pub trait OutputSource: Debug + Send {
    /// Waits for the next output. Not called again after [`DriverOutput::End`]. Until then, the
    /// caller does not drop the future.
    fn next(&mut self) -> BoxFuture<'_, DriverOutput>;
}

/// One item of a session's output.
#[derive(Debug)]
pub enum DriverOutput {
    /// Output bytes, at most [`FRAME_DATA_BYTES`](moorline_shared::limits::FRAME_DATA_BYTES), in a
    /// buffer that [`Frame::buffer`](moorline_shared::frame::Frame::buffer) created, so that they
    /// become an entry of the log without a copy.
    Bytes(BytesMut),
    /// The session's new status, if it has changed. The host fills in process, uptime and end.
    Status(Status),
    /// Any other event that the session reports.
    Event {
        /// The name of the event's kind: one of [`EventKind`](moorline_shared::event::EventKind),
        /// or the driver's own.
        kind: &'static str,
        /// The fields that this kind adds to the common ones.
        fields: Map<String, Value>,
    },
    /// A question to the session's users. [`SessionControl::decide`] brings the decision of a user
    /// or of a rule, unless the question is withdrawn before or the session ends. The host may offer
    /// answers beyond the question's own, but only passes on the driver's own. Beyond
    /// [`OPEN_APPROVALS`](moorline_shared::limits::OPEN_APPROVALS) open questions, it denies further
    /// ones, with a reason.
    Ask(Box<ApprovalRequest>),
    /// Withdraws a question: nobody waits for its answer any more.
    Withdraw {
        /// The question.
        approval_id: ApprovalId,
        /// The reason, in a sentence.
        reason: String,
    },
    /// What a decision allowed has been done, or has failed.
    Done(ApprovalId),
    /// All that follows from the actions up to this one has been output: see
    /// [`SessionControl::act`].
    Acted(ActionNumber),
    /// This many bytes of all that [`SessionControl::write`] has taken have reached the session. Only
    /// for drivers that confirm input: see [`SessionControl::confirms_input`].
    Typed(u64),
    /// The terminal has this size now. Only for [`SnapshotSource::Mirror`], whose size the terminal
    /// decides: [`SessionControl::resize`] is a wish of a client.
    Size(Size),
    /// The driver waits until its state is in the journal, if the session has one. The host takes
    /// [`SessionControl::checkpoint`], writes it, and calls [`SessionControl::journaled`].
    Checkpoint,
    /// The snapshot that repaints the session after all earlier output, in answer to
    /// [`SessionControl::request_snapshot`]; `None` if there can be none now. An unrequested one is
    /// kept until the next, for requests after the end. Only for [`SnapshotSource::Driver`].
    Snapshot(Option<DriverSnapshot>),
    /// The end of the session. Comes last, once.
    End(ExitStatus),
}

#[cfg(feature = "host")]
impl DriverOutput {
    /// Returns the output of an event with these fields.
    pub(crate) fn event<F: EventFields>(fields: &F) -> Self {
        let fields = match serde_json::json!(fields) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Self::Event { kind: F::KIND.as_str(), fields }
    }
}

/// A snapshot that a driver made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverSnapshot {
    /// Terminal bytes, or the folded state of an agent session.
    pub data: Bytes,
    /// The size of the session's terminal, if it has one.
    pub size: Option<Size>,
}

/// The control half of a session. After the session's end, every call does nothing.
pub trait SessionControl: Debug + Send + Sync {
    /// Takes as much input as there is room for, and returns the number of bytes taken. Bytes that
    /// were taken reach the session unless it ends before. After 0, call it again once
    /// [`SessionControl::writable`] returns.
    ///
    /// # Errors
    /// The system's error if nobody will ever read this input; then it is dropped. Never if the driver
    /// confirms input.
    fn write(&self, input: &[u8]) -> io::Result<usize>;

    /// Returns true if input that was taken is lost if this host dies, until [`DriverOutput::Typed`]
    /// confirms it. Always returns the same.
    fn confirms_input(&self) -> bool {
        false
    }

    /// Waits until there may be room for input. Returns false if there never will be.
    fn writable(&self) -> BoxFuture<'_, bool>;

    /// Resizes the session's terminal.
    ///
    /// # Errors
    /// The system's error; then the size is unchanged.
    fn resize(&self, size: Size) -> io::Result<()>;

    /// Hears whether a client shows the session. Only for panes of tmux.
    fn watched(&self, _watched: bool) {}

    /// Asks for a [`DriverOutput::Snapshot`]. Only for [`SnapshotSource::Driver`].
    fn request_snapshot(&self) {}

    /// Takes an action of a user, and returns true. Its consequences follow as output, and then
    /// [`DriverOutput::Acted`]. A driver without turns and settings returns false; decisions do not
    /// come here.
    fn act(&self, _number: ActionNumber, _action: SessionAction) -> bool {
        false
    }

    /// Returns the state from which [`Driver::restore`] continues the session, with all outputs that
    /// were not taken yet. `stored` are the keys of the contents that are stored. Only for sessions
    /// with [`Survival::Journaled`] and [`Survival::Reopened`].
    fn checkpoint(&self, _stored: &BTreeSet<String>) -> DriverCheckpoint {
        DriverCheckpoint::default()
    }

    /// Asks for a [`DriverOutput::Checkpoint`] after all outputs that are due, because the session
    /// has something to store that does not follow from an output. Only for sessions with
    /// [`Survival::Journaled`].
    fn request_checkpoint(&self) {}

    /// Hears that the last checkpoint is written, or that the session has no journal. What follows
    /// from that state may leave the host now.
    fn journaled(&self) {}

    /// Returns true if this question of [`DriverOutput::Ask`] awaits a decision.
    fn awaits(&self, _approval_id: &ApprovalId) -> bool {
        false
    }

    /// Outputs what the session has said and holds back, and waits until the caller of
    /// [`OutputSource::next`] has taken all output so far. The future may be dropped.
    fn flush(&self) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    /// Answers a question about the files that the session's agent has changed. The future may be
    /// dropped.
    fn changes(&self, _question: ChangesQuestion) -> BoxFuture<'static, ChangesAnswer> {
        let failure = HostFailure::new("not_an_agent", "This session runs no agent.");
        Box::pin(ready(failure.into()))
    }

    /// Answers a question about the tmux session that the session's pane is in. The future may be
    /// dropped.
    fn tmux(&self, _question: TmuxQuestion) -> BoxFuture<'static, TmuxAnswer> {
        let failure = HostFailure::new("not_tmux", "This session does not show a pane of tmux.");
        Box::pin(ready(failure.into()))
    }

    /// Takes the decision about a question of [`DriverOutput::Ask`]; `None` if it has expired.
    /// Returns false if nobody waits for it any more, so that it is told as undelivered.
    fn decide(&self, _approval_id: &ApprovalId, _decision: Option<&ApprovalDecision>) -> bool {
        false
    }

    /// Lets go of a session with [`Survival::Reopened`], because the host ends or another has it: it
    /// goes on by itself.
    fn let_go(&self) {
        self.close();
    }

    /// Ends the session as closing its window would, or by force if that takes too long.
    /// [`DriverOutput::End`] follows. A second call does nothing. Called within a tokio runtime.
    fn close(&self);
}
