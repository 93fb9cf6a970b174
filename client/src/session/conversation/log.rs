//! A conversation, read from the session's log: it has the items that a snapshot leaves out.

use std::cell::RefCell;
use std::rc::Rc;

use moorline_shared::event::{Connected, Event, EventKind};
use moorline_shared::fold::Conversation;
use moorline_shared::id::{Cursor, Seq, SessionId};
use moorline_shared::message::{EVENTS_SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX};
use moorline_shared::sse::{Parser, SseEvent, SseItem, TooLarge};

use super::link::ConversationLink;
use crate::bindings::page;
use crate::bindings::socket::{Socket, SocketEvent, to_vec};
use crate::session::events::TAKEN;

/// The progress of reading a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogProgress {
    /// It is being read, up to this percentage.
    Reading(u64),
    /// The conversation has everything that the log retains and the page has room for.
    Read,
    /// The log has lost its beginning, so the items cannot be known from it.
    Trimmed,
    /// It could not be read.
    Failed,
}

/// Folds a session's event stream from its oldest entry on.
#[derive(Debug, Default)]
struct LogFold {
    parser: Parser,
    conversation: Conversation,
    /// The beginning and the end of the log when the stream was opened.
    bounds: Option<(Seq, Seq)>,
    at: Seq,
}

impl LogFold {
    /// Takes bytes of the stream.
    fn take(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        let mut events = Vec::new();
        self.parser.push(bytes, |item| {
            if let SseItem::Event(event) = item {
                events.push(event);
            }
        })?;
        events.iter().for_each(|event| self.event(event));
        Ok(())
    }

    fn event(&mut self, event: &SseEvent) {
        let id = event.id.as_deref().and_then(|id| id.parse::<Cursor>().ok());
        let parsed = || serde_json::from_str::<Event>(&event.data).ok();
        match EventKind::of(&event.kind) {
            EventKind::Connected => {
                let connected = parsed().and_then(Event::into_fields::<Connected>);
                self.bounds = connected.map(|connected| (connected.from, connected.head));
            }
            EventKind::SessionOutput => {}
            _ => {
                if let Some((id, event)) = id.as_ref().zip(parsed()) {
                    self.conversation.apply(id.seq, &event);
                }
            }
        }
        self.at = self.at.max(id.map(|id| id.seq).unwrap_or_default());
    }

    /// Returns how far it is. It is read once it has all that the log had at first, and the entry `seq`,
    /// which is the page's last one.
    fn progress(&self, seq: Seq) -> LogProgress {
        match self.bounds {
            None => LogProgress::Reading(0),
            Some((from, _)) if from > Seq::ZERO => LogProgress::Trimmed,
            Some((_, head)) if self.at >= head.max(seq) => LogProgress::Read,
            Some((_, head)) => LogProgress::Reading((self.at.0 * 100 / head.0.max(1)).min(100)),
        }
    }
}

/// Reads the conversation of a session from its log, and has `link` continue with it. `told` gets
/// the progress. Reading ends when the result is dropped.
#[must_use = "dropping it ends the reading"]
pub fn read_log(
    link: ConversationLink,
    id: &SessionId,
    token: Option<String>,
    told: impl Fn(LogProgress) + Clone + 'static,
) -> Option<LogReading> {
    let address = page::socket_address(&format!("/api/session/{id}/events?lastEventId=0"));
    let mut protocols = vec![EVENTS_SUBPROTOCOL.to_owned()];
    protocols.extend(token.map(|token| format!("{TOKEN_SUBPROTOCOL_PREFIX}{token}")));
    let socket = Rc::new(RefCell::new(None::<Socket>));
    let held = Rc::downgrade(&socket);
    let fold = Rc::new(RefCell::new(Some(LogFold::default())));
    let failed = told.clone();
    let happened = move |event| {
        let mut reading = fold.borrow_mut();
        let Some(log) = reading.as_mut() else { return };
        match event {
            SocketEvent::Binary(bytes) => {
                let progress = log.take(&to_vec(&bytes)).map(|()| log.progress(link.seq()));
                let progress = progress.unwrap_or(LogProgress::Failed);
                if let LogProgress::Reading(_) = progress {
                    let socket = held.upgrade();
                    let socket = socket.as_ref().map(|socket| socket.borrow());
                    socket.iter().flat_map(|it| it.iter()).for_each(|it| it.send_text(TAKEN));
                } else if let Some(log) = reading.take()
                    && progress == LogProgress::Read
                {
                    link.adopt(log.conversation);
                }
                told(progress);
            }
            SocketEvent::Closed { .. } => {
                *reading = None;
                told(LogProgress::Failed);
            }
            SocketEvent::Opened | SocketEvent::Text(_) => {}
        }
    };
    match Socket::dial(&address, &protocols, happened) {
        Ok(dialled) => {
            *socket.borrow_mut() = Some(dialled);
            Some(LogReading { _socket: socket })
        }
        Err(_) => {
            failed(LogProgress::Failed);
            None
        }
    }
}

/// A log that is being read, until this is dropped.
pub struct LogReading {
    _socket: Rc<RefCell<Option<Socket>>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::event::{AgentMessage, EventFields, SessionOutput};
    use moorline_shared::id::Epoch;
    use moorline_shared::sse;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn encoded<F: EventFields>(seq: Option<u64>, fields: &F) -> String {
        let id = seq.map(|seq| Cursor { epoch: Epoch(7), seq: Seq(seq) });
        let data = Event::encode(&"session_1".parse().unwrap(), 1, fields);
        sse::encode(F::KIND.as_str(), id, &data)
    }

    fn connected(from: u64, head: u64) -> String {
        encoded(None, &Connected { from: Seq(from), head: Seq(head), ..Connected::default() })
    }

    fn message(id: &str) -> AgentMessage {
        let (message_id, delta) = (id.to_owned(), Some("x".to_owned()));
        AgentMessage { message_id, delta, ..AgentMessage::default() }
    }

    #[test]
    fn a_log_is_folded_until_it_has_what_the_page_has() {
        let mut fold = LogFold::default();
        assert_eq!(fold.progress(Seq::ZERO), LogProgress::Reading(0));
        let output = SessionOutput { content: "y".into(), ..SessionOutput::default() };
        let stream = connected(0, 2) + &encoded(Some(1), &message("a"));
        fold.take(stream.as_bytes()).unwrap();
        assert_eq!(fold.progress(Seq(1)), LogProgress::Reading(50));
        fold.take(encoded(Some(2), &output).as_bytes()).unwrap();
        assert_eq!(fold.progress(Seq(2)), LogProgress::Read);
        assert_eq!(fold.progress(Seq(3)), LogProgress::Reading(100));
        fold.take(encoded(Some(3), &message("b")).as_bytes()).unwrap();
        assert_eq!(fold.progress(Seq(3)), LogProgress::Read);
        assert_eq!(fold.conversation.items.len(), 2);
    }

    #[test]
    fn a_log_that_has_lost_its_beginning_is_told_of() {
        let mut fold = LogFold::default();
        fold.take(connected(50, 60).as_bytes()).unwrap();
        assert_eq!(fold.progress(Seq(60)), LogProgress::Trimmed);
    }
}
