//! Drivers: how a host runs one kind of session.
//!
//! A [`Driver`] starts a session from a [`SessionSpec`]. The session then has two halves, because one
//! task reads what it puts out while others type into it:
//!
//! * [`SessionOutput`] gives what happens, in order, as [`DriverOutput`]: bytes, events, states,
//!   snapshots, and at last the end. It is read only while there is room. A driver that is not read
//!   must make its session wait, or drop what can be made good by a snapshot; it may not queue
//!   without a bound.
//! * [`SessionControl`] takes what is asked of it: input, a size, a snapshot, the end. Its methods
//!   are called under a lock, so they do not block: what takes longer goes to a task of the driver's.
//!
//! Numbering, publishing, events that any session has, and who may type are not a driver's concern.
//!
//! # One more driver
//!
//! A folder in `host/src/driver/`, a line in [`Drivers::built_in`], and a page in `docs/`.
//! `host/tests/hosting/line_driver.rs` is a small one. What a new one wants that no driver has wanted
//! yet, such as prompts and decisions, is another method of [`SessionControl`] whose default refuses,
//! or another [`DriverOutput`].

mod error;
pub mod pty;
mod registry;

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use moorline_shared::control::Facts;
use moorline_shared::event::Status;
use moorline_shared::id::SessionId;
use moorline_shared::session::{ExitStatus, Size};
use serde_json::{Map, Value};

pub use error::DriverError;
pub(crate) use error::blocking;
pub use registry::{Drivers, UnknownDriver};

/// The driver of a session that asks for none.
pub const DEFAULT: &str = pty::NAME;

/// Starts sessions of one kind.
pub trait Driver: Debug + Send + Sync {
    /// The name by which a session asks for it: short, in lower case. It is stored with each session.
    fn name(&self) -> &'static str;

    /// Why no session can be started now, in one sentence that says what to do, such as "tmux is not
    /// installed". Asked for each time that the host connects to its relay. May block.
    fn missing(&self) -> Option<String> {
        None
    }

    /// Starts a session. Called within a tokio runtime. If the future is dropped, the session may or
    /// may not have been started.
    ///
    /// # Errors
    /// [`DriverError`]; nothing was started.
    fn start(&self, spec: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>>;
}

/// The session that a driver is to start.
#[derive(Debug, Clone)]
pub struct SessionSpec {
    /// Its id, which no other session of the host has.
    pub session_id: SessionId,
    /// What whoever starts it has said. The size is within the limits.
    pub facts: Facts,
    /// The folder to start in; `None` for the driver's default.
    pub cwd: Option<PathBuf>,
}

/// A session that was started.
#[derive(Debug)]
pub struct StartedSession {
    /// Gives what it puts out. Read by one task until [`DriverOutput::End`].
    pub output: Box<dyn SessionOutput>,
    /// Takes what is asked of it.
    pub control: Arc<dyn SessionControl>,
    /// Who makes its snapshots.
    pub snapshots: SnapshotSource,
    /// The folder that it started in.
    pub cwd: String,
    /// Its process on this machine, if it has one.
    pub pid: Option<u32>,
}

/// Who makes the snapshots of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotSource {
    /// An emulator of the host's: the bytes are those of a program that has a terminal to itself. The
    /// emulator also answers what the program asks of its terminal, while no client does.
    Emulator,
    /// The driver: it is asked by [`SessionControl::request_snapshot`] and answers by
    /// [`DriverOutput::Snapshot`]. Nobody reads its bytes as a terminal would.
    Driver,
}

/// What a session puts out.
pub trait SessionOutput: Debug + Send {
    /// Waits for what happens next. Not called again after [`DriverOutput::End`]. Its caller does not
    /// drop the future before that.
    fn next(&mut self) -> BoxFuture<'_, DriverOutput>;
}

/// Something that a session puts out.
#[derive(Debug)]
pub enum DriverOutput {
    /// Output, at most [`FRAME_DATA_BYTES`](moorline_shared::limits::FRAME_DATA_BYTES) of it, in a buffer
    /// that [`Frame::buffer`](moorline_shared::frame::Frame::buffer) began: it becomes an entry of the
    /// log without a copy.
    Bytes(BytesMut),
    /// What the session does now, if that has changed. Process, uptime and the end are filled in.
    Status(Status),
    /// Anything else that the session reports.
    Event {
        /// The name of its kind: one of [`EventKind`](moorline_shared::event::EventKind), or the driver's own.
        kind: &'static str,
        /// What the event adds to those that all have.
        fields: Map<String, Value>,
    },
    /// What repaints the session as it is after everything that was given before: the answer to
    /// [`SessionControl::request_snapshot`], `None` if there can be none now. One that nobody asked
    /// for is kept until the next one, for whoever asks after the end. For
    /// [`SnapshotSource::Driver`] only.
    Snapshot(Option<DriverSnapshot>),
    /// The session is over. Comes last, once.
    End(ExitStatus),
}

/// A snapshot as a driver makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverSnapshot {
    /// Terminal bytes, or an agent session's folded state.
    pub data: Bytes,
    /// The terminal's size, if there is one.
    pub size: Option<Size>,
}

/// Takes what is asked of a session. After the session's end every call does nothing.
pub trait SessionControl: Debug + Send + Sync {
    /// Takes as much input as there is room for, and returns how many bytes that was. What was taken
    /// reaches the session unless it ends before. With 0, call it again after
    /// [`SessionControl::writable`].
    ///
    /// # Errors
    /// Nobody will ever read this input: it is dropped.
    fn write(&self, input: &[u8]) -> io::Result<usize>;

    /// Waits until there may be room for input. False if there never will be.
    fn writable(&self) -> BoxFuture<'_, bool>;

    /// Gives the session's terminal another size.
    ///
    /// # Errors
    /// The size stays as it was.
    fn resize(&self, size: Size) -> io::Result<()>;

    /// Asks for a [`DriverOutput::Snapshot`]. For [`SnapshotSource::Driver`] only.
    fn request_snapshot(&self) {}

    /// Ends the session, as a closed window ends a terminal's, and by force if that takes too long.
    /// [`DriverOutput::End`] follows. A second call does nothing. Called within a tokio runtime.
    fn close(&self);
}
