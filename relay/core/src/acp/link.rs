//! The stream of one session, and the requests on it that are sent until they are answered.

use moorline_shared::event::Event;
use moorline_shared::id::{ClientId, Cursor, Seq, SessionId};
use moorline_shared::limits::ACP_REQUESTS;
use moorline_shared::link::{
    Client, ClientStatus, Generation, Input, Output, SavedInput, StreamRequests, Verdict,
};
use moorline_shared::message::{
    ClientMessage, DoneMessage, Outcome, Resumed, Scope, ServerMessage, Snapshot,
};
use moorline_shared::time::Time;

use super::outbox::{AcpOutbox, AcpOutput};

/// An event of the socket to a session's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamNews {
    /// It is open.
    Opened,
    /// A text message arrived.
    Message(ServerMessage),
    /// A binary message arrived: this entry of the transcript, with this number of bytes.
    Frame(Seq, usize),
    /// It is closed, or could not be opened, with this close code.
    Closed(u16),
}

/// Something that a session's stream says.
#[derive(Debug)]
pub(super) enum LinkNews {
    /// The stream continues at the cursor of the client, or it does not.
    Continues(bool),
    /// Everything before is void.
    Cleared,
    /// The state was replaced.
    Painted(Snapshot),
    /// An event of the log.
    Event(Seq, Event),
    /// The answer to a request.
    Done(DoneMessage),
    /// What waits for the session's host.
    Pending(ServerMessage),
}

/// The link to a session's stream, over any number of sockets.
#[derive(Debug)]
pub(super) struct SessionLink {
    session: SessionId,
    client: Client,
    /// Tells the sockets of this link from those of an earlier link to the same session.
    life: u64,
    /// The cursor at which the client resumes, until the first answer.
    cursor: Option<Cursor>,
    /// The client's requests that are not answered.
    requests: StreamRequests,
}

/// The number of sockets of one link.
const SOCKETS: u64 = 1 << 32;

impl SessionLink {
    /// Creates a link that dials at once. `life` is unique on the connection.
    pub(super) fn new(
        session: SessionId,
        life: u64,
        (id, seed): (ClientId, u64),
        cursor: Option<Cursor>,
        now: Time,
    ) -> Self {
        let mut client = Client::new(id, seed, &SavedInput::default());
        client.read_conversation();
        if let Some(cursor) = cursor {
            client.start_at(cursor);
        }
        client.handle(now, Input::Dial);
        Self { session, client, life, cursor, requests: StreamRequests::default() }
    }

    /// Takes over the requests of an earlier link.
    pub(super) fn take_requests(&mut self, earlier: Self) {
        self.requests = earlier.requests;
        self.requests.opened();
    }

    fn outer(&self, generation: Generation) -> Generation {
        Generation(self.life * SOCKETS + generation.0)
    }

    /// Handles an event of a socket. Returns what the stream says.
    pub(super) fn handle(
        &mut self,
        now: Time,
        generation: Generation,
        news: StreamNews,
        said: &mut Vec<LinkNews>,
    ) {
        if generation.0 / SOCKETS != self.life {
            return;
        }
        let generation = Generation(generation.0 % SOCKETS);
        match news {
            StreamNews::Opened => {
                self.requests.opened();
                self.client.handle(now, Input::Opened(generation));
            }
            StreamNews::Closed(code) => self.client.handle(now, Input::Closed(generation, code)),
            StreamNews::Frame(seq, bytes) => {
                if self.client.frame(now, generation, seq) == Verdict::Apply {
                    self.client.applied(now, seq, bytes);
                }
            }
            StreamNews::Message(message) => match message {
                ServerMessage::Done(done) => {
                    if self.requests.answered(&done) {
                        said.push(LinkNews::Done(done));
                    }
                }
                pending @ ServerMessage::Pending { .. } => said.push(LinkNews::Pending(pending)),
                message => {
                    if let ServerMessage::Resumed(resumed) = &message {
                        let cursor = self.cursor.take();
                        said.extend(cursor.map(|it| LinkNews::Continues(continues(it, resumed))));
                    }
                    self.client.handle(now, Input::Message(generation, message));
                }
            },
        }
    }

    /// Handles the passing of time.
    pub(super) fn tick(&mut self, now: Time) {
        self.client.tick(now);
    }

    /// Performs what the link asks for. Call it after every other method. Events and snapshots in
    /// `said` count as applied.
    pub(super) fn perform(&mut self, now: Time, out: &mut AcpOutbox, said: &mut Vec<LinkNews>) {
        while let Some(output) = self.client.poll_output(now) {
            let session = || self.session.clone();
            match output {
                Output::Dial(generation) => {
                    let generation = self.outer(generation);
                    out.push(AcpOutput::Dial(session(), generation));
                }
                Output::HangUp => out.push(AcpOutput::HangUp(session())),
                Output::Send(message) => out.push(AcpOutput::Send(session(), message.to_json())),
                Output::Clear => said.push(LinkNews::Cleared),
                Output::Paint(snapshot) => {
                    self.client.applied(now, snapshot.seq, snapshot.data.len());
                    said.push(LinkNews::Painted(snapshot));
                }
                Output::Event(seq, event) => {
                    self.client.applied(now, seq, 0);
                    said.push(LinkNews::Event(seq, event));
                }
                // Nothing is typed, and errors of requests come with their answers.
                Output::SendFrame(_) | Output::Error(..) | Output::GaveUp(_) => {}
            }
        }
        if self.client.status().is_connected() {
            while let Some(message) = self.requests.poll_send() {
                out.push(AcpOutput::Send(self.session.clone(), message.to_json()));
            }
        }
    }

    /// Queues a request, which is sent until it is answered. Returns its number; `None` if too many
    /// wait.
    pub(super) fn request(&mut self, make: impl FnOnce(u64) -> ClientMessage) -> Option<u64> {
        if self.requests.len() >= ACP_REQUESTS {
            return None;
        }
        Some(self.requests.add(make))
    }

    /// Asks for the state of the session.
    pub(super) fn ask_state(&mut self, now: Time) {
        self.client.handle(now, Input::Repaint);
    }

    /// Returns the link's status.
    pub(super) fn status(&self) -> ClientStatus {
        self.client.status()
    }

    /// Returns the last entry that was applied.
    pub(super) const fn applied(&self) -> Seq {
        self.client.applied_seq()
    }

    /// Returns the position of the stream; `None` before the first answer.
    pub(super) fn position(&self) -> Option<Cursor> {
        self.client.cursor()
    }

    /// Returns true if the client may decide about questions: its token allows that, and the session
    /// is not over. The relay reports both before any entry.
    pub(super) fn can_decide(&self) -> bool {
        let extended = self.client.meta().and_then(|meta| meta.extended.as_ref());
        extended.is_some_and(|it| it.scope == Scope::Write && !it.lifecycle.is_over())
    }

    /// Returns when to call [`SessionLink::tick`].
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.client.poll_timeout()
    }
}

/// Returns true if every entry after the cursor follows.
fn continues(cursor: Cursor, resumed: &Resumed) -> bool {
    let follows = match resumed.outcome {
        Outcome::Continue => true,
        Outcome::Ended => resumed.from == cursor.seq,
        Outcome::Snapshot | Outcome::Reset => false,
    };
    follows && resumed.epoch == cursor.epoch
}
