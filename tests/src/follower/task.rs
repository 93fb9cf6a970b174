//! The task behind a follower, which drives the link machine and its socket.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use bytes::Bytes;
use futures_util::stream::SplitStream;
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_shared::frame::Frame;
use moorline_shared::link::{Client, Generation, Input, Output, Verdict};
use moorline_shared::message::{ServerMessage, close};
use moorline_shared::time::Time;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Command, Following, Seen, lock};
use crate::wire::request;

type Socket = WebSocketStream<TcpStream>;
type Dialing = Pin<Box<dyn Future<Output = Result<Socket>> + Send>>;

/// An open connection; dropping it closes it.
struct Line {
    incoming: SplitStream<Socket>,
    outgoing: mpsc::UnboundedSender<Message>,
    writer: JoinHandle<()>,
}

struct Task {
    following: Following,
    client: Client,
    seen: Arc<Mutex<Seen>>,
    started: Instant,
    generation: Generation,
    dialing: Option<Dialing>,
    line: Option<Line>,
    stalled: bool,
}

/// Events that end a turn's wait.
enum Happened {
    Ordered(Option<Command>),
    Dialed(Box<Result<Socket>>),
    Came(Option<Message>),
    Time,
}

pub(super) async fn run(
    following: Following,
    mut orders: mpsc::UnboundedReceiver<Command>,
    seen: Arc<Mutex<Seen>>,
) {
    let seed = following.client_id.as_str().bytes().map(u64::from).sum();
    let mut task = Task {
        client: Client::new(following.client_id.clone(), seed, &following.saved),
        following,
        seen,
        started: Instant::now(),
        generation: Generation::default(),
        dialing: None,
        line: None,
        stalled: false,
    };
    task.client.hold_input(task.following.hold);
    task.client.handle(task.now(), Input::Dial);
    loop {
        task.perform();
        match task.wait(&mut orders).await {
            Happened::Ordered(None) => return,
            Happened::Ordered(Some(command)) => task.ordered(command),
            Happened::Dialed(socket) => task.dialed(*socket),
            Happened::Came(message) => task.came(message),
            Happened::Time => task.client.tick(task.now()),
        }
    }
}

impl Task {
    fn now(&self) -> Time {
        Time::from_ms(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    async fn wait(&mut self, orders: &mut mpsc::UnboundedReceiver<Command>) -> Happened {
        let timeout = self.client.poll_timeout();
        let at = timeout.map(|time| self.started + std::time::Duration::from_millis(time.ms));
        let (dialing, line, stalled) = (&mut self.dialing, &mut self.line, self.stalled);
        tokio::select! {
            command = orders.recv() => Happened::Ordered(command),
            socket = async { dialing.as_mut().expect("checked below").await },
                if dialing.is_some() => Happened::Dialed(Box::new(socket)),
            message = async { line.as_mut().expect("checked below").incoming.next().await },
                if line.is_some() && !stalled => Happened::Came(message.and_then(Result::ok)),
            () = async { sleep_until(at.expect("checked below")).await },
                if at.is_some() => Happened::Time,
        }
    }

    fn ordered(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Type(data) => {
                lock(&self.seen).typed += 1;
                if let Err(refusal) = self.client.type_input(&data) {
                    self.trouble(refusal.to_string());
                }
            }
            Command::Stall(stalled) => self.stalled = stalled,
            Command::Dial => self.client.handle(now, Input::Dial),
            Command::Wake => self.client.handle(now, Input::Wake),
            Command::Resize(size) => self.client.handle(now, Input::Resize(size)),
        }
    }

    fn dialed(&mut self, socket: Result<Socket>) {
        self.dialing = None;
        match socket {
            Ok(socket) => {
                self.line = Some(Line::new(socket));
                self.client.handle(self.now(), Input::Opened(self.generation));
            }
            Err(error) => self.closed(code_of(&error)),
        }
    }

    fn came(&mut self, message: Option<Message>) {
        match message {
            Some(Message::Text(text)) => match ServerMessage::from_json(&text) {
                Ok(message) => {
                    self.client.handle(self.now(), Input::Message(self.generation, message));
                }
                Err(error) => self.trouble(error.to_string()),
            },
            Some(Message::Binary(data)) => self.frame(data),
            Some(Message::Close(frame)) => {
                self.closed(frame.map_or(1005, |frame| frame.code.into()));
            }
            Some(_) => {}
            None => self.closed(close::ABNORMAL),
        }
    }

    fn frame(&mut self, data: Bytes) {
        let now = self.now();
        match Frame::decode(data) {
            Ok(frame) => match self.client.frame(now, self.generation, frame.seq()) {
                Verdict::Apply => {
                    lock(&self.seen).apply(frame.data());
                    self.client.applied(now, frame.seq(), frame.data_len());
                }
                Verdict::Duplicate => {}
                Verdict::Gap => self.trouble(format!("a gap before entry {}", frame.seq())),
            },
            Err(error) => self.trouble(error.to_string()),
        }
    }

    fn closed(&mut self, code: u16) {
        self.line = None;
        lock(&self.seen).closes.push(code);
        self.client.handle(self.now(), Input::Closed(self.generation, code));
    }

    fn trouble(&self, what: String) {
        lock(&self.seen).troubles.push(what);
    }

    fn perform(&mut self) {
        let now = self.now();
        while let Some(output) = self.client.poll_output(now) {
            match output {
                Output::Dial(generation) => self.dial(generation),
                Output::HangUp => (self.dialing, self.line) = (None, None),
                Output::Send(message) => self.send(Message::text(message.to_json())),
                Output::SendFrame(frame) => self.send(Message::Binary(frame.encoded())),
                Output::Clear => lock(&self.seen).clears += 1,
                Output::Paint(snapshot) => {
                    lock(&self.seen).paint(&snapshot.data);
                    self.client.applied(now, snapshot.seq, snapshot.data.len());
                }
                Output::Event(seq, _) => self.client.applied(now, seq, 0),
                Output::Error(code, text) => self.trouble(format!("{code:?}: {text}")),
                Output::GaveUp(pieces) => self.trouble(format!("{pieces} pieces given up")),
            }
        }
        let mut seen = lock(&self.seen);
        seen.status = self.client.status();
        seen.pending = self.client.pending_input().count();
    }

    fn dial(&mut self, generation: Generation) {
        (self.generation, self.line) = (generation, None);
        lock(&self.seen).dials += 1;
        let Following { address, session, greeting, .. } = self.following.clone();
        self.dialing = Some(Box::pin(async move {
            let request = request(&format!("ws://{address}/sessions/{session}/stream"), &greeting)?;
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(client_async(request, stream).await?.0)
        }));
    }

    fn send(&self, message: Message) {
        if let Some(line) = &self.line {
            // If the writer has ended, the reader will end too.
            drop(line.outgoing.send(message));
        }
    }
}

/// Maps a refused upgrade to a close code. A program can read the HTTP status, so it is as final as
/// a close code.
fn code_of(error: &anyhow::Error) -> u16 {
    match error.downcast_ref() {
        Some(tungstenite::Error::Http(answer)) => match answer.status().as_u16() {
            status @ (401 | 403 | 404) => 4000 + status,
            _ => close::ABNORMAL,
        },
        _ => close::ABNORMAL,
    }
}

impl Line {
    fn new(socket: Socket) -> Self {
        let (mut sink, incoming) = socket.split();
        let (outgoing, mut messages) = mpsc::unbounded_channel();
        let writer = tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
        });
        Self { incoming, outgoing, writer }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.writer.abort();
    }
}
