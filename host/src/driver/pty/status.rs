//! What a session's program does, as the marks in its output and the terminal's foreground tell.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_shared::event::{Activity, Status};
use moorline_shared::frame::Frame;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::PtyWriter;
use crate::marks::{self, Foreground, Marks, ShellState, this_host};

/// How often it is looked who has the terminal, while there is output or input.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// How often after the last of it.
const QUIET_LOOKS: u32 = 8;
/// How often after these, for a program that starts or ends without output: each time after twice as
/// long, 38 s in all.
const LATE_LOOKS: u32 = 7;

/// A shell that reads its startup files is not at its prompt, and is not told from one that is. Most
/// have put something out by then.
const START_GRACE: Duration = Duration::from_secs(1);

/// Knows the status of a program. A task of its own looks who has the terminal until the program ends.
#[derive(Debug)]
pub(super) struct StatusWatch {
    shell: Mutex<ShellState>,
    /// The status is another than the one that was last taken.
    is_new: AtomicBool,
    /// Wakes [`StatusWatch::changed`].
    news: Notify,
    /// There was output or input since the task last looked.
    is_due: AtomicBool,
    /// Wakes the task.
    due: Notify,
}

impl StatusWatch {
    /// Begins to watch a program that was just started. Must be called within a tokio runtime.
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

    /// The status, if it has changed since it was last taken.
    pub(super) fn take(&self) -> Option<Status> {
        self.is_new.swap(false, Ordering::Relaxed).then(|| status_of(&self.shell()))
    }

    /// Returns when [`StatusWatch::take`] may have something.
    pub(super) async fn changed(&self) {
        self.news.notified().await;
    }

    /// Takes what was read from the terminal, in a buffer as [`Frame::buffer`] begins one.
    pub(super) fn read(&self, marks: &mut Marks, buffer: &[u8], terminal: &PtyWriter) {
        let mut changed = false;
        marks.push(&buffer[Frame::DATA_START..], |mark, origin| {
            let in_job = terminal.is_in_a_job();
            let mut shell = self.shell();
            let speaker = shell.speaker(origin, in_job);
            changed |= shell.fold(mark, speaker);
        });
        if changed {
            // Whoever reads takes it next.
            self.is_new.store(true, Ordering::Relaxed);
        }
        self.look();
    }

    /// Has the task look soon: there was output or input.
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

    /// Looks who has the terminal until nothing was put out and nothing was typed for a while.
    /// Whatever a shell or a job does next begins with one of them, as a rule: the late looks are for
    /// what does not.
    async fn look_until_quiet(&self, terminal: &PtyWriter) {
        let (mut last, mut quiet) = (None, 0);
        while let Some(pause) = pause_after(quiet)
            && terminal.exit_status().is_none()
        {
            // Only a long pause is cut short.
            let was_due = if quiet < QUIET_LOOKS {
                sleep(pause).await;
                self.is_due.swap(false, Ordering::Relaxed)
            } else {
                timeout(pause, self.looks_due()).await.is_ok()
            };
            let seen = terminal.foreground();
            // What was so twice was so for a moment.
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

/// How long to wait after so many looks that saw nothing new; `None` for good.
fn pause_after(quiet: u32) -> Option<Duration> {
    match quiet.saturating_sub(QUIET_LOOKS - 1) {
        late @ 0..=LATE_LOOKS => Some(LOOK_EVERY * 2_u32.pow(late)),
        _ => None,
    }
}

fn status_of(shell: &ShellState) -> Status {
    Status {
        status: match shell.activity() {
            marks::Activity::Running => Activity::Running,
            marks::Activity::Idle => Activity::Idle,
        },
        cwd: shell.cwd().map(str::to_owned),
        exit_code: shell.exit_code(),
        command: shell.command_line().map(str::to_owned),
        ..Status::default()
    }
}
