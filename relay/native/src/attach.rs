//! `moorline attach`: a client on a terminal, by the same state machine as the browser's.

mod keys;
mod replies;
mod restore;
mod socket;
mod terminal;

use std::path::PathBuf;
use std::task::Poll;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use moorline_host::dial::RelayTrust;
use moorline_shared::id::{ClientId, Seq, SessionId};
use moorline_shared::link::{Client, ClientStatus, Input, Output, Refusal, SavedInput, Verdict};
use moorline_shared::message::{Scope, Snapshot, close};
use moorline_shared::session::ExitStatus;
use moorline_shared::time::Time;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::clock::Clock;
use keys::{DetachKeys, Pressed};
use replies::Replies;
pub(crate) use socket::{AttachSocket, ConnectionEvent};
use terminal::Terminal;

/// Time for which the hint about the detach key is shown.
const HINT: Duration = Duration::from_secs(3);

/// The session to attach to.
#[derive(Clone)]
pub struct Target {
    /// The relay's address, such as `http://127.0.0.1:3010`.
    pub url: String,
    /// The certificates that the relay may have.
    pub trust: RelayTrust,
    /// The credential for the session.
    pub opener: Opener,
    /// The session's id.
    pub session: SessionId,
}

/// A credential for a session.
#[derive(Clone)]
pub enum Opener {
    /// A token, presented with each connection.
    Token(String),
    /// The relay's data folder, from which each connection gets a new pass.
    Folder(PathBuf),
}

/// The way in which an attachment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The user detached; the session keeps running.
    Detached,
    /// The session is over.
    Over(ExitStatus),
}

/// Shows a session on this terminal and sends it input, until it is over or the user detaches.
/// Restores the terminal before it returns.
///
/// # Errors
/// Stdin or stdout is not a terminal, or the relay refuses.
pub async fn attach(target: Target) -> anyhow::Result<End> {
    let terminal = Terminal::open().context("stdin and stdout must be a terminal")?;
    let mut attached = Attached::new(target, terminal)?;
    let end = attached.run().await;
    drop(attached);
    end
}

struct Attached {
    clock: Clock,
    client: Client,
    socket: AttachSocket,
    terminal: Terminal,
    keys: DetachKeys,
    replies: Replies,
    /// Input that the client has not taken yet, because its queue is full.
    waiting: Option<Vec<u8>>,
    /// True while the bar shows that there is no connection.
    is_offline: bool,
    /// True if a refusal of the token may mean that it allows less than before: the relay has accepted
    /// it since the last one.
    may_allow_less: bool,
    hint: Hint,
}

/// State of the bar that says how to detach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    /// Not shown yet.
    Due,
    Shown {
        until: Time,
    },
    Gone,
}

impl Attached {
    fn new(target: Target, terminal: Terminal) -> anyhow::Result<Self> {
        let mut random = [0; 24];
        getrandom::fill(&mut random)?;
        let (id, seed) = random.split_at(16);
        let id = ClientId::from_random(u128::from_ne_bytes(id.try_into()?));
        let seed = u64::from_ne_bytes(seed.try_into()?);
        let mut client = Client::new(id, seed, &SavedInput::default());
        // Input is held until the session is there, as a shell keeps what is typed ahead.
        client.hold_input(true);
        client.answer_queries(true);
        Ok(Self {
            clock: Clock::start(),
            client,
            socket: AttachSocket::new(target)?,
            terminal,
            keys: DetachKeys::default(),
            replies: Replies::default(),
            waiting: None,
            is_offline: false,
            may_allow_less: false,
            hint: Hint::Due,
        })
    }

    async fn run(&mut self) -> anyhow::Result<End> {
        let mut resized = signal(SignalKind::window_change())?;
        // In raw mode no key sends the last two, but other processes can.
        let mut ended = [
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::interrupt(),
            SignalKind::quit(),
        ]
        .map(signal);
        let mut typed = terminal::read_stdin()?;
        self.client.handle(self.clock.now(), Input::Resize(self.terminal.size()));
        self.client.handle(self.clock.now(), Input::Dial);
        loop {
            if let Some(end) = self.show_status()? {
                return Ok(end);
            }
            self.carry_out().await?;
            let timeout = sleep_until(self.clock, self.poll_timeout());
            tokio::select! {
                event = self.socket.next() => self.hear(event)?,
                bytes = typed.recv(), if self.waiting.is_none() => match bytes {
                    Some(bytes) => if self.typed(&bytes) { return Ok(End::Detached) },
                    None => return Ok(End::Detached),
                },
                _ = resized.recv() => {
                    let size = self.terminal.size();
                    self.client.handle(self.clock.now(), Input::Resize(size));
                }
                () = any(&mut ended) => return Ok(End::Detached),
                () = timeout => self.tick(),
            }
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        let hint = match self.hint {
            Hint::Shown { until } => Some(until),
            Hint::Due | Hint::Gone => None,
        };
        let timeouts = [self.client.poll_timeout(), self.replies.poll_timeout(), hint];
        timeouts.into_iter().flatten().min()
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        self.client.tick(now);
        if let Some(typed) = self.replies.give_up(now) {
            self.take(typed);
        }
    }

    /// Carries out the client's outputs.
    async fn carry_out(&mut self) -> anyhow::Result<()> {
        if let Some(bytes) = self.waiting.take() {
            self.take(bytes);
        }
        while let Some(output) = self.client.poll_output(self.clock.now()) {
            match output {
                Output::Dial(generation) => self.socket.dial(generation),
                Output::HangUp => self.socket.hang_up(),
                Output::Send(message) => self.socket.send_text(message.to_json()).await,
                Output::SendFrame(frame) => self.socket.send_frame(frame.encoded()).await,
                Output::Clear => self.terminal.write(terminal::CLEAR)?,
                Output::Paint(snapshot) => self.paint(&snapshot)?,
                Output::Event(seq, _) => self.client.applied(self.clock.now(), seq, 0),
                Output::Error(_, message) => self.terminal.note(&message),
                Output::GaveUp(pieces) => self.terminal.note(&format!(
                    "{pieces} pieces of what you typed may or may not have arrived"
                )),
            }
        }
        Ok(())
    }

    fn hear(&mut self, event: ConnectionEvent) -> anyhow::Result<()> {
        let now = self.clock.now();
        match event {
            ConnectionEvent::Opened(generation) => {
                self.client.handle(now, Input::Opened(generation))
            }
            ConnectionEvent::Text(generation, message) => {
                self.client.handle(now, Input::Message(generation, message));
            }
            ConnectionEvent::Frame(generation, frame) => {
                if self.client.frame(now, generation, frame.seq()) == Verdict::Apply {
                    self.show(frame.seq(), frame.data(), self.client.is_replaying())?;
                }
            }
            ConnectionEvent::Closed(generation, code) => {
                self.client.handle(now, Input::Closed(generation, code));
            }
        }
        Ok(())
    }

    fn paint(&mut self, snapshot: &Snapshot) -> anyhow::Result<()> {
        self.replies.wrote(self.clock.now(), snapshot.seq, &snapshot.data, true);
        self.terminal.paint(snapshot)?;
        self.client.applied(self.clock.now(), snapshot.seq, snapshot.data.len());
        Ok(())
    }

    fn show(&mut self, seq: Seq, data: &[u8], is_past: bool) -> anyhow::Result<()> {
        // First, as the terminal may answer as soon as this is written.
        self.replies.wrote(self.clock.now(), seq, data, is_past);
        self.terminal.show(data)?;
        self.client.applied(self.clock.now(), seq, data.len());
        Ok(())
    }

    /// Handles input. Returns true if the user detaches.
    fn typed(&mut self, bytes: &[u8]) -> bool {
        let mut found = Vec::new();
        let bytes = self.replies.take(self.clock.now(), bytes, &mut found);
        for reply in found {
            self.client.reply(reply.seq, reply.data, reply.more);
        }
        let Pressed { data, detach } = self.keys.press(&bytes);
        self.take(data);
        detach
    }

    fn take(&mut self, data: Vec<u8>) {
        if !data.is_empty() && self.client.type_input(&data) == Err(Refusal::Full) {
            self.waiting = Some(data);
        }
    }

    /// Shows the client's status. Returns `Some` when the attachment has ended.
    fn show_status(&mut self) -> anyhow::Result<Option<End>> {
        match self.client.status() {
            ClientStatus::Ended(status) => return Ok(Some(End::Over(status))),
            ClientStatus::Refused { code: close::UNAUTHORIZED }
                if std::mem::take(&mut self.may_allow_less) =>
            {
                // Its connections are closed when a token changes, and it may still allow to read.
                self.client.handle(self.clock.now(), Input::Dial);
            }
            ClientStatus::Refused { code } => anyhow::bail!("{}", refusal(code)),
            ClientStatus::Waiting { until, .. } => {
                let seconds = (until - self.clock.now()).as_secs_f32();
                self.terminal.bar(&format!(
                    "offline; trying again in {seconds:.0} s; what you type is kept; \
                     Ctrl-] d detaches"
                ));
                self.is_offline = true;
            }
            ClientStatus::Silent => {
                self.terminal
                    .bar("the relay does not answer; what you type is kept; Ctrl-] d detaches");
                self.is_offline = true;
            }
            ClientStatus::Live => self.show_live()?,
            ClientStatus::Idle | ClientStatus::Connecting | ClientStatus::CatchingUp { .. } => {}
        }
        Ok(None)
    }

    /// Says if the token only reads. Typing has no effect then.
    fn note_rights(&mut self) {
        let extended = self.client.meta().and_then(|meta| meta.extended.as_ref());
        if extended.is_some_and(|meta| meta.scope == Scope::Read) {
            self.terminal.note("read-only: this token may watch the session, and not type");
        }
    }

    /// Shows the hint for a while, and removes bars by repainting the screen.
    fn show_live(&mut self) -> anyhow::Result<()> {
        let now = self.clock.now();
        if !std::mem::replace(&mut self.may_allow_less, true) {
            self.note_rights();
        }
        let mut repaint = std::mem::take(&mut self.is_offline);
        match self.hint {
            Hint::Due => {
                self.terminal.bar("attached; Ctrl-] d detaches, and the session keeps running");
                self.hint = Hint::Shown { until: now + HINT };
            }
            Hint::Shown { until } if now >= until => {
                self.hint = Hint::Gone;
                repaint = true;
            }
            Hint::Shown { .. } | Hint::Gone => {}
        }
        if repaint {
            self.client.handle(now, Input::Repaint);
        }
        Ok(())
    }
}

/// Explains a final refusal to the user.
fn refusal(code: u16) -> &'static str {
    match code {
        close::UNAUTHORIZED | close::POLICY => {
            "the relay refuses the token: `moorline token new` makes another"
        }
        close::FORBIDDEN => "this token is not for this session",
        close::NOT_FOUND => "the session does not exist: it may have been deleted",
        close::REPLACED => "another client took the place of this one",
        _ => "the relay refused this client",
    }
}

async fn sleep_until(clock: Clock, due: Option<Time>) {
    match due {
        Some(due) => tokio::time::sleep_until(clock.instant(due).into()).await,
        None => std::future::pending().await,
    }
}

async fn any(signals: &mut [std::io::Result<Signal>]) {
    std::future::poll_fn(|context| {
        let came = |signal: &mut std::io::Result<Signal>| {
            signal.as_mut().is_ok_and(|signal| signal.poll_recv(context).is_ready())
        };
        if signals.iter_mut().any(came) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Bytes that were typed, in order.
type TypedBytes = mpsc::Receiver<Bytes>;
