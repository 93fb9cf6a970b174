//! The writing half of a terminal, and everything else that is done to it.

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

/// Takes input, sizes and signals. Clones are of the same terminal.
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

    /// Writes as much as the terminal takes now and tells how many bytes that was; 0 where it
    /// takes none, then wait for [`PtyWriter::writable`].
    ///
    /// # Errors
    /// What the system says; `EIO` where the program has closed its terminal.
    pub fn try_write(&self, input: &[u8]) -> io::Result<usize> {
        match self.input.try_write(input) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            written => written,
        }
    }

    /// Waits until the terminal may take input. It may turn out to take none: try again.
    ///
    /// # Errors
    /// Where the runtime shuts down.
    pub async fn writable(&self) -> io::Result<()> {
        self.input.writable().await
    }

    /// Gives the terminal another size, within the limits; the program is told by `SIGWINCH`.
    ///
    /// # Errors
    /// What the system says.
    pub fn resize(&self, size: Size) -> io::Result<()> {
        let size = size.clamped();
        let size = Winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(&self.input, size)?)
    }

    /// Who has the terminal now; `None` where the system does not tell.
    #[must_use]
    pub fn foreground(&self) -> Option<Foreground> {
        foreground::look(&self.input, self.pid)
    }

    /// Whether the terminal's foreground is not the program itself but a job that it has started.
    #[must_use]
    pub fn is_in_a_job(&self) -> bool {
        foreground::has_leader(&self.input, self.pid) == Some(false)
    }

    /// The program's process id, which is its process group's and session's too.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How the program ended; `None` while it runs.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.exit.borrow().clone()
    }

    /// Waits for the program's end and tells how it ended. Read the output to its end first:
    /// what the program wrote last may still be in the terminal.
    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.ok().and_then(|status| status.clone());
        // Only a runtime that shuts down drops the waiting task before it has told.
        status.unwrap_or_default()
    }

    /// Hangs up: `SIGHUP` to the program's process group and to the one in the terminal's
    /// foreground; after `grace`, `SIGKILL` to what is left of both. Returns once nothing is
    /// left or `SIGKILL` was sent. A program that has ended is left alone.
    pub async fn kill(&self, grace: Duration) {
        if self.exit_status().is_some() {
            return;
        }
        let groups = self.groups();
        signal(&groups, Signal::SIGHUP);
        // A stopped process sees the hang-up only when it goes on.
        signal(&groups, Signal::SIGCONT);
        if timeout(grace, self.all_gone(&groups)).await.is_err() {
            signal(&groups, Signal::SIGKILL);
        }
    }

    /// The program's process group, and the foreground job's where that is another.
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
        // No one tells of the end of a process that is not ours.
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
