//! Runs an [`AcpServer`]: moves messages between its client, its sessions' streams and the API.
//!
//! The client's transport and the way to a relay are passed in: two channels, and an [`AcpRim`]. A
//! client that does not take what it is sent is waited for: nothing more is read from its sessions'
//! streams, and so their relay waits, too.

use std::collections::{BTreeMap, VecDeque};

use moorline_core::acp::{AcpInput, AcpOutput, AcpServer, ApiAnswer, ApiCall, StreamNews};
use moorline_shared::id::SessionId;
use moorline_shared::link::Generation;
use moorline_shared::message::close;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep_until;

use super::clock::Clock;

/// Messages that wait in each channel of the client.
pub(crate) const CLIENT_ROOM: usize = 16;
/// Events of all streams that wait for the driver.
const NEWS_ROOM: usize = 16;
/// Texts that wait for one stream's socket. A link sends few: requests, and acknowledgements.
const STREAM_ROOM: usize = 256;
/// Messages to a client that does not read, after which its own messages are not read either.
const UNSENT: usize = 256;

/// The way from a connection to a relay, with the client's access.
pub(crate) trait AcpRim: Send + Sync + 'static {
    /// Opens a socket to a session's stream and carries its messages, until it is closed.
    fn stream(&self, end: RimSocket) -> impl Future<Output = ()> + Send + 'static;

    /// Sends a request to the API.
    fn call(&self, call: ApiCall) -> impl Future<Output = ApiAnswer> + Send + 'static;
}

/// The rim's end of one socket to a session's stream.
pub(crate) struct RimSocket {
    /// The session.
    pub(crate) session: SessionId,
    /// The texts to send. It ends when the socket is to be closed.
    pub(crate) texts: mpsc::Receiver<String>,
    /// The socket's generation.
    pub(crate) generation: Generation,
    news: mpsc::Sender<(SessionId, Generation, StreamNews)>,
}

impl RimSocket {
    /// Reports an event of the socket, once there is room. Returns false if nobody hears it.
    pub(crate) async fn report(&self, news: StreamNews) -> bool {
        self.news.send((self.session.clone(), self.generation, news)).await.is_ok()
    }
}

/// The reason that a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AcpEnd {
    /// The client has gone.
    Gone,
    /// The connection is closed, with this code and reason.
    Closed(u16, &'static str),
}

/// Drives one connection.
pub(crate) struct AcpDriver<R> {
    server: AcpServer,
    rim: R,
    clock: Clock,
    streams: BTreeMap<SessionId, OpenStream>,
    calls: JoinSet<(u64, ApiAnswer)>,
    /// Messages that the client's transport has not taken, oldest first.
    unsent: VecDeque<String>,
    news: mpsc::Sender<(SessionId, Generation, StreamNews)>,
    heard: mpsc::Receiver<(SessionId, Generation, StreamNews)>,
}

/// The driver's end of one socket. Dropping it closes the socket.
struct OpenStream {
    generation: Generation,
    texts: mpsc::Sender<String>,
    task: AbortHandle,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<R: AcpRim> AcpDriver<R> {
    pub(crate) fn new(server: AcpServer, rim: R, clock: Clock) -> Self {
        let (news, heard) = mpsc::channel(NEWS_ROOM);
        let (streams, calls, unsent) = (BTreeMap::new(), JoinSet::new(), VecDeque::new());
        Self { server, rim, clock, streams, calls, unsent, news, heard }
    }

    /// Drives the connection until the client has gone or is to be closed. `said` has the client's
    /// messages; `told` takes those to it.
    pub(crate) async fn run(
        mut self,
        mut said: mpsc::Receiver<String>,
        told: mpsc::Sender<String>,
    ) -> AcpEnd {
        loop {
            if let Some(end) = self.perform() {
                return end;
            }
            let timeout = self.server.poll_timeout().map(|due| self.clock.instant(due).into());
            let due = async {
                match timeout {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                text = said.recv(), if self.unsent.len() < UNSENT => match text {
                    Some(text) => self.server.handle(self.clock.now(), AcpInput::Client(text)),
                    None => return AcpEnd::Gone,
                },
                room = told.reserve(), if !self.unsent.is_empty() => match room {
                    Ok(room) => {
                        if let Some(text) = self.unsent.pop_front() {
                            room.send(text);
                        }
                    }
                    Err(_) => return AcpEnd::Gone,
                },
                Some((session, generation, news)) = self.heard.recv(),
                    if self.unsent.is_empty() && self.server.takes_news() =>
                {
                    let input = AcpInput::Stream(session, generation, news);
                    self.server.handle(self.clock.now(), input);
                }
                Some(done) = self.calls.join_next(), if !self.calls.is_empty() => {
                    // A task that panicked has no answer; its request then stays open.
                    if let Ok((number, answer)) = done {
                        self.server.handle(self.clock.now(), AcpInput::Answer(number, answer));
                    }
                }
                () = due => self.server.tick(self.clock.now()),
            }
        }
    }

    /// Carries out what the server asks for.
    fn perform(&mut self) -> Option<AcpEnd> {
        while let Some(output) = self.server.poll_output() {
            match output {
                AcpOutput::Client(text) => self.unsent.push_back(text),
                AcpOutput::Dial(session, generation) => self.dial(session, generation),
                AcpOutput::HangUp(session) => drop(self.streams.remove(&session)),
                AcpOutput::Send(session, text) => self.send(&session, text),
                AcpOutput::Call(call) => {
                    let number = call.number;
                    let answer = self.rim.call(call);
                    self.calls.spawn(async move { (number, answer.await) });
                }
                AcpOutput::Close(code, reason) => return Some(AcpEnd::Closed(code, reason)),
            }
        }
        None
    }

    fn dial(&mut self, session: SessionId, generation: Generation) {
        let (texts, to_send) = mpsc::channel(STREAM_ROOM);
        let end = RimSocket {
            session: session.clone(),
            texts: to_send,
            generation,
            news: self.news.clone(),
        };
        let task = tokio::spawn(self.rim.stream(end)).abort_handle();
        self.streams.insert(session, OpenStream { generation, texts, task });
    }

    fn send(&mut self, session: &SessionId, text: String) {
        let Some(stream) = self.streams.get(session) else { return };
        if stream.texts.try_send(text).is_err() {
            // The socket takes nothing, or is closed already. The link dials anew.
            let generation = stream.generation;
            drop(self.streams.remove(session));
            let news = StreamNews::Closed(close::ABNORMAL);
            let input = AcpInput::Stream(session.clone(), generation, news);
            self.server.handle(self.clock.now(), input);
        }
    }
}
