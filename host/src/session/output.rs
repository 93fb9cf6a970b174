//! A session's terminal: the task that reads it, and those that wait for it.

use std::future::pending;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::BytesMut;
use moorline_shared::frame::Frame;
use moorline_shared::limits::HOST_KEEPS_BYTES;
use moorline_shared::session::ExitStatus;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::{Session, State, TaskState, Watch};
use crate::clock::{monotonic, wall_ms};
use crate::driver::pty::{PtyReader, PtyWriter};

/// How long a process may take to end once its terminal is gone.
const HANG_UP_GRACE: Duration = Duration::from_secs(3);

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

impl Session {
    /// Reads the terminal until the program has ended and everything that it wrote is in the log.
    pub(super) async fn follow(self: Arc<Self>, mut reader: PtyReader, terminal: PtyWriter) {
        loop {
            match reader.read().await {
                Ok(Some(buffer)) => {
                    let mut full = self.put_out(buffer);
                    while full {
                        self.room.notified().await;
                        full = self.lock().is_far_ahead();
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(session = %self.id(), %error, "the terminal cannot be read");
                    // What nobody can see must not go on.
                    terminal.kill(HANG_UP_GRACE).await;
                    break;
                }
            }
        }
        let status = terminal.wait().await;
        self.exited(status);
    }

    /// True where the terminal should not be read for now.
    fn put_out(self: &Arc<Self>, buffer: BytesMut) -> bool {
        let mut state = self.lock();
        if state.append(buffer) {
            self.tell_status(&mut state);
        }
        let full = state.is_far_ahead();
        state.settle();
        full
    }

    fn exited(self: &Arc<Self>, status: ExitStatus) {
        tracing::info!(session = %self.id(), code = status.code, signal = status.signal, "ended");
        let mut state = self.lock();
        self.tell_exited(&mut state, &status);
        state.publisher.exited(status);
        state.settle();
    }
}

impl State {
    /// Adds output to the log. True where the shell has told something new of itself.
    pub(super) fn append(&mut self, buffer: BytesMut) -> bool {
        if self.abandoned {
            return false;
        }
        match self.publisher.append(wall_ms(), buffer) {
            Ok(frame) => {
                self.show(&frame);
                let mut changed = false;
                let (shell, terminal) = (&mut self.shell, &self.terminal);
                self.marks.push(frame.data(), |mark, origin| {
                    let speaker = shell.speaker(origin, terminal.is_in_a_job());
                    changed |= shell.fold(mark, speaker);
                });
                self.foreground.ask();
                changed
            }
            Err(error) => {
                tracing::error!(%error, "output was dropped");
                false
            }
        }
    }

    /// Gives output to the screen, with the queries where they end.
    fn show(&mut self, frame: &Frame) {
        let (publisher, mut asked) = (&mut self.publisher, Vec::new());
        self.queries.push(frame.data(), |end, query| {
            let (now, seq) = (monotonic(), frame.seq());
            let id = if query.is_for_host() {
                publisher.asked_of_host(now, seq)
            } else {
                publisher.asked(now, seq)
            };
            if let Some(id) = id {
                asked.push((end, id, query));
            }
        });
        self.painter.push(frame, asked);
    }

    /// The terminal is not read while too much is not durable at the relay, or not painted: the
    /// program waits, as it does before a slow terminal.
    fn is_far_ahead(&self) -> bool {
        let ahead = self.publisher.unacked_bytes().max(self.painter.pending_bytes());
        !self.abandoned && ahead > HOST_KEEPS_BYTES
    }

    /// Writes input to the terminal, as much as it takes.
    pub(super) fn write_input(&mut self) {
        while let Some(input) = self.publisher.input() {
            let taken = match self.terminal.try_write(input) {
                Ok(0) => {
                    self.input.ask();
                    return;
                }
                Ok(taken) => taken,
                // The program has closed its terminal: nobody will ever read this.
                Err(error) => {
                    tracing::debug!(%error, "input was dropped");
                    input.len()
                }
            };
            self.publisher.input_taken(taken);
            self.foreground.ask();
        }
    }
}

/// Starts the tasks that are due.
pub(super) fn start_tasks(session: &Arc<Session>, state: &mut State) {
    if state.input.start() {
        tokio::spawn(wait_for_input_room(Arc::clone(session), state.terminal.clone()));
    }
    if state.foreground.start() {
        let (weak, renewed) = (Arc::downgrade(session), Arc::clone(&session.renewed));
        tokio::spawn(watch_foreground(weak, renewed, state.terminal.clone()));
    }
    if state.foreground.is_renewed() {
        session.renewed.notify_one();
    }
    start_patience(session, state);
    if state.hang_up.start() {
        let terminal = state.terminal.clone();
        tokio::spawn(async move { terminal.kill(HANG_UP_GRACE).await });
    }
}

/// Has it looked who has the terminal, though the program may not have put out anything.
pub(super) async fn look_after_start(session: Weak<Session>) {
    sleep(START_GRACE).await;
    let Some(session) = session.upgrade() else { return };
    let mut state = session.lock();
    state.foreground.ask();
    state.settle();
}

/// Looks who has the terminal until nothing was put out and nothing was typed for a while. Whatever a
/// shell or a job does next begins with one of them, as a rule: the late looks are for what does not.
async fn watch_foreground(session: Weak<Session>, renewed: Arc<Notify>, terminal: PtyWriter) {
    let (mut last, mut quiet) = (None, 0);
    while let Some(pause) = pause_after(quiet)
        && terminal.exit_status().is_none()
    {
        // Only a long pause is cut short.
        let is_cut =
            async { if quiet < QUIET_LOOKS { pending().await } else { renewed.notified().await } };
        let _ = timeout(pause, is_cut).await;
        let Some(session) = session.upgrade() else { return };
        let seen = terminal.foreground();
        let mut state = session.lock();
        // What was so twice was so for a moment.
        if let Some(foreground) = seen.filter(|seen| last == Some(*seen))
            && state.shell.observe(foreground)
        {
            session.tell_status(&mut state);
        }
        let is_new = std::mem::replace(&mut last, seen) != seen;
        quiet = if state.foreground.take_renewed() || is_new { 0 } else { quiet + 1 };
        if pause_after(quiet).is_none() {
            state.foreground = Watch::No;
        }
        state.settle();
    }
}

/// How long to wait after so many looks that saw nothing new; `None` for good.
fn pause_after(quiet: u32) -> Option<Duration> {
    match quiet.saturating_sub(QUIET_LOOKS - 1) {
        late @ 0..=LATE_LOOKS => Some(LOOK_EVERY * 2_u32.pow(late)),
        _ => None,
    }
}

async fn wait_for_input_room(session: Arc<Session>, terminal: PtyWriter) {
    let ready = tokio::select! {
        ready = terminal.writable() => ready.is_ok(),
        _ = terminal.wait() => false,
    };
    let mut state = session.lock();
    if ready {
        state.input = TaskState::No;
    }
    state.settle();
}

/// Has the publisher look again at the queries that a client does not answer in time.
fn start_patience(session: &Arc<Session>, state: &mut State) {
    let Some(until) = state.publisher.poll_timeout().filter(|_| !state.is_patient) else { return };
    state.is_patient = true;
    let session = Arc::downgrade(session);
    tokio::spawn(async move {
        tokio::time::sleep(until - monotonic()).await;
        let Some(session) = session.upgrade() else { return };
        let mut state = session.lock();
        state.is_patient = false;
        state.publisher.tick(monotonic());
        state.settle();
    });
}
