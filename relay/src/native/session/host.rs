//! The host of a session that runs on this machine: a publisher over a terminal.

use std::sync::Arc;
use std::time::Duration;

use moorline_host::marks::{Marks, ShellState, this_host};
use moorline_host::pty::PtyWriter;
use moorline_host::publisher::{Output, Publisher, Task};
use moorline_shared::id::Epoch;
use moorline_shared::message::Snapshot;
use moorline_shared::publish::HostMessage;
use moorline_shared::session::Size;

use super::painter::Painter;
use super::{SessionHandle, State};
use crate::native::metrics::Metrics;

/// How long a process may take to end once its terminal is gone.
pub(super) const HANG_UP_GRACE: Duration = Duration::from_secs(3);

/// How much the session learned from its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Heard {
    /// Nothing, or that input was accepted which came in just now.
    OwnInputOnly,
    /// Something that clients must be told.
    More,
}

/// See the module.
#[derive(Debug)]
pub struct LocalHost {
    pub(super) publisher: Publisher,
    pub(super) terminal: PtyWriter,
    pub(super) painter: Painter,
    marks: Marks,
    /// What the session's shell says of itself.
    pub(super) shell: ShellState,
    /// The terminal takes no input now.
    input: Waiting,
    closing: Closing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    No,
    Due,
    Started,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    Due,
    Started,
}

impl LocalHost {
    /// The host of a process that was just started.
    #[must_use]
    pub fn new(epoch: Epoch, size: Size, terminal: PtyWriter) -> Self {
        Self::with(Publisher::new(epoch, size), Painter::new(size), terminal)
    }

    /// The host of a process that was just started, whose log goes on after `picture`.
    #[must_use]
    pub fn forked(epoch: Epoch, size: Size, picture: &Snapshot, terminal: PtyWriter) -> Self {
        let publisher = Publisher::starting_after(epoch, picture.seq, size);
        Self::with(publisher, Painter::after(picture, size), terminal)
    }

    fn with(publisher: Publisher, painter: Painter, terminal: PtyWriter) -> Self {
        Self {
            publisher,
            terminal,
            painter,
            marks: Marks::new(),
            shell: ShellState::new(this_host()),
            input: Waiting::No,
            closing: Closing::No,
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.terminal.pid()
    }

    pub(super) fn close(&mut self) {
        if self.closing == Closing::No {
            self.closing = Closing::Due;
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.painter.is_idle()
    }

    /// Looks for what the shell says of itself. True where that has changed.
    pub(super) fn hear_shell(&mut self, output: &[u8]) -> bool {
        let mut changed = false;
        self.marks.push(output, |mark| changed |= self.shell.fold(mark));
        changed
    }

    /// Writes input to the terminal, as much as it takes.
    fn write_input(&mut self) {
        while let Some(input) = self.publisher.input() {
            let taken = match self.terminal.try_write(input) {
                Ok(0) => {
                    self.input = self.input.due();
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
        }
    }

    fn resize(&mut self, size: Size) {
        self.painter.resize(size);
        if let Err(error) = self.terminal.resize(size) {
            tracing::debug!(%error, "the terminal could not be resized");
        }
    }
}

impl Waiting {
    fn due(self) -> Self {
        if self == Self::No { Self::Due } else { self }
    }
}

impl State {
    /// Lets session and host say to each other what they have to.
    pub(super) fn converse(&mut self, metrics: &Metrics) -> Heard {
        let Some(host) = &mut self.host else { return Heard::OwnInputOnly };
        let mut heard = match host.publisher.input() {
            // Others' input may be accepted together with what came in just now.
            Some(_) => Heard::More,
            None => Heard::OwnInputOnly,
        };
        loop {
            while let Some(command) = self.session.poll_command() {
                host.publisher.command(command);
            }
            host.write_input();
            let mut silent = true;
            while let Some(output) = host.publisher.poll_output() {
                silent = false;
                match output {
                    Output::Message(message) => {
                        if !matches!(message, HostMessage::InputAck { .. }) {
                            heard = Heard::More;
                        }
                        if let HostMessage::Entry(entry) = &message {
                            metrics.entry(entry);
                        }
                        if let Err(error) = self.session.host_message(message) {
                            // Both ends are ours, so this is a bug; the session cannot go on.
                            tracing::error!(%error, "the host's link is broken");
                            host.close();
                        }
                    }
                    Output::Task(Task::Appended(seq)) => host.painter.count(seq),
                    Output::Task(Task::Resize(size)) => host.resize(size),
                    Output::Task(Task::MakePicture) => host.painter.want(),
                    Output::Task(Task::Close) => host.close(),
                }
            }
            if silent {
                return heard;
            }
        }
    }
}

/// Starts the tasks that wait for what the host waits for.
pub(super) fn start_waiting(handle: &Arc<SessionHandle>, state: &mut State) {
    let Some(host) = &mut state.host else { return };
    if host.input == Waiting::Due {
        host.input = Waiting::Started;
        tokio::spawn(wait_for_input_room(Arc::clone(handle), host.terminal.clone()));
    }
    if host.closing == Closing::Due {
        host.closing = Closing::Started;
        let terminal = host.terminal.clone();
        tokio::spawn(async move { terminal.kill(HANG_UP_GRACE).await });
    }
}

async fn wait_for_input_room(handle: Arc<SessionHandle>, terminal: PtyWriter) {
    let ready = tokio::select! {
        ready = terminal.writable() => ready.is_ok(),
        _ = terminal.wait() => false,
    };
    let mut state = handle.lock();
    if let Some(host) = &mut state.host
        && ready
    {
        host.input = Waiting::No;
    }
    state.settle();
}
