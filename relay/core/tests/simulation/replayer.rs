//! A client that wants every entry, of `moorline.v1` or of IC-1 alone. It reads fast, slowly, or
//! not at all for a while. It may only miss entries if it did not read for 10 s, and then a
//! snapshot tells it so.

use bytes::Bytes;
use moorline_core::peer::PeerOutput;
use moorline_shared::frame::Frame;
use moorline_shared::id::{Cursor, Epoch, Seq};
use moorline_shared::limits::STALLED_AFTER;
use moorline_shared::message::{CatchUp, ClientMessage, Outcome, Resume, ServerMessage};
use moorline_shared::time::Time;

use crate::host::Published;
use crate::pipe::Pipe;
use crate::relay::{Relay, ToRelay};
use crate::rng::Rng;

/// The buffer of a socket, in bytes.
const SOCKET_BYTES: usize = 150_000;
/// A multiple above the numbers of everybody else's connections.
const CONNECTIONS: u64 = 1 << 32;

pub(crate) struct Replayer {
    number: u64,
    extended: bool,
    /// The average number of steps between two reads.
    pace: u64,
    connection: Option<Connection>,
    connections: u64,
    /// The last entry that the client has received.
    position: Option<Cursor>,
    /// The client reads nothing before this time.
    stopped_until: Time,
    read_at: Time,
    /// The longest time without reading, since the last gap.
    paused_ms: u64,
}

struct Connection {
    number: u64,
    down: Pipe<Down>,
    /// True if a snapshot may come without a pause: the position was not retained at `resume`.
    promised: bool,
    /// True if the relay has closed the connection; messages may still be on their way.
    closed: bool,
}

enum Down {
    Text(Bytes),
    Frame(Bytes),
}

impl Replayer {
    /// Returns a client of each kind.
    pub(crate) fn all() -> Vec<Self> {
        let kinds = [(true, 1), (true, 6), (false, 1), (false, 6)];
        kinds
            .into_iter()
            .zip(1..)
            .map(|((extended, pace), number)| Self::new(number, extended, pace))
            .collect()
    }

    fn new(number: u64, extended: bool, pace: u64) -> Self {
        let (stopped_until, read_at) = (Time::default(), Time::default());
        Self {
            number,
            extended,
            pace,
            connection: None,
            connections: 0,
            position: None,
            stopped_until,
            read_at,
            paused_ms: 0,
        }
    }

    pub(crate) fn connect(&mut self, relay: &mut Relay, now: Time) {
        if self.connection.is_some() {
            return;
        }
        self.connections += 1;
        let number = self.number * CONNECTIONS + self.connections;
        relay.accept(number, now, self.extended);
        let resume = Resume {
            last_seq: self.position.map(|position| position.seq),
            epoch: self.position.map(|position| position.epoch),
            catch_up: self.extended.then_some(CatchUp::Replay),
            ..Resume::default()
        };
        // The client may miss entries that were trimmed while it was away.
        let promised = self.position.is_none_or(|position| {
            let log = relay.session.log();
            position.epoch != log.epoch() || position.seq.next() < relay.session.oldest()
        });
        let resume = ClientMessage::Resume(resume).to_json();
        relay.receive(number, now, ToRelay::Text(resume));
        self.connection =
            Some(Connection { number, down: Pipe::default(), promised, closed: false });
        self.read_at = now;
        self.fill(relay, now);
    }

    /// Breaks the wire.
    pub(crate) fn cut(&mut self, relay: &mut Relay) {
        if let Some(connection) = self.connection.take() {
            relay.disconnect(connection.number);
        }
    }

    /// Breaks the wire, or makes the client stop reading.
    pub(crate) fn trouble(&mut self, relay: &mut Relay, rng: &mut Rng) {
        match rng.below(12) {
            0 => self.cut(relay),
            1 => self.stopped_until.ms = self.read_at.ms + rng.below(30_000),
            _ => {}
        }
    }

    pub(crate) fn work(
        &mut self,
        relay: &mut Relay,
        published: &Published,
        now: Time,
        rng: &mut Rng,
    ) {
        self.fill(relay, now);
        let Some(connection) = &mut self.connection else { return };
        if connection.down.is_empty() {
            if connection.closed {
                return self.cut(relay);
            }
            self.read_at = now;
        }
        self.paused_ms = self.paused_ms.max(now.ms - self.read_at.ms);
        if now < self.stopped_until || !rng.once_in(self.pace) {
            return;
        }
        let before = self.position;
        for message in connection.down.deliver(rng) {
            match message {
                Down::Text(text) => self.text(&text),
                Down::Frame(frame) => self.frame(published, frame),
            }
        }
        if self.position != before {
            self.read_at = now;
            self.acknowledge(relay, now);
        }
    }

    /// Fills the socket with the relay's messages.
    fn fill(&mut self, relay: &mut Relay, now: Time) {
        let Some(connection) = &mut self.connection else { return };
        while connection.down.bytes() < SOCKET_BYTES {
            match relay.poll(connection.number, now) {
                Some(PeerOutput::Text(text)) => {
                    let bytes = text.len();
                    connection.down.send(Down::Text(text), bytes);
                }
                Some(PeerOutput::Frame(frame)) => {
                    let bytes = frame.len();
                    connection.down.send(Down::Frame(frame), bytes);
                }
                Some(PeerOutput::Close { .. }) => connection.closed = true,
                Some(PeerOutput::Ping) => {}
                Some(PeerOutput::Load { .. }) => unreachable!("the relay answers loads"),
                None => break,
            }
        }
    }

    fn acknowledge(&mut self, relay: &mut Relay, now: Time) {
        if let (true, Some(connection), Some(position)) =
            (self.extended, &self.connection, self.position)
        {
            let ack = ClientMessage::Ack { seq: position.seq }.to_json();
            relay.receive(connection.number, now, ToRelay::Text(ack));
        }
    }

    fn frame(&mut self, published: &Published, encoded: Bytes) {
        let frame = Frame::decode(encoded).expect("the relay sends frames");
        let before = self.position.map_or(Seq::ZERO, |position| position.seq);
        assert_eq!(frame.seq(), before.next(), "a replay leaves nothing out");
        // A client of IC-1 gets events as frames without data, and does not know the epoch.
        let epoch = self.position.map_or(Epoch(1), |position| position.epoch);
        let cursor = Cursor { epoch, seq: frame.seq() };
        let (digest, _) = published.get(cursor).expect("it was published");
        assert_eq!(digest, Published::digest(frame.data()), "{cursor}");
        self.position = Some(cursor);
    }

    fn text(&mut self, text: &Bytes) {
        let text = std::str::from_utf8(text).expect("text messages are UTF-8");
        match ServerMessage::from_json(text).expect("the relay speaks the protocol") {
            ServerMessage::Resumed(resumed) => {
                let promised = matches!(resumed.outcome, Outcome::Snapshot | Outcome::Reset);
                let excused =
                    self.connection.as_ref().is_some_and(|connection| connection.promised);
                assert!(
                    !promised || excused || self.position.is_none(),
                    "it is all retained: {text}"
                );
            }
            ServerMessage::Event { seq, .. } => {
                let position =
                    self.position.get_or_insert(Cursor { epoch: Epoch(1), seq: Seq::ZERO });
                assert_eq!(seq, position.seq.next(), "a replay leaves nothing out");
                position.seq = seq;
            }
            ServerMessage::Snapshot(snapshot) => {
                let was_promised = self
                    .connection
                    .as_mut()
                    .is_some_and(|connection| std::mem::take(&mut connection.promised));
                let stalled_ms = STALLED_AFTER.as_millis() as u64;
                assert!(
                    was_promised || self.paused_ms >= stalled_ms,
                    "it was reading, and paused for {} ms at most",
                    self.paused_ms
                );
                if !was_promised {
                    self.paused_ms = 0;
                }
                self.position = Some(Cursor { epoch: Epoch(1), seq: snapshot.seq });
            }
            _ => {}
        }
    }

    pub(crate) fn is_settled(&self, head: Cursor) -> bool {
        self.position == Some(head)
    }
}
