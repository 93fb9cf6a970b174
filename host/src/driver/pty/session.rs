//! Runs a program on a terminal as a session.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use moorline_shared::id::SessionId;
use moorline_shared::session::Size;

use super::status::StatusWatch;
use super::{NAME, Pty, PtyReader, PtyWriter, Spawn, SpawnError};
use crate::driver::{
    Driver, DriverError, DriverOutput, OutputSource, SessionControl, SessionSpec, SnapshotSource,
    StartedSession, Survival, blocking,
};
use crate::marks::Marks;

/// Time allowed for a process to end after its terminal hangs up.
const HANG_UP_GRACE: Duration = Duration::from_secs(3);

/// The driver for programs on terminals.
#[derive(Debug)]
pub struct PtyDriver {
    integration: Option<PathBuf>,
}

impl PtyDriver {
    /// Creates the driver. `integration` becomes [`Spawn::integration`] of each program.
    #[must_use]
    pub fn new(integration: Option<PathBuf>) -> Self {
        Self { integration }
    }
}

impl Driver for PtyDriver {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start(&self, spec: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        let SessionSpec { session_id, facts, cwd, fork: _, variables, opener: _, workspace: _ } =
            spec;
        let spawn = Spawn {
            command: (!facts.command.is_empty()).then_some(facts.command),
            cwd,
            env: facts.env.into_iter().chain(variables).collect(),
            size: facts.size,
            integration: self.integration.clone(),
        };
        Box::pin(async move {
            let pty = blocking(move || Pty::spawn(&spawn)).await??;
            Ok(session(session_id, pty))
        })
    }
}

fn session(session_id: SessionId, pty: Pty) -> StartedSession {
    let Pty { reader, writer: terminal, cwd } = pty;
    let status = StatusWatch::start(&terminal);
    StartedSession {
        snapshots: SnapshotSource::Emulator,
        cwd: cwd.to_string_lossy().into_owned(),
        pid: Some(terminal.pid()),
        survival: Survival::Ends,
        control: Arc::new(PtyControl {
            terminal: terminal.clone(),
            status: Arc::clone(&status),
            closing: AtomicBool::new(false),
        }),
        output: Box::new(PtyOutput { session_id, reader, terminal, status, marks: Marks::new() }),
    }
}

/// The program's output, and the status that follows from it.
#[derive(Debug)]
struct PtyOutput {
    session_id: SessionId,
    reader: PtyReader,
    terminal: PtyWriter,
    status: Arc<StatusWatch>,
    marks: Marks,
}

impl PtyOutput {
    async fn read(&mut self) -> DriverOutput {
        loop {
            // A status comes after the output that caused it.
            if let Some(status) = self.status.take() {
                return DriverOutput::Status(status);
            }
            tokio::select! {
                biased;
                read = self.reader.read() => match read {
                    Ok(Some(buffer)) => {
                        self.status.read(&mut self.marks, &buffer, &self.terminal);
                        return DriverOutput::Bytes(buffer);
                    }
                    Ok(None) => break,
                    Err(error) => {
                        let session = &self.session_id;
                        tracing::warn!(%session, %error, "the terminal cannot be read");
                        // A program whose output nobody can see must not continue.
                        self.terminal.kill(HANG_UP_GRACE).await;
                        break;
                    }
                },
                () = self.status.changed() => {}
            }
        }
        DriverOutput::End(self.terminal.wait().await)
    }
}

impl OutputSource for PtyOutput {
    fn next(&mut self) -> BoxFuture<'_, DriverOutput> {
        Box::pin(self.read())
    }
}

/// The terminal's input, size and end.
#[derive(Debug)]
struct PtyControl {
    terminal: PtyWriter,
    status: Arc<StatusWatch>,
    closing: AtomicBool,
}

impl SessionControl for PtyControl {
    fn write(&self, input: &[u8]) -> io::Result<usize> {
        let written = self.terminal.try_write(input);
        if !matches!(written, Ok(0)) {
            self.status.look();
        }
        written
    }

    fn writable(&self) -> BoxFuture<'_, bool> {
        Box::pin(async {
            tokio::select! {
                ready = self.terminal.writable() => ready.is_ok(),
                _ = self.terminal.wait() => false,
            }
        })
    }

    fn resize(&self, size: Size) -> io::Result<()> {
        self.terminal.resize(size)
    }

    fn close(&self) {
        if !self.closing.swap(true, Ordering::Relaxed) {
            let terminal = self.terminal.clone();
            tokio::spawn(async move { terminal.kill(HANG_UP_GRACE).await });
        }
    }
}

impl From<SpawnError> for DriverError {
    fn from(error: SpawnError) -> Self {
        match error {
            SpawnError::Exhausted(_) => Self::Exhausted(error.into()),
            SpawnError::System(_) => Self::Internal(error.into()),
            _ => Self::Refused(error.into()),
        }
    }
}
