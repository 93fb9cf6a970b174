//! A program on a terminal, used as a person would.

use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use moorline_shared::session::Size;
use pty_process::OwnedWritePty;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;
use tokio::task::JoinHandle;

use crate::screen::{Screen, Shown};
use crate::wait::{wait_until, within};

/// A program and the terminal that it runs on. Dropping it kills the program.
pub struct OnTerminal {
    child: Child,
    keyboard: OwnedWritePty,
    screen: Arc<Mutex<Screen>>,
    /// All output of the program.
    output: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl OnTerminal {
    /// Starts the program on a terminal of 80 × 24.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(program: &Path, arguments: &[&str], variables: &[(&str, String)]) -> Result<Self> {
        let (pty, pts) = pty_process::open()?;
        let size = Size::default();
        pty.resize(pty_process::Size::new(size.rows, size.cols))?;
        let command = pty_process::Command::new(program)
            .args(arguments)
            .env("TERM", "xterm-256color")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        let child = command.spawn(pts).context("cannot start the program")?;
        let (mut output, keyboard) = pty.into_split();
        let screen = Arc::new(Mutex::new(Screen::new(size)));
        let shared = Arc::clone(&screen);
        let output_so_far = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&output_so_far);
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; 64 * 1024];
            // Once its program has ended, reading a terminal fails.
            while let Ok(read @ 1..) = output.read(&mut buffer).await {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(&buffer[..read]);
                shared.lock().unwrap_or_else(PoisonError::into_inner).apply(&buffer[..read]);
            }
        });
        Ok(Self { child, keyboard, screen, output: output_so_far, reader })
    }

    /// Types into the terminal.
    ///
    /// # Errors
    /// If the program is gone.
    pub async fn type_input(&mut self, data: &[u8]) -> Result<()> {
        Ok(self.keyboard.write_all(data).await?)
    }

    /// Text and cursor that the terminal shows.
    #[must_use]
    pub fn shown(&self) -> Shown {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).shown()
    }

    /// All output of the program, as text.
    #[must_use]
    pub fn output(&self) -> String {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&output).into_owned()
    }

    /// Sends the program a signal.
    ///
    /// # Errors
    /// If it has ended, or the system refuses the signal.
    pub fn signal(&self, signal: rustix::process::Signal) -> Result<()> {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw).context("it has ended")?;
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    /// Waits until the terminal shows a line that contains this text.
    ///
    /// # Errors
    /// If it does not, with what the terminal shows instead.
    pub async fn until_shown(&self, text: &str) -> Result<()> {
        let shows = async || self.shown().lines.iter().any(|line| line.contains(text));
        let waited = wait_until(&format!("{text:?} on the terminal"), shows).await;
        waited.with_context(|| format!("it shows {:#?}", self.shown()))
    }

    /// Waits for the program to end by itself.
    ///
    /// # Errors
    /// If it does not, with what the terminal shows.
    pub async fn until_ended(&mut self) -> Result<ExitStatus> {
        let status = within("the program to end", self.child.wait()).await;
        Ok(status.with_context(|| format!("it shows {:#?}", self.shown()))??)
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
