//! A connection to a tmux server in control mode.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::pin::pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use super::command::{ServerSocket, TmuxError, quoted};
use super::protocol::{ControlEvent, ControlParser, ControlReply};

/// Time allowed for the reply to a line of commands.
const REPLY_LIMIT: Duration = Duration::from_secs(10);
/// Bytes that are read from tmux at a time.
const READ_BYTES: usize = 64 * 1024;
/// Most lines that wait to be written.
const LINES_WAITING: usize = 1024;
/// Most lines whose replies have not come while further input is taken. The rest is for questions.
const INPUT_LINES: usize = LINES_WAITING / 2;

/// What a connection reports besides replies.
#[derive(Debug)]
pub(super) enum ClientEvent {
    /// Something has changed in the server.
    Notice,
    /// Output of a pane.
    Output { pane: String, data: Vec<u8> },
    /// Output of a pane was thrown away.
    Paused { pane: String },
    /// The replies to [`ControlClient::capture`].
    Captured { pane: String, replies: Vec<ControlReply> },
    /// The connection has ended.
    Ended {
        /// tmux's reason, if it has one.
        reason: String,
    },
}

/// The origin of input that a connection types into a pane.
pub(super) trait InputOwner: Debug + Send + Sync {
    /// Returns the pane's id.
    fn pane(&self) -> &str;

    /// Takes note that tmux has typed this many further bytes.
    fn typed(&self, bytes: usize);

    /// Takes input back, because the connection has ended without having typed it: tmux confirms what
    /// it has done before it ends a connection. Called in the order of the input.
    fn untyped(self: Arc<Self>, bytes: &[u8]);
}

/// A connection to one tmux session. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct ControlClient {
    lines: mpsc::Sender<String>,
    waiting: Arc<Mutex<WaitingReplies>>,
    /// Notified whenever a reply has come, so that there may be room for input.
    replied: Arc<Notify>,
}

/// The lines of commands whose replies have not all come, in the order in which they were sent.
#[derive(Debug, Default)]
struct WaitingReplies {
    lines: VecDeque<WaitingLine>,
    /// Bytes of input in `lines`.
    input_bytes: usize,
    has_ended: bool,
}

#[derive(Debug)]
struct WaitingLine {
    /// The number of commands in the line.
    commands: usize,
    replies: Vec<ControlReply>,
    answer: ReplyTaker,
}

/// Who gets the replies to a line.
#[derive(Debug)]
enum ReplyTaker {
    /// The origin of the bytes that the line types.
    Input {
        owner: Arc<dyn InputOwner>,
        bytes: Vec<u8>,
    },
    Asked(oneshot::Sender<Vec<ControlReply>>),
    /// Whoever takes the events, for this pane.
    Event(String),
}

impl WaitingReplies {
    /// Takes a reply, and returns its line if that is complete. After an error, tmux skips the other
    /// commands of the line.
    fn take(&mut self, reply: ControlReply) -> Option<WaitingLine> {
        let line = self.lines.front_mut()?;
        let is_error = reply.is_error;
        line.replies.push(reply);
        if !is_error && line.replies.len() < line.commands {
            return None;
        }
        let line = self.lines.pop_front()?;
        self.input_bytes -= line.input_bytes();
        Some(line)
    }

    /// Returns true if input can wait, too, besides less than `limit` bytes.
    fn has_room(&self, limit: usize) -> bool {
        self.input_bytes < limit && self.lines.len() < INPUT_LINES
    }
}

impl WaitingLine {
    const fn input_bytes(&self) -> usize {
        match &self.answer {
            ReplyTaker::Input { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }

    /// Tells who waits for it that the line is complete.
    fn complete(self) -> Option<ClientEvent> {
        let Self { replies, answer, .. } = self;
        match answer {
            ReplyTaker::Input { owner, bytes } => {
                // Input that tmux has refused was for a pane that is gone.
                owner.typed(bytes.len());
                None
            }
            ReplyTaker::Asked(answer) => {
                // Whoever asked may have gone.
                _ = answer.send(replies);
                None
            }
            ReplyTaker::Event(pane) => Some(ClientEvent::Captured { pane, replies }),
        }
    }
}

impl ControlClient {
    /// Attaches to a session of a server. It shows nothing, and decides no sizes. `flags` are those
    /// of the client, after `ignore-size`. Events go to `events`; who does not take them slows tmux
    /// down, so they must always be taken.
    ///
    /// # Errors
    /// [`TmuxError::Program`].
    pub(super) fn attach(
        server: &ServerSocket,
        session: &str,
        flags: &str,
        events: mpsc::Sender<ClientEvent>,
    ) -> Result<Self, TmuxError> {
        let mut command = server.command();
        command.args(["-C", "attach-session", "-t", session, "-f"]);
        command.arg(format!("ignore-size,{flags}"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Signals for the host's group are not for it.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(TmuxError::Program)?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (lines, receiver) = mpsc::channel(LINES_WAITING);
        let waiting = Arc::<Mutex<WaitingReplies>>::default();
        let replied = Arc::<Notify>::default();
        if let (Some(input), Some(output)) = (input, output) {
            let connection = ControlConnection {
                child,
                waiting: Arc::clone(&waiting),
                replied: Arc::clone(&replied),
                events,
            };
            tokio::spawn(connection.run(input, output, receiver));
        }
        Ok(Self { lines, waiting, replied })
    }

    /// Sends a line of `commands` commands, and waits for their replies. After one that is an error,
    /// the others are missing.
    ///
    /// # Errors
    /// [`TmuxError`].
    pub(super) async fn ask(
        &self,
        line: String,
        commands: usize,
    ) -> Result<Vec<ControlReply>, TmuxError> {
        let (answer, answered) = oneshot::channel();
        self.send(line, commands, ReplyTaker::Asked(answer))?;
        let answered = timeout(REPLY_LIMIT, answered).await.map_err(|_| TmuxError::Silent)?;
        answered.map_err(|_| TmuxError::Disconnected)
    }

    /// Sends one command, and returns its output.
    ///
    /// # Errors
    /// [`TmuxError`].
    pub(super) async fn ask_one(&self, line: String) -> Result<ControlReply, TmuxError> {
        let reply = self.ask(line, 1).await?.pop().unwrap_or_default();
        if reply.is_error { Err(TmuxError::Refused(reply.text())) } else { Ok(reply) }
    }

    /// Types bytes into a pane, which leaves the mode in which it may be, such as copy mode. Returns
    /// the number of bytes that were taken: those that fit into `limit` with what waits already. The
    /// owner hears of each of them.
    ///
    /// # Errors
    /// [`TmuxError::Disconnected`].
    pub(super) fn type_into(
        &self,
        owner: &Arc<dyn InputOwner>,
        bytes: &[u8],
        limit: usize,
    ) -> Result<usize, TmuxError> {
        /// Bytes of one line. Each takes three characters.
        const PIECE: usize = 1024;
        let (mut taken, pane) = (0, owner.pane());
        for piece in bytes.chunks(PIECE) {
            let fits = {
                let waiting = self.waiting();
                waiting.has_room(limit) && waiting.input_bytes + piece.len() <= limit
            };
            if !fits {
                break;
            }
            let mut line = format!("copy-mode -q -t {pane} ; send-keys -t {pane} -H");
            for byte in piece {
                line.push_str(&format!(" {byte:02x}"));
            }
            let input = ReplyTaker::Input { owner: Arc::clone(owner), bytes: piece.to_vec() };
            match self.send(line, 2, input) {
                Ok(()) => taken += piece.len(),
                Err(error) if taken == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(taken)
    }

    /// Returns true unless the connection has ended.
    pub(super) fn is_connected(&self) -> bool {
        !self.waiting().has_ended
    }

    /// Waits until there is room for input besides less than `limit` bytes, or the connection has
    /// ended.
    pub(super) async fn room(&self, limit: usize) {
        loop {
            let mut replied = pin!(self.replied.notified());
            replied.as_mut().enable();
            {
                let waiting = self.waiting();
                if waiting.has_ended || waiting.has_room(limit) {
                    return;
                }
            }
            replied.await;
        }
    }

    /// Sends a line of commands whose replies come as [`ClientEvent::Captured`], in their place among
    /// the output.
    ///
    /// # Errors
    /// [`TmuxError`].
    pub(super) fn capture(
        &self,
        pane: &str,
        line: String,
        commands: usize,
    ) -> Result<(), TmuxError> {
        self.send(line, commands, ReplyTaker::Event(pane.to_owned()))
    }

    fn send(&self, mut line: String, commands: usize, answer: ReplyTaker) -> Result<(), TmuxError> {
        line.push('\n');
        let mut waiting = self.waiting();
        if waiting.has_ended {
            return Err(TmuxError::Disconnected);
        }
        // Both queues have the same order.
        self.lines.try_send(line).map_err(|_| TmuxError::Silent)?;
        let line = WaitingLine { commands, replies: Vec::new(), answer };
        waiting.input_bytes += line.input_bytes();
        waiting.lines.push_back(line);
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, WaitingReplies> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The process of a connection.
struct ControlConnection {
    child: Child,
    waiting: Arc<Mutex<WaitingReplies>>,
    replied: Arc<Notify>,
    events: mpsc::Sender<ClientEvent>,
}

impl ControlConnection {
    async fn run(
        mut self,
        mut input: ChildStdin,
        output: ChildStdout,
        mut lines: mpsc::Receiver<String>,
    ) {
        let writing = async move {
            while let Some(mut line) = lines.recv().await {
                while let Ok(next) = lines.try_recv() {
                    line.push_str(&next);
                }
                if input.write_all(line.as_bytes()).await.is_err() {
                    break;
                }
            }
            // Its end detaches the client.
            drop(input);
        };
        let reading = self.read(output);
        let reason = tokio::select! {
            reason = reading => reason,
            () = async { writing.await; tokio::time::sleep(Duration::from_secs(1)).await } => {
                String::new()
            }
        };
        let lines = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            (waiting.has_ended, waiting.input_bytes) = (true, 0);
            std::mem::take(&mut waiting.lines)
        };
        for line in lines {
            if let ReplyTaker::Input { owner, bytes } = line.answer {
                owner.untyped(&bytes);
            }
        }
        self.replied.notify_waiters();
        _ = self.events.send(ClientEvent::Ended { reason }).await;
        _ = self.child.kill().await;
    }

    /// Reads until the end, and returns tmux's reason for it.
    async fn read(&self, mut output: ChildStdout) -> String {
        let mut parser = ControlParser::default();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let Ok(count @ 1..) = output.read(&mut buffer).await else { return String::new() };
            parser.push(&buffer[..count]);
            let mut has_notice = false;
            while let Some(event) = parser.next() {
                let event = match event {
                    ControlEvent::Reply(reply) => {
                        let line = {
                            let waiting = self.waiting.lock();
                            waiting.unwrap_or_else(PoisonError::into_inner).take(reply)
                        };
                        self.replied.notify_waiters();
                        // Who waits for it may ask for more, so the lock must be free.
                        let captured = line.and_then(WaitingLine::complete);
                        let Some(captured) = captured else { continue };
                        captured
                    }
                    ControlEvent::Notice => {
                        has_notice = true;
                        continue;
                    }
                    ControlEvent::Output { pane, data } => ClientEvent::Output { pane, data },
                    ControlEvent::Paused { pane } => ClientEvent::Paused { pane },
                    ControlEvent::Exit(reason) => return reason,
                };
                if self.events.send(event).await.is_err() {
                    return String::new();
                }
            }
            if let Some(fault) = parser.fault() {
                return fault.to_string();
            }
            if has_notice && self.events.send(ClientEvent::Notice).await.is_err() {
                return String::new();
            }
        }
    }
}

/// Returns the command that makes the server report changes of panes that it does not report by
/// itself, such as the folder of a program. It looks at most once a second.
pub(super) fn subscription() -> String {
    let what =
        "#{pane_dead} #{pane_pipe} #{pane_current_command} #{pane_title} #{pane_current_path}";
    format!("refresh-client -B {}", quoted(&format!("panes:%*:{what}")))
}
