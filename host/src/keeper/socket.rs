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
use crate::folder::{SocketPath, is_trusted, keep_private};

/// Time allowed for a host that is disconnected to read the reason.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);
/// Pause after a connection could not be accepted, such as without free descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The connection of a host.
pub(crate) struct HostSocket {
    stream: UnixStream,
    /// What has arrived and is not a whole frame yet.
    incoming: BytesMut,
    /// Frames that are not sent yet.
    outgoing: BytesMut,
}

/// The connection has ended.
pub(crate) struct HostLeft;

impl HostSocket {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream, incoming: BytesMut::new(), outgoing: BytesMut::new() }
    }

    /// Reads what has arrived; [`HostSocket::next_input`] returns it.
    pub(crate) fn receive(&mut self) -> Result<(), HostLeft> {
        self.incoming.reserve(DATA_BYTES);
        match self.stream.try_read_buf(&mut self.incoming) {
            Ok(0) => Err(HostLeft),
            Ok(_) => Ok(()),
            Err(error) if is_transient(&error) => Ok(()),
            Err(_) => Err(HostLeft),
        }
    }

    /// Takes the next whole frame of what has arrived.
    pub(crate) fn next_input(&mut self) -> Option<KeeperInput<'static>> {
        match decode::<HostFrame>(&mut self.incoming) {
            Ok(frame) => frame.map(KeeperInput::Frame),
            Err(error) => {
                self.incoming.clear();
                Some(KeeperInput::BadFrame(error))
            }
        }
    }

    /// Takes more frames to send once those before were sent.
    pub(crate) fn fill(&mut self, machine: &mut KeeperMachine) {
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
    pub(crate) fn send(&mut self) -> Result<(), HostLeft> {
        match self.stream.try_write(&self.outgoing) {
            Ok(count) => drop(self.outgoing.split_to(count)),
            Err(error) if is_transient(&error) => {}
            Err(_) => return Err(HostLeft),
        }
        Ok(())
    }

    /// Tells the host that another one has connected, and closes the connection.
    pub(crate) fn replaced(mut self) {
        let message = "another host has connected".to_owned();
        encode(&KeeperFrame::Refused { code: RefusalCode::Replaced, message }, &mut self.outgoing);
        self.leave();
    }

    /// Sends what is left, and closes the connection, in a task of its own.
    pub(crate) fn leave(mut self) {
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
pub(crate) async fn accept(listener: &UnixListener) -> UnixStream {
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
pub(crate) async fn readable(host: Option<&HostSocket>) {
    match host {
        Some(host) => drop(host.stream.readable().await),
        None => pending().await,
    }
}

/// Waits until a host, if something is to be sent to it, takes more.
pub(crate) async fn writable(host: Option<&HostSocket>) {
    match host.filter(|host| !host.outgoing.is_empty()) {
        Some(host) => drop(host.stream.writable().await),
        None => pending().await,
    }
}

/// Returns true if the same call may succeed later.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
