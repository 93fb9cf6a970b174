//! A client of the socket, for commands: it blocks.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::LINE_BYTES;
use super::wire::LocalReply;
use crate::folder::SocketPath;

/// A connection to a host's socket.
#[derive(Debug)]
pub struct AskClient {
    stream: BufReader<UnixStream>,
}

impl AskClient {
    /// Connects to the socket at `path`, which may be longer than a socket's address.
    ///
    /// # Errors
    /// The system's error: no host serves this socket now.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(SocketPath::new(path)?.path())?;
        stream.set_write_timeout(Some(super::PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a [`LocalRequest`](super::wire::LocalRequest) or
    /// [`LocalFollowUp`](super::wire::LocalFollowUp).
    ///
    /// # Errors
    /// The system's error: the host has not got it, or not all of it.
    pub fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        if line.len() > LINE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the question is too large"));
        }
        self.stream.get_mut().write_all(&line)
    }

    /// Waits for a reply, without a limit if `limit` is `None`.
    ///
    /// # Errors
    /// The system's error; `UnexpectedEof` if the host has closed the connection.
    pub fn receive(&mut self, limit: Option<Duration>) -> io::Result<LocalReply> {
        self.stream.get_mut().set_read_timeout(limit)?;
        let mut line = Vec::new();
        let most = super::REPLY_BYTES as u64;
        (&mut self.stream).take(most).read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_slice(&line)?)
    }
}
