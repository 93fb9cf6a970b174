//! The socket on which programs of sessions ask for approvals and report their state.
//!
//! Each program of a session gets three variables: [`SESSION_VARIABLE`], [`SOCKET_VARIABLE`] with
//! the path of the host's Unix socket, and [`KEY_VARIABLE`], a secret of the session, so that a
//! program of one session cannot speak for another. [`wire`] has the messages, and [`AskClient`] is a
//! client. `docs/APPROVALS.md` describes the protocol for other programs.

mod client;
mod question;
mod secret;
mod serve;
pub mod wire;

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use moorline_shared::id::SessionId;
use tokio::net::UnixListener;

use crate::folder::SocketPath;
pub use client::AskClient;
pub use secret::AskSecret;
pub(crate) use serve::AskServer;

/// The variable with the session's id.
pub const SESSION_VARIABLE: &str = "MOORLINE_SESSION";
/// The variable with the path of the socket.
pub const SOCKET_VARIABLE: &str = "MOORLINE_SOCKET";
/// The variable with the session's secret.
pub const KEY_VARIABLE: &str = "MOORLINE_KEY";

/// The name of the socket in the host's folder.
const SOCKET_NAME: &str = "ask.sock";
/// The name of the file with the secret, from which those of sessions are derived.
const SECRET_NAME: &str = "ask.key";
/// The name of the file with the host's rules.
const RULES_NAME: &str = "rules.json";

/// Most bytes of a line of a program.
pub const LINE_BYTES: usize = 64 * 1024;
/// Most bytes of a line of the host, which may list all rules.
pub const REPLY_BYTES: usize = 32 * 1024 * 1024;
/// Most connections at a time. Further ones are refused with `overloaded`.
pub const CONNECTIONS: usize = 64;
/// Time allowed for a request to arrive, for an answer to be written, and for an acknowledgement.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Returns the path of the socket of a host with this folder.
#[must_use]
pub fn socket_path(folder: &Path) -> PathBuf {
    folder.join(SOCKET_NAME)
}

/// Returns the path of the file with the secret of a host with this folder.
#[must_use]
pub fn secret_path(folder: &Path) -> PathBuf {
    folder.join(SECRET_NAME)
}

/// Returns the path of the file with the rules of a host with this folder.
#[must_use]
pub fn rules_path(folder: &Path) -> PathBuf {
    folder.join(RULES_NAME)
}

/// The open socket of a host.
#[derive(Debug)]
pub(crate) struct AskSocket {
    path: PathBuf,
    secret: Arc<AskSecret>,
}

impl AskSocket {
    /// Opens the socket in a host's folder, and replaces one that an earlier host has left there.
    /// Must be called within a tokio runtime. Blocks for a moment.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, UnixListener)> {
        let secret = Arc::new(AskSecret::open(&secret_path(folder))?);
        let path = socket_path(folder);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = StdUnixListener::bind(SocketPath::new(&path)?.path())?;
        // Nobody else can connect before this: the folder is closed to other users.
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok((Self { path, secret }, UnixListener::from_std(listener)?))
    }

    /// Returns the secret from which the keys of sessions are derived.
    pub(crate) fn secret(&self) -> Arc<AskSecret> {
        Arc::clone(&self.secret)
    }

    /// Returns the variables by which the programs of a session find the socket.
    pub(crate) fn variables(&self, session: &SessionId) -> BTreeMap<String, String> {
        let Some(path) = self.path.to_str() else { return BTreeMap::new() };
        let variables = [
            (SESSION_VARIABLE, session.as_str().to_owned()),
            (SOCKET_VARIABLE, path.to_owned()),
            (KEY_VARIABLE, self.secret.session_key(session)),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

impl AskSocket {
    /// Removes the socket, so that a program that connects fails at once.
    pub(crate) fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
