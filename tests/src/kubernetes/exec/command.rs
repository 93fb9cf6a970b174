//! The command of an exec: with pipes, or on a terminal.

use std::io;
use std::process::{ExitStatus, Stdio};

use bytes::Bytes;
use pty_process::OwnedWritePty;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin};
use tokio::sync::mpsc;

use super::super::process::ContainerPlace;
use super::{STDERR, STDOUT};

/// Pieces of output that wait for the connection.
const OUTPUT_LIMIT: usize = 4;
/// The largest piece of output, as of a real kubelet.
const PIECE_BYTES: usize = 32 * 1024;

/// What an exec runs.
#[derive(Debug)]
pub(super) struct ExecCommand {
    pub(super) place: ContainerPlace,
    pub(super) words: Vec<String>,
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    pub(super) tty: bool,
}

/// The input of a running command.
#[derive(Debug)]
pub(super) enum ExecInput {
    /// Nothing is passed on.
    None,
    Pipe(ChildStdin),
    Terminal(OwnedWritePty),
}

/// The output of a running command.
#[derive(Debug)]
pub(super) struct ExecOutput {
    child: Child,
    pieces: mpsc::Receiver<(u8, Bytes)>,
}

impl ExecCommand {
    /// Starts the command.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(super) fn start(self) -> io::Result<(ExecInput, ExecOutput)> {
        let mut command = self.place.command(&self.words)?;
        let (sender, pieces) = mpsc::channel(OUTPUT_LIMIT);
        if self.tty {
            let (pty, pts) = pty_process::open().map_err(io::Error::other)?;
            command.env("TERM", "xterm");
            let child = pty_process::Command::from(command).spawn(pts);
            let child = child.map_err(|error| match error {
                pty_process::Error::Io(error) => error,
                other => io::Error::other(other),
            })?;
            let (reader, writer) = pty.into_split();
            tokio::spawn(read(reader, STDOUT, sender));
            return Ok((ExecInput::Terminal(writer), ExecOutput { child, pieces }));
        }
        let piped = |wanted: bool| if wanted { Stdio::piped() } else { Stdio::null() };
        command.stdin(piped(self.stdin)).stdout(piped(self.stdout)).stderr(piped(self.stderr));
        let mut child = command.process_group(0).spawn()?;
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(read(stdout, STDOUT, sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(read(stderr, STDERR, sender));
        }
        let input = child.stdin.take().map_or(ExecInput::None, ExecInput::Pipe);
        Ok((input, ExecOutput { child, pieces }))
    }
}

impl ExecInput {
    /// Passes data on. Nothing happens if the command does not read any more.
    pub(super) async fn write(&mut self, data: &[u8]) {
        let written = match self {
            Self::None => Ok(()),
            Self::Pipe(pipe) => pipe.write_all(data).await,
            Self::Terminal(terminal) => terminal.write_all(data).await,
        };
        if written.is_err() {
            *self = Self::None;
        }
    }

    /// Sets the size of the terminal, if there is one.
    pub(super) fn resize(&self, width: &Value, height: &Value) {
        let size = |value: &Value| value.as_u64().and_then(|size| u16::try_from(size).ok());
        if let (Self::Terminal(terminal), Some(width), Some(height)) =
            (self, size(width), size(height))
        {
            // A terminal that is gone has no size.
            _ = terminal.resize(pty_process::Size::new(height, width));
        }
    }

    /// Ends the input. That of a terminal stays open, as its output does.
    pub(super) fn close(&mut self) {
        if let Self::Pipe(_) = self {
            *self = Self::None;
        }
    }
}

impl ExecOutput {
    /// Returns the next piece. `None` when all streams have ended.
    pub(super) async fn next(&mut self) -> Option<(u8, Bytes)> {
        self.pieces.recv().await
    }

    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Throws away what is left, so that the command does not wait for a reader.
    pub(super) async fn drain(mut self) {
        while self.pieces.recv().await.is_some() {}
        // How it ended interests nobody.
        _ = self.child.wait().await;
    }
}

async fn read(mut stream: impl AsyncRead + Unpin, number: u8, pieces: mpsc::Sender<(u8, Bytes)>) {
    let mut buffer = vec![0; PIECE_BYTES];
    // A terminal ends with an error.
    while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
        if pieces.send((number, Bytes::copy_from_slice(&buffer[..bytes]))).await.is_err() {
            break;
        }
    }
}
