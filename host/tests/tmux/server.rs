//! A tmux server of a test, and sessions of the driver.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use moorline_host::driver::tmux::TmuxDriver;
use moorline_host::driver::{
    Driver, DriverError, DriverOutput, OpenedTerminal, PaneWish, SessionControl, SessionSpec,
    StartedSession, StoredCheckpoint, TerminalOpener, TerminalWish,
};
use moorline_shared::control::Facts;
use moorline_shared::event::Status;
use moorline_shared::frame::Frame;
use moorline_shared::session::{ExitStatus, Size};
use moorline_shared::tmux::{TmuxAction, TmuxAnswer, TmuxQuestion, TmuxSession, TmuxSpec};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// Far longer than anything in these tests takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a condition that nothing notifies about.
pub(crate) async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let held = async {
        while !holds() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, held).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

/// A tmux server of its own, which ends with the test.
pub(crate) struct TestServer {
    pub(crate) folder: TempDir,
}

impl TestServer {
    /// Starts a server with one session `work` of 80 × 24, in which a shell runs.
    pub(crate) fn start() -> Self {
        let server = Self { folder: tempfile::tempdir().unwrap() };
        server.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-s",
            "work",
            "-x",
            "80",
            "-y",
            "24",
            "env PS1='$ ' sh",
        ]);
        server.tmux(&["set-option", "-g", "default-command", "env PS1='$ ' sh"]);
        server
    }

    pub(crate) fn socket(&self) -> String {
        self.folder.path().join("socket").to_str().unwrap().to_owned()
    }

    /// Runs a command of tmux, and returns what it prints.
    pub(crate) fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.socket()).args(arguments).env_remove("TMUX");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
    }

    pub(crate) fn driver(&self) -> TmuxDriver {
        TmuxDriver::new(Some(self.folder.path()), super::processes::pane_pipe())
    }

    pub(crate) fn spec(&self, tmux: TmuxSpec, opener: &Arc<RecordingOpener>) -> SessionSpec {
        let tmux = TmuxSpec { socket: Some(self.socket()), ..tmux };
        SessionSpec {
            session_id: "session_1".parse().unwrap(),
            facts: Facts {
                driver: "tmux".into(),
                tmux: Some(tmux),
                size: Size { cols: 80, rows: 24 },
                ..Facts::default()
            },
            cwd: None,
            fork: None,
            variables: [].into(),
            opener: Some(Arc::clone(opener) as Arc<dyn TerminalOpener>),
            workspace: None,
        }
    }

    /// Opens a pane.
    pub(crate) async fn open(&self, driver: &TmuxDriver, pane: &str) -> Shown {
        self.start_session(driver, pane_spec(pane)).await
    }

    /// Opens or creates what a spec says.
    pub(crate) async fn start_session(&self, driver: &TmuxDriver, spec: TmuxSpec) -> Shown {
        let opener = Arc::default();
        let started = driver.start(self.spec(spec, &opener)).await.unwrap();
        Shown::follow(started, opener)
    }

    /// Returns the reason why a pane cannot be opened.
    pub(crate) async fn refused(&self, driver: &TmuxDriver, spec: TmuxSpec) -> DriverError {
        driver.start(self.spec(spec, &Arc::default())).await.unwrap_err()
    }

    /// Shows a pane again after its host has ended.
    pub(crate) async fn restore(
        &self,
        driver: &TmuxDriver,
        pane: &str,
        checkpoint: StoredCheckpoint,
    ) -> Result<Shown, DriverError> {
        let opener = Arc::default();
        let started = driver.restore(self.spec(pane_spec(pane), &opener), checkpoint).await?;
        Ok(Shown::follow(started, opener))
    }

    /// A file of the test.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        _ = command.arg("-S").arg(self.socket()).arg("kill-server").output();
    }
}

pub(crate) fn pane_spec(pane: &str) -> TmuxSpec {
    TmuxSpec { pane: Some(pane.to_owned()), ..TmuxSpec::default() }
}

/// What was read of a session.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sizes: Vec<Size>,
    pub(crate) layouts: Vec<TmuxSession>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) errors: Vec<String>,
    pub(crate) end: Option<ExitStatus>,
    /// Bytes of input that tmux has typed.
    pub(crate) typed: u64,
}

/// A session whose output is read by a task.
pub(crate) struct Shown {
    pub(crate) control: Arc<dyn SessionControl>,
    pub(crate) opener: Arc<RecordingOpener>,
    heard: Arc<Mutex<Heard>>,
    /// Makes the task read, or not.
    reading: tokio::sync::watch::Sender<bool>,
}

impl Shown {
    pub(crate) fn follow(started: StartedSession, opener: Arc<RecordingOpener>) -> Self {
        let heard = Arc::<Mutex<Heard>>::default();
        let (reading, mut may_read) = tokio::sync::watch::channel(true);
        let StartedSession { mut output, control, .. } = started;
        tokio::spawn({
            let heard = Arc::clone(&heard);
            async move {
                while may_read.wait_for(|may_read| *may_read).await.is_ok() {
                    let output = output.next().await;
                    if !heard.lock().unwrap().take(output) {
                        break;
                    }
                }
            }
        });
        Self { control, opener, heard, reading }
    }

    pub(crate) fn read(&self, reads: bool) {
        self.reading.send_replace(reads);
    }

    pub(crate) fn heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.heard.lock().unwrap())
    }

    /// Waits until what was heard is like this.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Heard) -> bool) {
        let held = async {
            while !self.heard(&holds) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(PATIENCE, held).await.is_err() {
            let mut told = String::new();
            self.heard(|heard| {
                let bytes = heard.bytes.len().saturating_sub(2000);
                let text = String::from_utf8_lossy(&heard.bytes[bytes..]).into_owned();
                _ = write!(told, "{text:?} {:?} {:?}", heard.end, heard.errors);
            });
            panic!("waited in vain: {what}: {told}");
        }
    }

    /// Waits until the output has this text.
    pub(crate) async fn until_text(&self, text: &str) {
        self.until(text, |heard| contains(&heard.bytes, text.as_bytes())).await;
    }

    pub(crate) async fn type_in(&self, input: &[u8]) {
        let mut rest = input;
        while !rest.is_empty() {
            let taken = self.control.write(rest).unwrap();
            rest = &rest[taken..];
            if taken == 0 {
                assert!(self.control.writable().await, "the session is over");
            }
        }
    }

    /// Carries out an action, and returns the tmux session after it.
    pub(crate) async fn act(&self, action: TmuxAction) -> TmuxSession {
        match self.control.tmux(TmuxQuestion::Act(action)).await {
            TmuxAnswer::Shown { session, .. } => session,
            TmuxAnswer::Failed(why) => panic!("{why:?}"),
        }
    }

    pub(crate) fn checkpoint(&self) -> StoredCheckpoint {
        let state = self.control.checkpoint(&[].into()).state;
        StoredCheckpoint { state, ..StoredCheckpoint::default() }
    }
}

impl Heard {
    /// Takes an output. Returns false at the end.
    fn take(&mut self, output: DriverOutput) -> bool {
        match output {
            DriverOutput::Bytes(buffer) => {
                self.bytes.extend_from_slice(&buffer[Frame::DATA_START..]);
            }
            DriverOutput::Size(size) => self.sizes.push(size),
            DriverOutput::Typed(bytes) => self.typed = bytes,
            DriverOutput::Status(status) => self.statuses.push(status),
            DriverOutput::Event { kind: "tmux-layout", fields } => {
                let session = fields["session"].clone();
                self.layouts.push(serde_json::from_value(session).unwrap());
            }
            DriverOutput::Event { kind: "session-error", fields } => {
                let Value::String(code) = &fields["code"] else { panic!("{fields:?}") };
                self.errors.push(code.clone());
            }
            DriverOutput::End(status) => {
                self.end = Some(status);
                return false;
            }
            other => panic!("unexpected: {other:?}"),
        }
        true
    }
}

pub(crate) fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Records the panes that a driver opens.
#[derive(Debug, Default)]
pub(crate) struct RecordingOpener {
    opened: Mutex<Vec<PaneWish>>,
}

impl RecordingOpener {
    pub(crate) fn panes(&self) -> Vec<String> {
        let opened = self.opened.lock().unwrap();
        opened.iter().map(|wish| wish.spec.pane.clone().unwrap()).collect()
    }
}

impl TerminalOpener for RecordingOpener {
    fn open(&self, _: TerminalWish) -> BoxFuture<'static, Result<OpenedTerminal, String>> {
        unreachable!("no terminal is opened")
    }

    fn open_pane(&self, wish: PaneWish) -> BoxFuture<'static, Result<(), String>> {
        self.opened.lock().unwrap().push(wish);
        Box::pin(async { Ok(()) })
    }
}
