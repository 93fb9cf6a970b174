//! The socket of a keeper, and the connection of its host.

use std::fs::Permissions;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

use super::frame::{DATA_BYTES, HostFrame, KeeperFrame, RefusalCode, decode, encode};
use super::machine::{KeeperInput, KeeperMachine};
use crate::clock::monotonic;
use crate::folder::{SocketPath, is_trusted, keep_private};

/// Time allowed for a host that is disconnected to read the reason.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);
/// Pause after a connection could not be accepted, such as without free descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A keeper's machine, the socket that it listens on, and the connection of its host.
///
/// Call [`KeeperSocket::fill`] before each [`KeeperSocket::wait`], and pass its result to
/// [`KeeperSocket::handle`].
pub(crate) struct KeeperSocket {
    /// The machine, whose actions the owner carries out: for [`KeeperOutput::Disconnect`] it calls
    /// [`KeeperSocket::disconnect`].
    ///
    /// [`KeeperOutput::Disconnect`]: super::machine::KeeperOutput::Disconnect
    pub(crate) machine: KeeperMachine,
    listener: UnixListener,
    host: Option<HostSocket>,
}

/// One thing that has happened to a keeper's socket.
pub(crate) enum SocketWake {
    Accepted(UnixStream),
    Readable,
    Writable,
    Timeout,
}

impl KeeperSocket {
    pub(crate) fn new(machine: KeeperMachine, listener: UnixListener) -> Self {
        Self { machine, listener, host: None }
    }

    /// Returns true while a host is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.host.is_some()
    }

    /// Tells the machine what has happened now.
    pub(crate) fn tell(&mut self, input: KeeperInput<'_>) {
        self.machine.handle(monotonic(), input);
    }

    /// Prepares the next frames for the host.
    pub(crate) fn fill(&mut self) {
        if let Some(host) = &mut self.host {
            host.fill(&mut self.machine);
        }
    }

    /// Waits until something happens. The future may be dropped.
    pub(crate) async fn wait(&self) -> SocketWake {
        let due = self.machine.poll_timeout().map(|at| at - monotonic());
        tokio::select! {
            stream = accept(&self.listener) => SocketWake::Accepted(stream),
            () = readable(self.host.as_ref()) => SocketWake::Readable,
            () = writable(self.host.as_ref()) => SocketWake::Writable,
            () = sleep(due.unwrap_or_default()), if due.is_some() => SocketWake::Timeout,
        }
    }

    /// Does what follows from what has happened.
    pub(crate) fn handle(&mut self, wake: SocketWake) {
        match wake {
            SocketWake::Accepted(stream) => {
                if let Some(old) = self.host.replace(HostSocket::new(stream)) {
                    old.replaced();
                }
                self.tell(KeeperInput::Connected);
            }
            SocketWake::Readable => self.receive(),
            SocketWake::Writable => {
                if self.host.as_mut().is_some_and(|host| host.send().is_err()) {
                    self.lose();
                }
            }
            SocketWake::Timeout => self.tell(KeeperInput::Timeout),
        }
    }

    /// Sends the host what is left, and closes its connection.
    pub(crate) fn disconnect(&mut self) {
        if let Some(host) = self.host.take() {
            host.leave();
        }
        self.tell(KeeperInput::Disconnected);
    }

    fn lose(&mut self) {
        self.host = None;
        self.tell(KeeperInput::Disconnected);
    }

    fn receive(&mut self) {
        let Some(host) = &mut self.host else { return };
        if host.receive().is_err() {
            return self.lose();
        }
        while let Some(input) = host.next_input() {
            self.machine.handle(monotonic(), input);
        }
    }
}

/// The connection of a host.
struct HostSocket {
    stream: UnixStream,
    /// What has arrived and is not a whole frame yet.
    incoming: BytesMut,
    /// Frames that are not sent yet.
    outgoing: BytesMut,
}

/// The connection has ended.
struct HostLeft;

impl HostSocket {
    fn new(stream: UnixStream) -> Self {
        Self { stream, incoming: BytesMut::new(), outgoing: BytesMut::new() }
    }

    /// Reads what has arrived; [`HostSocket::next_input`] returns it.
    fn receive(&mut self) -> Result<(), HostLeft> {
        self.incoming.reserve(DATA_BYTES);
        match self.stream.try_read_buf(&mut self.incoming) {
            Ok(0) => Err(HostLeft),
            Ok(_) => Ok(()),
            Err(error) if is_transient(&error) => Ok(()),
            Err(_) => Err(HostLeft),
        }
    }

    /// Takes the next whole frame of what has arrived.
    fn next_input(&mut self) -> Option<KeeperInput<'static>> {
        match decode::<HostFrame>(&mut self.incoming) {
            Ok(frame) => frame.map(KeeperInput::Frame),
            Err(error) => {
                self.incoming.clear();
                Some(KeeperInput::BadFrame(error))
            }
        }
    }

    /// Takes more frames to send once those before were sent.
    fn fill(&mut self, machine: &mut KeeperMachine) {
        if !self.outgoing.is_empty() {
            return;
        }
        while self.outgoing.len() < DATA_BYTES
            && let Some(frame) = machine.poll_frame()
        {
            encode(&frame, &mut self.outgoing);
        }
    }

    /// Sends as much as the connection takes now.
    fn send(&mut self) -> Result<(), HostLeft> {
        match self.stream.try_write(&self.outgoing) {
            Ok(count) => drop(self.outgoing.split_to(count)),
            Err(error) if is_transient(&error) => {}
            Err(_) => return Err(HostLeft),
        }
        Ok(())
    }

    /// Tells the host that another one has connected, and closes the connection.
    fn replaced(mut self) {
        let message = "another host has connected".to_owned();
        encode(&KeeperFrame::Refused { code: RefusalCode::Replaced, message }, &mut self.outgoing);
        self.leave();
    }

    /// Sends what is left, and closes the connection, in a task of its own.
    fn leave(mut self) {
        tokio::spawn(async move {
            let _ = timeout(FAREWELL_LIMIT, self.stream.write_all(&self.outgoing)).await;
        });
    }
}

/// Listens on a socket that only this user can reach.
pub(crate) fn listen(socket: &Path) -> io::Result<UnixListener> {
    keep_private(socket.parent().unwrap_or(Path::new("/")))?;
    let short = SocketPath::new(socket)?;
    match std::os::unix::net::UnixStream::connect(short.path()) {
        Ok(_) => return Err(io::Error::new(ErrorKind::AddrInUse, "another keeper listens there")),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(socket)?,
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(short.path())?;
    std::fs::set_permissions(socket, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Waits for a connection of this user.
async fn accept(listener: &UnixListener) -> UnixStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if stream.peer_cred().is_ok_and(|peer| is_trusted(peer.uid())) {
                    return stream;
                }
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Waits until a host, if one is connected, has sent something.
async fn readable(host: Option<&HostSocket>) {
    match host {
        Some(host) => drop(host.stream.readable().await),
        None => pending().await,
    }
}

/// Waits until a host, if something is to be sent to it, takes more.
async fn writable(host: Option<&HostSocket>) {
    match host.filter(|host| !host.outgoing.is_empty()) {
        Some(host) => drop(host.stream.writable().await),
        None => pending().await,
    }
}

/// Returns true if the same call may succeed later.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
