//! Tracks the status of a session's program from the marks in its output and from the terminal's
//! foreground.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_shared::event::{Activity, Status};
use moorline_shared::frame::Frame;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::PtyWriter;
use crate::marks::{self, Foreground, Marks, ShellState, this_host};

/// Interval between looks at the terminal's foreground, while there is output or input.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// The number of such looks after the last output or input.
const QUIET_LOOKS: u32 = 8;
/// The number of looks after those, for programs that start or end without output. Each waits twice
/// as long as the one before, 38 s in all.
const LATE_LOOKS: u32 = 7;

/// Time for a shell to read its startup files. Until then it looks like a shell at its prompt. Most
/// have output something by the end of it.
const START_GRACE: Duration = Duration::from_secs(1);

/// Tracks the status of a program. A task of its own watches the terminal's foreground until the
/// program ends.
#[derive(Debug)]
pub(super) struct StatusWatch {
    shell: Mutex<ShellState>,
    /// True if the status has changed since it was last taken.
    is_new: AtomicBool,
    /// Wakes a task in [`StatusWatch::changed`].
    news: Notify,
    /// True if there was output or input since the task last looked.
    is_due: AtomicBool,
    /// Wakes the task that watches the foreground.
    due: Notify,
}

impl StatusWatch {
    /// Starts to watch a program that was just started. Must be called within a tokio runtime.
    pub(super) fn start(terminal: &PtyWriter) -> Arc<Self> {
        let watch = Arc::new(Self {
            shell: Mutex::new(ShellState::new(this_host(), terminal.pid())),
            is_new: AtomicBool::new(false),
            news: Notify::new(),
            is_due: AtomicBool::new(false),
            due: Notify::new(),
        });
        tokio::spawn(Arc::clone(&watch).run(terminal.clone()));
        watch
    }

    /// Returns the status, if it has changed since it was last taken.
    pub(super) fn take(&self) -> Option<Status> {
        self.is_new.swap(false, Ordering::Relaxed).then(|| status_of(&self.shell()))
    }

    /// Waits until [`StatusWatch::take`] may return something.
    pub(super) async fn changed(&self) {
        self.news.notified().await;
    }

    /// Processes terminal output, in a buffer that begins like a [`Frame::buffer`].
    pub(super) fn read(&self, marks: &mut Marks, buffer: &[u8], terminal: &PtyWriter) {
        let mut changed = false;
        marks.push(&buffer[Frame::DATA_START..], |mark, origin| {
            let in_job = terminal.is_in_a_job();
            let mut shell = self.shell();
            let speaker = shell.speaker(origin, in_job);
            changed |= shell.fold(mark, speaker);
        });
        if changed {
            // The caller takes it next.
            self.is_new.store(true, Ordering::Relaxed);
        }
        self.look();
    }

    /// Makes the task look soon, because there was output or input.
    pub(super) fn look(&self) {
        if !self.is_due.swap(true, Ordering::Relaxed) {
            self.due.notify_one();
        }
    }

    async fn run(self: Arc<Self>, terminal: PtyWriter) {
        _ = timeout(START_GRACE, self.looks_due()).await;
        while terminal.exit_status().is_none() {
            self.look_until_quiet(&terminal).await;
            tokio::select! {
                () = self.looks_due() => {}
                _ = terminal.wait() => {}
            }
        }
    }

    /// Watches the terminal's foreground until there was no output or input for a while. Nearly
    /// everything that a shell or a job does next begins with one of them; the late looks are for
    /// the rest.
    async fn look_until_quiet(&self, terminal: &PtyWriter) {
        let (mut last, mut quiet) = (None, 0);
        while let Some(pause) = pause_after(quiet)
            && terminal.exit_status().is_none()
        {
            // Only a long pause can be cut short.
            let was_due = if quiet < QUIET_LOOKS {
                sleep(pause).await;
                self.is_due.swap(false, Ordering::Relaxed)
            } else {
                timeout(pause, self.looks_due()).await.is_ok()
            };
            let seen = terminal.foreground();
            // Only a state that was seen twice in a row is certain.
            if let Some(foreground) = seen.filter(|seen| last == Some(*seen)) {
                self.observe(foreground);
            }
            let is_new = std::mem::replace(&mut last, seen) != seen;
            quiet = if was_due || is_new { 0 } else { quiet + 1 };
        }
    }

    async fn looks_due(&self) {
        while !self.is_due.swap(false, Ordering::Relaxed) {
            self.due.notified().await;
        }
    }

    fn observe(&self, foreground: Foreground) {
        if self.shell().observe(foreground) {
            self.is_new.store(true, Ordering::Relaxed);
            self.news.notify_one();
        }
    }

    fn shell(&self) -> MutexGuard<'_, ShellState> {
        self.shell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how long to wait after `quiet` looks that saw nothing new; `None` to stop looking.
fn pause_after(quiet: u32) -> Option<Duration> {
    match quiet.saturating_sub(QUIET_LOOKS - 1) {
        late @ 0..=LATE_LOOKS => Some(LOOK_EVERY * 2_u32.pow(late)),
        _ => None,
    }
}

fn status_of(shell: &ShellState) -> Status {
    Status {
        status: match shell.activity() {
            marks::ShellActivity::Running => Activity::Running,
            marks::ShellActivity::Idle => Activity::Idle,
        },
        cwd: shell.cwd().map(str::to_owned),
        exit_code: shell.exit_code(),
        command: shell.command_line().map(str::to_owned),
        ..Status::default()
    }
}
