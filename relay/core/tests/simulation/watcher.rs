//! A reader of server-sent events. It is disconnected anywhere, and comes back with the last id
//! that it got. Everything that it receives must be the host's entries, in order and each once,
//! except for announced gaps.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use moorline_core::events::{Encoding, EventStream, StreamOutput};
use moorline_core::reader::Start;
use moorline_shared::id::{Cursor, Epoch, Seq};
use moorline_shared::sse::{Parser, SseEvent, SseItem};
use moorline_shared::time::Time;

use crate::host::Published;
use crate::pipe::Pipe;
use crate::relay::Relay;
use crate::rng::Rng;

/// The buffer of a socket, in bytes.
const SOCKET_BYTES: usize = 100_000;

#[derive(Default)]
pub(crate) struct Watcher {
    connection: Option<Connection>,
    last_event_id: Option<String>,
    /// The last entry that it has received, or knows to be missing.
    position: Option<Cursor>,
}

struct Connection {
    stream: EventStream,
    wire: Pipe<Bytes>,
    parser: Parser,
    ended: bool,
}

impl Watcher {
    pub(crate) fn connect(&mut self, relay: &mut Relay, now: Time) {
        if self.connection.is_some() {
            return;
        }
        let start = match &self.last_event_id {
            Some(id) => Start::After(id.parse().expect("the relay's ids are cursors")),
            None => Start::Oldest,
        };
        // A gap has no id, so it is announced again.
        self.position = match start {
            Start::After(cursor) => Some(cursor),
            _ => None,
        };
        let stream = EventStream::attach(&mut relay.session, now, start, Encoding::Base64)
            .expect("there is room for a few clients");
        let (wire, parser) = (Pipe::default(), Parser::new());
        self.connection = Some(Connection { stream, wire, parser, ended: false });
    }

    /// Breaks the wire. If the relay has died, the stream is gone already.
    pub(crate) fn cut(&mut self, relay: Option<&mut Relay>) {
        if let (Some(connection), Some(relay)) = (self.connection.take(), relay) {
            connection.stream.detach(&mut relay.session);
        }
    }

    /// Has the relay send, and lets some of it arrive.
    pub(crate) fn work(
        &mut self,
        relay: &mut Relay,
        published: &Published,
        now: Time,
        rng: &mut Rng,
    ) {
        let Some(connection) = &mut self.connection else { return };
        connection.send(relay, now, rng);
        let mut events = Vec::new();
        for bytes in connection.wire.deliver(rng) {
            let parser = &mut connection.parser;
            parser.push(&bytes, |item| events.push(item)).expect("the relay's events are small");
        }
        if connection.ended && connection.wire.is_empty() {
            self.cut(Some(relay));
        }
        for item in events {
            if let SseItem::Event(event) = item {
                self.receive(&event, published);
            }
        }
    }

    pub(crate) fn is_settled(&self, head: Cursor) -> bool {
        self.position == Some(head)
    }

    fn receive(&mut self, event: &SseEvent, published: &Published) {
        let data: serde_json::Value = serde_json::from_str(&event.data).expect("data is JSON");
        if let Some(id) = &event.id {
            self.last_event_id = Some(id.clone());
        }
        match event.kind.as_str() {
            "connected" => {}
            "gap" => self.gap(&data),
            // The log cannot say what waits for the host, so it moves no reader.
            "agent-pending" => assert_eq!(event.id, None),
            // Repeated in silence, without moving the reader.
            "session-status" if event.id.is_none() => {
                assert!(self.position.is_some(), "a stream begins with where it stands");
            }
            // The first and the last event of a stream state its position.
            "session-status" => {
                let cursor = cursor(event);
                assert_eq!(*self.position.get_or_insert(cursor), cursor, "where a stream stands");
            }
            kind => {
                let cursor = cursor(event);
                let before = self.position.expect("a stream begins with where it stands");
                assert_eq!(
                    cursor.epoch, before.epoch,
                    "{kind} of another incarnation, unannounced"
                );
                assert_eq!(cursor.seq, before.seq.next(), "{kind} is not the next one");
                let told = data
                    .get("content")
                    .map_or("", |content| content.as_str().expect("content is a text"));
                let told = STANDARD.decode(told).expect("content is base64");
                let when = data["timestamp"].as_u64().expect("every event has a time");
                assert_eq!(
                    published.get(cursor),
                    Some((Published::digest(&told), when)),
                    "{cursor}"
                );
                self.position = Some(cursor);
            }
        }
    }

    fn gap(&mut self, data: &serde_json::Value) {
        let number = |name: &str| data[name].as_u64().expect("a gap has numbers");
        if data["reason"] == "epoch" {
            self.position = Some(Cursor { epoch: Epoch(number("epoch")), seq: Seq::ZERO });
            return;
        }
        let before = self.position.expect("a stream begins with where it stands");
        assert_eq!(number("from"), before.seq.0 + 1, "a gap begins at the next entry");
        self.position = Some(Cursor { seq: Seq(number("to")), ..before });
    }
}

fn cursor(event: &SseEvent) -> Cursor {
    let id = event.id.as_ref().expect("every entry has an id");
    id.parse().expect("the relay's ids are cursors")
}

impl Connection {
    fn send(&mut self, relay: &mut Relay, now: Time, rng: &mut Rng) {
        while self.wire.bytes() < SOCKET_BYTES {
            match self.stream.poll_output(&mut relay.session, now, now.ms) {
                Some(StreamOutput::Send(mut bytes)) => {
                    // The wire can break within an event.
                    let part = bytes.split_to(rng.below(bytes.len() as u64) as usize);
                    for bytes in [part, bytes] {
                        let len = bytes.len();
                        self.wire.send(bytes, len);
                    }
                }
                Some(StreamOutput::Load { epoch, after }) => {
                    let entries = relay.stored(epoch, after);
                    self.stream.loaded(&relay.session, entries);
                }
                Some(StreamOutput::End) => self.ended = true,
                None => return,
            }
        }
    }
}
