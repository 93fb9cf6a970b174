//! The writing half of a terminal, with its size, signals and exit status.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use moorline_shared::session::{ExitStatus, Size};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::termios::Winsize;
use tokio::net::unix::pipe::Sender;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Exit, foreground};
use crate::marks::Foreground;

/// Sends input, sizes and signals. Clones refer to the same terminal.
#[derive(Debug, Clone)]
pub struct PtyWriter {
    input: Arc<Sender>,
    exit: watch::Receiver<Exit>,
    pid: u32,
}

impl PtyWriter {
    pub(super) fn new(input: Sender, exit: watch::Receiver<Exit>, pid: u32) -> Self {
        Self { input: Arc::new(input), exit, pid }
    }

    /// Writes as much as the terminal takes now, and returns the number of bytes. After 0, wait for
    /// [`PtyWriter::writable`].
    ///
    /// # Errors
    /// The system's error; `EIO` if the program has closed its terminal.
    pub fn try_write(&self, input: &[u8]) -> io::Result<usize> {
        match self.input.try_write(input) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            written => written,
        }
    }

    /// Waits until the terminal may take input. This can be spurious: try to write again.
    ///
    /// # Errors
    /// The system's error if the runtime shuts down.
    pub async fn writable(&self) -> io::Result<()> {
        self.input.writable().await
    }

    /// Resizes the terminal, within the limits; the program receives `SIGWINCH`.
    ///
    /// # Errors
    /// The system's error.
    pub fn resize(&self, size: Size) -> io::Result<()> {
        let size = size.clamped();
        let size = Winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(&self.input, size)?)
    }

    /// Returns who has the terminal's foreground; `None` if the system does not report it.
    #[must_use]
    pub fn foreground(&self) -> Option<Foreground> {
        foreground::look(&self.input, self.pid)
    }

    /// Returns true if the terminal's foreground is a job that the program started, rather than the
    /// program itself.
    #[must_use]
    pub fn is_in_a_job(&self) -> bool {
        foreground::has_leader(&self.input, self.pid) == Some(false)
    }

    /// Returns the program's process id, which is also the id of its process group and session.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the program's exit status; `None` while it runs.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.exit.borrow().clone()
    }

    /// Waits for the program's end, and returns its exit status. Read all output first: the last of
    /// it may still be in the terminal.
    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.ok().and_then(|status| status.clone());
        // This only happens if a runtime that shuts down drops the task that waits for the program.
        status.unwrap_or_default()
    }

    /// Hangs up: sends `SIGHUP` to the program's process group and to the one in the terminal's
    /// foreground, and after `grace` sends `SIGKILL` to the rest of both. Returns once nothing is
    /// left or `SIGKILL` was sent. Does nothing if the program has ended.
    pub async fn kill(&self, grace: Duration) {
        if self.exit_status().is_some() {
            return;
        }
        let groups = self.groups();
        signal(&groups, Signal::SIGHUP);
        // A stopped process only handles the hang-up once it continues.
        signal(&groups, Signal::SIGCONT);
        if timeout(grace, self.all_gone(&groups)).await.is_err() {
            signal(&groups, Signal::SIGKILL);
        }
    }

    /// Returns the program's process group, and the foreground job's if that is another one.
    fn groups(&self) -> Vec<Pid> {
        let own = i32::try_from(self.pid).ok();
        let foreground = rustix::termios::tcgetpgrp(&self.input).ok();
        let mut groups = Vec::from_iter(own);
        groups.extend(foreground.map(|pid| pid.as_raw_nonzero().get()));
        groups.dedup();
        groups.into_iter().map(Pid::from_raw).collect()
    }

    async fn all_gone(&self, groups: &[Pid]) {
        self.wait().await;
        // There is no notification of the end of a process that is not a child.
        while groups.iter().any(|group| killpg(*group, None) != Err(Errno::ESRCH)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn signal(groups: &[Pid], signal: Signal) {
    for group in groups {
        match killpg(*group, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => tracing::warn!(%group, %signal, %error, "a signal was refused"),
        }
    }
}
