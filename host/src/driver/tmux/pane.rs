//! One pane: its output on the way to the log.
//!
//! A task reads the pane's output as fast as tmux writes it, because tmux keeps what nobody reads
//! without a bound. If the log cannot follow, the output is dropped, and the pane is drawn anew
//! later.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_shared::event::{Activity, SessionError, Status, TmuxLayout};
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::session::{ExitReason, ExitStatus, Size};
use moorline_shared::tmux::TmuxSession;
use tokio::sync::Notify;

use super::capture::{self, Capture};
use super::client::ControlClient;
use super::command::TmuxError;
use super::list::ListedPane;
use super::output_queue::OutputQueue;
use super::pane_input::PaneInput;
use super::pipe::{PanePipe, PipeFactory};
use super::protocol::ControlReply;
use crate::driver::DriverOutput;

/// Time before a failed attempt to draw a pane is repeated.
const RETRY: Duration = Duration::from_millis(500);
/// Time allowed for the rest of the output of a pipe that tmux has closed.
const REST_LIMIT: Duration = Duration::from_secs(2);
/// Time that a pane's size must stay the same before it is drawn in its new size.
const SETTLED: Duration = Duration::from_millis(60);

/// The shells that wait for a command when they are in a pane's foreground.
const SHELLS: [&str; 12] =
    ["ash", "bash", "csh", "dash", "elvish", "fish", "ksh", "nu", "sh", "tcsh", "xonsh", "zsh"];

/// A pane that a session shows.
#[derive(Debug)]
pub(super) struct Pane {
    /// Its id, such as `%1`.
    pub(super) id: String,
    /// Input for the pane.
    pub(super) input: Arc<PaneInput>,
    pipes: Arc<PipeFactory>,
    state: Mutex<PaneState>,
    /// Notified when there is something for the session.
    news: Arc<Notify>,
    /// Notified when there is something for the task.
    due: Notify,
    /// Notified when the group must look at its panes.
    group_due: Arc<Notify>,
}

#[derive(Debug, Default)]
struct PaneState {
    queue: OutputQueue,
    /// A further connection that gets the output of all panes, if the pane needs it.
    output_client: Option<Arc<ControlClient>>,
    source: PaneSource,
    /// True if the pane must be drawn anew.
    redraw: bool,
    /// The last size that was seen.
    size: Option<Size>,
    /// The last reports, which are repeated only if they change.
    layout: Option<TmuxSession>,
    status: Option<(Option<String>, Option<String>)>,
    /// How the session ends, once it does. Nothing follows.
    end: Option<ExitStatus>,
    /// True if the task has taken the end.
    has_ended: bool,
    /// The number of pipes so far.
    pipes: u64,
}

/// Where a pane's output comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum PaneSource {
    /// A pipe of tmux's.
    #[default]
    Pipe,
    /// The control stream, because the pane's only pipe is the user's.
    Control {
        /// True once the pane is drawn. Earlier output belongs to what is drawn.
        is_drawn: bool,
    },
}

impl Pane {
    /// Creates a pane. [`Pane::run`] must run for it.
    pub(super) fn new(id: String, pipes: Arc<PipeFactory>, group_due: Arc<Notify>) -> Arc<Self> {
        let state = PaneState { redraw: true, ..PaneState::default() };
        let (state, news, due) = (Mutex::new(state), Arc::<Notify>::default(), Notify::new());
        let input = PaneInput::new(id.clone(), Arc::clone(&news));
        Arc::new(Self { id, input, pipes, state, news, due, group_due })
    }

    /// Waits for the next output of the session.
    pub(super) async fn next(&self) -> DriverOutput {
        loop {
            let mut news = pin!(self.news.notified());
            news.as_mut().enable();
            if let Some(output) = self.pop() {
                return output;
            }
            news.await;
        }
    }

    fn pop(&self) -> Option<DriverOutput> {
        if let Some(typed) = self.input.poll_typed() {
            return Some(DriverOutput::Typed(typed));
        }
        let mut state = self.state();
        let (output, resumes) = state.queue.pop();
        if resumes {
            state.redraw = true;
            self.due.notify_one();
        }
        // The task may still have output to read.
        let end = || DriverOutput::End(state.end.clone().unwrap_or_default());
        output.or_else(|| state.has_ended.then(end))
    }

    /// Sets the connection to the pane's tmux session.
    pub(super) fn connected(&self, client: Option<&Arc<ControlClient>>) {
        self.input.connected(client);
        self.due.notify_one();
    }

    /// Sets the connection that gets the output of all panes. Its panes are drawn anew.
    pub(super) fn output_connected(&self, client: Option<&Arc<ControlClient>>) {
        let mut state = self.state();
        state.output_client = client.cloned();
        state.redraw |= matches!(state.source, PaneSource::Control { .. });
        self.due.notify_one();
    }

    /// Takes what a list says of the pane and of its tmux session.
    pub(super) fn listed(&self, listed: &ListedPane, session: &TmuxSession) {
        let mut state = self.state();
        let size = Size { cols: listed.shown.cols, rows: listed.shown.rows }.clamped();
        if state.size.replace(size).is_some_and(|before| before != size) {
            state.redraw = true;
            self.due.notify_one();
        }
        let is_shell = SHELLS.contains(&listed.shown.command.trim_start_matches('-'));
        let command = (!is_shell).then(|| listed.shown.command.clone());
        let status = (listed.shown.cwd.clone(), command);
        if state.status.as_ref() != Some(&status) {
            let (cwd, command) = status.clone();
            state.status = Some(status);
            let activity = if command.is_some() { Activity::Running } else { Activity::Idle };
            let status =
                Status { status: activity, cwd, command, pid: listed.pid, ..Status::default() };
            self.push(&mut state, DriverOutput::Status(status));
        }
        if state.layout.as_ref() != Some(session) {
            state.layout = Some(session.clone());
            let fields = TmuxLayout { pane: self.id.clone(), session: session.clone() };
            state.queue.replace(DriverOutput::event(&fields));
            self.news.notify_one();
        }
        if listed.shown.dead {
            self.end(&mut state, listed.exit.clone());
        }
    }

    /// Ends the session. An end that is not the pane's own is told in a sentence.
    pub(super) fn close(&self, reason: ExitReason) {
        let mut state = self.state();
        if reason == ExitReason::ServerEnded && state.end.is_none() {
            self.report(&mut state, "tmux_ended", "The tmux server has ended.");
        }
        self.end(&mut state, reason.into());
    }

    fn end(&self, state: &mut PaneState, exit: ExitStatus) {
        state.end.get_or_insert(exit);
        self.input.end();
        self.due.notify_one();
    }

    fn report(&self, state: &mut PaneState, code: &str, message: &str) {
        let (error, code) = (message.to_owned(), Some(code.to_owned()));
        let error = SessionError { error, code, recoverable: None };
        self.push(state, DriverOutput::event(&error));
    }

    /// Makes the control stream the source of the output, because the pipe is the user's.
    pub(super) fn use_control(&self) {
        let mut state = self.state();
        if state.source == PaneSource::Pipe {
            state.source = PaneSource::Control { is_drawn: false };
            state.redraw = true;
            self.group_due.notify_one();
        }
    }

    /// Returns true if the output comes from the control stream.
    pub(super) fn uses_control(&self) -> bool {
        matches!(self.state().source, PaneSource::Control { .. })
    }

    /// Makes the pane be drawn anew: tmux has thrown output of the control stream away.
    pub(super) fn control_paused(&self) {
        let mut state = self.state();
        if matches!(state.source, PaneSource::Control { .. }) {
            state.redraw = true;
            self.due.notify_one();
        }
    }

    /// Asks for what the pane shows if it must be drawn from the control stream. tmux goes on sending
    /// its output, which it may have stopped.
    fn redraw_from_control(&self) {
        let mut state = self.state();
        let is_due = matches!(state.source, PaneSource::Control { .. })
            && state.redraw
            && !state.queue.is_behind();
        let Some(client) = state.output_client.clone().filter(|_| is_due) else { return };
        let id = &self.id;
        let line = format!("{} ; refresh-client -A '{id}:continue'", capture::commands(id));
        if client.capture(id, line, capture::REPLIES + 1).is_ok() {
            state.redraw = false;
            state.source = PaneSource::Control { is_drawn: false };
        }
    }

    /// Takes output of the control stream.
    pub(super) fn control_output(&self, data: &[u8]) {
        let mut state = self.state();
        if state.source == (PaneSource::Control { is_drawn: true }) {
            self.output(&mut state, data);
        }
    }

    /// Draws the pane from the control stream.
    pub(super) fn control_captured(&self, replies: &[ControlReply]) {
        let mut state = self.state();
        match Capture::read(replies) {
            Some(capture) if matches!(state.source, PaneSource::Control { .. }) => {
                state.source = PaneSource::Control { is_drawn: true };
                self.draw(&mut state, &capture);
            }
            // The list of panes tells what has become of it.
            _ => tracing::debug!(pane = self.id, "the pane cannot be drawn"),
        }
    }

    /// Reads the pane's output until its session ends.
    pub(super) async fn run(self: Arc<Self>) {
        let mut pipe: Option<PanePipe> = None;
        let mut buffer = Vec::with_capacity(FRAME_DATA_BYTES);
        loop {
            if self.state().end.is_some() {
                break;
            }
            if self.is_behind() {
                // tmux must not wait for the log.
                pipe = None;
            }
            self.redraw_from_control();
            if let Some(client) = self.redraw_due() {
                match self.redraw(&client, &mut pipe).await {
                    Ok(()) => {}
                    Err(error) => {
                        tracing::debug!(pane = self.id, %error, "the pane cannot be drawn");
                        self.state().redraw = true;
                        // A pane that is gone is told by the next list.
                        let mut due = pin!(self.due.notified());
                        _ = tokio::time::timeout(RETRY, due.as_mut()).await;
                    }
                }
                continue;
            }
            buffer.clear();
            let read = async {
                match &mut pipe {
                    Some(pipe) => pipe.read(&mut buffer).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.due.notified() => {}
                read = read => match read {
                    Ok(true) => self.output(&mut self.state(), &buffer),
                    Ok(false) => {
                        pipe = None;
                        self.pipe_closed();
                    }
                    Err(error) => {
                        tracing::warn!(pane = self.id, %error, "the pane's pipe cannot be read");
                        pipe = None;
                        self.pipe_closed();
                    }
                },
            }
        }
        self.finish(pipe).await;
    }

    /// Reads what is left of the pipe, and ends the session.
    async fn finish(&self, pipe: Option<PanePipe>) {
        if let Some(mut pipe) = pipe {
            if let Some(client) = self.input.client() {
                let pane = &self.id;
                let close =
                    format!("pipe-pane -t {pane} ; set-option -p -u -t {pane} @moorline_pipe");
                _ = client.ask(close, 2).await;
            }
            self.read_rest(&mut pipe).await;
        }
        let mut state = self.state();
        state.queue.finish();
        state.has_ended = true;
        self.news.notify_one();
    }

    fn is_behind(&self) -> bool {
        self.state().queue.is_behind()
    }

    /// Returns the connection by which the pane must be drawn now from a new pipe.
    fn redraw_due(&self) -> Option<Arc<ControlClient>> {
        let state = self.state();
        let is_due = state.redraw && !state.queue.is_behind() && state.source == PaneSource::Pipe;
        self.input.client().filter(|_| is_due)
    }

    /// Pipes the pane to this host anew, and draws it as it was at that moment.
    async fn redraw(
        &self,
        client: &ControlClient,
        pipe: &mut Option<PanePipe>,
    ) -> Result<(), TmuxError> {
        // While a window is being resized, only its last size matters.
        if pipe.is_some() {
            tokio::time::sleep(SETTLED).await;
        }
        let name = {
            let mut state = self.state();
            state.redraw = false;
            state.pipes += 1;
            format!("{}-{:x}-{}", std::process::id(), self.number(), state.pipes)
        };
        let next = self.pipes.create(&name).map_err(TmuxError::Pipe)?;
        let open = self.pipes.commands(&self.id, &next);
        let line = format!("{open} ; {}", capture::commands(&self.id));
        let replies = client.ask(line, 2 + capture::REPLIES).await?;
        if let Some(mut last) = pipe.take() {
            // tmux has closed it before it took the picture.
            self.read_rest(&mut last).await;
        }
        let captured = replies.get(2..).and_then(Capture::read);
        let Some(capture) = captured else {
            let refused = replies.last().map(ControlReply::text).unwrap_or_default();
            return Err(TmuxError::Refused(refused));
        };
        self.draw(&mut self.state(), &capture);
        *pipe = Some(next);
        Ok(())
    }

    /// Returns a number that names this pane among all servers.
    fn number(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    async fn read_rest(&self, pipe: &mut PanePipe) {
        let rest = async {
            let mut buffer = Vec::with_capacity(FRAME_DATA_BYTES);
            while let Ok(true) = pipe.read(&mut buffer).await {
                self.output(&mut self.state(), &buffer);
                buffer.clear();
            }
        };
        _ = tokio::time::timeout(REST_LIMIT, rest).await;
    }

    /// tmux has closed the pipe: the pane has ended, or its user has opened a pipe instead.
    fn pipe_closed(&self) {
        let mut state = self.state();
        if !state.redraw && !state.queue.is_behind() && state.end.is_none() {
            tracing::debug!(pane = self.id, "the pane's pipe was closed");
            state.source = PaneSource::Control { is_drawn: false };
            state.redraw = true;
            self.group_due.notify_one();
        }
    }

    fn draw(&self, state: &mut PaneState, capture: &Capture) {
        self.push(state, DriverOutput::Size(capture.size));
        state.size = Some(capture.size);
        state.queue.draw(&capture.bytes);
        self.news.notify_one();
    }

    fn output(&self, state: &mut PaneState, data: &[u8]) {
        if state.queue.output(data) {
            self.report(
                state,
                "output_skipped",
                "The pane was faster than this log: some of its output is missing.",
            );
            self.due.notify_one();
        }
        self.news.notify_one();
    }

    fn push(&self, state: &mut PaneState, output: DriverOutput) {
        if !state.has_ended {
            state.queue.push(output);
            self.news.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, PaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
