//! A host's connection to a keeper.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use moorline_shared::session::Size;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::frame::{DATA_BYTES, FROM_SNAPSHOT, KeeperFrame, RefusalCode, decode, encode};
use super::kept_machine::{KeptEvent, KeptMachine, KeptStatus, NotTaken};
use super::process::STARTED;
use super::{AttachError, FilePiece, KeepError, KeeperConfig};
use crate::folder::SocketPath;

/// Time allowed for a keeper to start its program.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Time allowed for a keeper to answer.
const ATTACH_LIMIT: Duration = Duration::from_secs(10);
/// Time allowed for requests to be sent after their [`Kept`] was dropped.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);
/// The most events that wait for [`Kept::next`]. Each has at most 64 KiB.
const WAITING_EVENTS: usize = 16;
/// The most bytes of a report that are read.
const REPORT_BYTES: u64 = 4096;

/// A keeper to start, and its program.
#[derive(Debug, Clone)]
pub struct KeptSpec {
    /// The program and the first arguments of the keeper's process. It must call
    /// [`run`](super::run) with the configuration that its other arguments describe, which are
    /// those of [`KeeperConfig::command_line`].
    pub keeper: Vec<OsString>,
    /// The program, and the socket at which it is kept.
    pub config: KeeperConfig,
    /// All variables of the keeper and of its program.
    pub variables: BTreeMap<OsString, OsString>,
}

/// The connection to a keeper. Dropping it closes the connection; the program keeps running.
#[derive(Debug)]
pub struct Kept {
    status: KeptStatus,
    control: KeptControl,
    events: mpsc::Receiver<KeptEvent>,
    reader: JoinHandle<()>,
}

/// Sends requests to a keeper. Clones share one connection. Its methods do not block, and do
/// nothing once the connection has ended.
#[derive(Debug, Clone)]
pub struct KeptControl {
    shared: Arc<KeptShared>,
}

#[derive(Debug)]
struct KeptShared {
    machine: Mutex<KeptMachine>,
    /// Wakes the task that sends.
    changed: Notify,
    /// True once the [`Kept`] was dropped.
    dropped: watch::Sender<bool>,
}

impl Kept {
    /// Starts a keeper and its program, and connects. Must be called within a tokio runtime. If the
    /// future is dropped, the keeper may or may not run.
    ///
    /// # Errors
    /// [`KeepError`]; then neither the keeper nor the program runs.
    pub async fn start(spec: &KeptSpec) -> Result<Self, KeepError> {
        let (mut child, report) = spawn(spec)?;
        let started = async {
            let report = timeout(START_LIMIT, read_report(report)).await;
            let report = report.map_err(|_| io::Error::from(ErrorKind::TimedOut))??;
            if report != [STARTED] {
                return Err(KeepError::of_report(&report, &spec.config));
            }
            Ok(Self::attach(&spec.config.socket, 0).await?)
        };
        let started = started.await;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        if let (Err(_), Some(pid)) = (&started, pid) {
            // It ends its program, if it has one.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        tokio::spawn(async move { child.wait().await });
        started
    }

    /// Connects to a keeper. Output follows from `read_from` on; what comes before it is not
    /// acknowledged thereby. A keeper that serves another host disconnects that one. The file of a
    /// socket on which nobody listens is removed.
    ///
    /// # Errors
    /// [`AttachError`]. The keeper and its program are unchanged.
    pub async fn attach(socket: &Path, read_from: u64) -> Result<Self, AttachError> {
        let attached = timeout(ATTACH_LIMIT, Self::attach_patiently(socket, read_from)).await;
        attached.map_err(|_| io::Error::from(ErrorKind::TimedOut))?
    }

    async fn attach_patiently(socket: &Path, read_from: u64) -> Result<Self, AttachError> {
        let (reader, writer) = connect(socket).await?.into_split();
        Self::greet(reader, writer, read_from).await
    }

    /// Connects to the keeper at the other end of a stream, such as an exec into a pod. Otherwise
    /// like [`Kept::attach`].
    ///
    /// # Errors
    /// [`AttachError`]. The keeper and its program are unchanged.
    pub async fn over(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        read_from: u64,
    ) -> Result<Self, AttachError> {
        let greeted = timeout(ATTACH_LIMIT, Self::greet(reader, writer, read_from)).await;
        greeted.map_err(|_| io::Error::from(ErrorKind::TimedOut))?
    }

    /// Like [`Kept::over`], for a host that has nothing of the program's terminal: a
    /// [`KeptEvent::Snapshot`] comes first, and output follows from [`KeptStatus::end`] on.
    ///
    /// # Errors
    /// [`AttachError`]. The keeper and its program are unchanged.
    pub async fn over_snapshot(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, AttachError> {
        Self::over(reader, writer, FROM_SNAPSHOT).await
    }

    async fn greet(
        mut reader: impl AsyncRead + Send + Unpin + 'static,
        mut writer: impl AsyncWrite + Send + Unpin + 'static,
        read_from: u64,
    ) -> Result<Self, AttachError> {
        let mut machine = KeptMachine::new(read_from);
        let (mut outgoing, mut incoming) = (BytesMut::new(), BytesMut::new());
        take_frames(&mut machine, &mut outgoing);
        writer.write_all(&outgoing).await.map_err(of_lost)?;
        writer.flush().await.map_err(of_lost)?;
        let frame = next_frame(&mut reader, &mut incoming).await.map_err(of_lost)?;
        let status = machine.welcome(frame)?;
        let shared = Arc::new(KeptShared {
            machine: Mutex::new(machine),
            changed: Notify::new(),
            dropped: watch::Sender::new(false),
        });
        let (sender, events) = mpsc::channel(WAITING_EVENTS);
        let reader = tokio::spawn(receive(reader, incoming, Arc::clone(&shared), sender));
        tokio::spawn(send_until_dropped(writer, Arc::clone(&shared)));
        Ok(Self { status, control: KeptControl { shared }, events, reader })
    }

    /// Ends the keeper at this socket, and its program, whatever it would answer a host. Does nothing
    /// if none listens there. Returns once it is asked to.
    ///
    /// # Errors
    /// [`AttachError`] if it cannot be reached.
    pub async fn end(socket: &Path) -> Result<(), AttachError> {
        let stream = match timeout(ATTACH_LIMIT, connect(socket)).await {
            Ok(Err(AttachError::Gone)) => return Ok(()),
            connected => connected.map_err(|_| io::Error::from(ErrorKind::TimedOut))??,
        };
        // The keeper itself listens. It leads a process session, so it is nobody else.
        let pid = stream.peer_cred()?.pid().filter(|pid| *pid > 1);
        let pid = pid.ok_or_else(|| io::Error::other("the system does not name the keeper"))?;
        Ok(kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(io::Error::from)?)
    }

    /// Returns the program's state at the time of the connection.
    #[must_use]
    pub fn status(&self) -> KeptStatus {
        self.status
    }

    /// Returns the other half of the connection.
    #[must_use]
    pub fn control(&self) -> KeptControl {
        self.control.clone()
    }

    /// Waits for the next event. While nobody calls this, the keeper holds the output, and then the
    /// program waits. If the future is dropped, no event is lost.
    pub async fn next(&mut self) -> KeptEvent {
        self.events.recv().await.unwrap_or(KeptEvent::Lost(None))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.reader.abort();
        self.control.shared.dropped.send_replace(true);
        self.control.shared.changed.notify_one();
    }
}

impl KeptControl {
    /// Writes input of which the first byte has this offset, or none of it. Bytes that the keeper
    /// has taken already are skipped. The keeper has taken what was written once a later
    /// [`KeptStatus::taken`] says so, and the program's pipe once [`KeptEvent::Written`] does.
    ///
    /// # Errors
    /// [`NotTaken`]. Input that the program has closed is not an error: it is never reported as
    /// written.
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), NotTaken> {
        self.shared.change(|machine| machine.write(offset, data))
    }

    /// Acknowledges the output before the offset `up_to`. The keeper forgets it: it cannot be read
    /// again.
    pub fn read(&self, up_to: u64) {
        self.shared.change(|machine| machine.read(up_to));
    }

    /// Closes the program's input after everything that was written.
    pub fn close_input(&self) {
        self.shared.change(KeptMachine::close_input);
    }

    /// Ends the program: by SIGTERM, and by SIGKILL after
    /// [`KILL_GRACE`](super::KILL_GRACE); or at once, by `force`. [`KeptEvent::Exited`] follows.
    pub fn kill(&self, force: bool) {
        self.shared.change(|machine| machine.kill(force));
    }

    /// Ends the keeper, and before that its program at once, if it runs. What was not read is lost.
    /// [`KeptEvent::Lost`] follows.
    pub fn forget(&self) {
        self.shared.change(KeptMachine::forget);
    }

    /// Changes the size of the program's terminal.
    pub fn resize(&self, size: Size) {
        self.shared.change(|machine| machine.resize(size));
    }

    /// Asks for [`KeptEvent::Pong`], of a keeper that has a terminal.
    pub fn ping(&self) {
        self.shared.change(KeptMachine::ping);
    }

    /// Sends part of an answer about files, after all input that was written. Only to a keeper with
    /// [`KeptStatus::syncs`]. The caller bounds how many wait.
    pub fn files(&self, piece: FilePiece) {
        self.shared.change(|machine| machine.files(piece));
    }

    /// Asks to make the folder and its workspace equal. [`KeptEvent::Folder`] tells this number once
    /// that is done. Only to a keeper with [`KeptStatus::syncs`].
    pub fn settle(&self, number: u64) {
        self.shared.change(|machine| machine.settle(number));
    }
}

impl KeptShared {
    fn machine(&self) -> MutexGuard<'_, KeptMachine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut KeptMachine) -> T) -> T {
        let changed = change(&mut self.machine());
        self.changed.notify_one();
        changed
    }
}

/// Starts the keeper's process. Returns the connection on which it reports its start.
fn spawn(spec: &KeptSpec) -> Result<(Child, UnixStream), KeepError> {
    let Some((program, first)) = spec.keeper.split_first() else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "no program runs the keeper").into());
    };
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut command = Command::new(program);
    command.args(first).args(spec.config.command_line()).env_clear().envs(&spec.variables);
    command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
    // Once this returns, only the keeper holds the other end.
    Ok((command.spawn()?, UnixStream::from_std(ours)?))
}

async fn read_report(stream: UnixStream) -> io::Result<Vec<u8>> {
    let mut report = Vec::new();
    match stream.take(REPORT_BYTES).read_to_end(&mut report).await {
        // A keeper that was killed has closed it with something unread.
        Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error),
        _ => Ok(report),
    }
}

async fn connect(socket: &Path) -> Result<UnixStream, AttachError> {
    let short = match SocketPath::new(socket) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(AttachError::Gone),
        short => short?,
    };
    match UnixStream::connect(short.path()).await {
        Ok(stream) => Ok(stream),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(AttachError::Gone),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            let _ = std::fs::remove_file(socket);
            Err(AttachError::Gone)
        }
        Err(error) => Err(AttachError::Io(error)),
    }
}

/// Interprets the end of a connection before the answer: a keeper that runs always answers.
fn of_lost(error: io::Error) -> AttachError {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            AttachError::Gone
        }
        _ => AttachError::Io(error),
    }
}

/// Waits for the next whole frame.
async fn next_frame(
    stream: &mut (impl AsyncRead + Unpin),
    incoming: &mut BytesMut,
) -> io::Result<KeeperFrame> {
    loop {
        let frame = decode(incoming);
        if let Some(frame) = frame.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))? {
            return Ok(frame);
        }
        incoming.reserve(DATA_BYTES);
        if stream.read_buf(incoming).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Receives frames until the connection ends.
async fn receive(
    mut stream: impl AsyncRead + Unpin,
    mut incoming: BytesMut,
    shared: Arc<KeptShared>,
    events: mpsc::Sender<KeptEvent>,
) {
    let reason = loop {
        let event = match next_frame(&mut stream, &mut incoming).await {
            Ok(frame) => match shared.machine().handle(frame) {
                Some(event) => event,
                None => continue,
            },
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                break Some(RefusalCode::Protocol);
            }
            Err(_) => break None,
        };
        if let KeptEvent::Lost(reason) = event {
            break reason;
        }
        if events.send(event).await.is_err() {
            return;
        }
    };
    shared.change(KeptMachine::close);
    let _ = events.send(KeptEvent::Lost(reason)).await;
}

/// Sends frames until the connection ends. After the [`Kept`] was dropped, sends what was requested
/// before.
async fn send_until_dropped(mut stream: impl AsyncWrite + Unpin, shared: Arc<KeptShared>) {
    let mut dropped = shared.dropped.subscribe();
    let dropped = async {
        let _ = dropped.wait_for(|dropped| *dropped).await;
        sleep(FLUSH_LIMIT).await;
    };
    tokio::select! {
        _ = send_all(&mut stream, &shared) => {}
        () = dropped => {}
    }
    shared.machine().close();
}

async fn send_all(stream: &mut (impl AsyncWrite + Unpin), shared: &KeptShared) -> io::Result<()> {
    let mut outgoing = BytesMut::new();
    loop {
        outgoing.clear();
        take_frames(&mut shared.machine(), &mut outgoing);
        if !outgoing.is_empty() {
            stream.write_all(&outgoing).await?;
            stream.flush().await?;
        } else if *shared.dropped.borrow() {
            return Ok(());
        } else {
            shared.changed.notified().await;
        }
    }
}

/// Takes some of the frames that are to be sent.
fn take_frames(machine: &mut KeptMachine, outgoing: &mut BytesMut) {
    while outgoing.len() < DATA_BYTES
        && let Some(frame) = machine.poll_frame()
    {
        encode(&frame, outgoing);
    }
}
