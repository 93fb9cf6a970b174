//! The output that a session's log retains, read from its oldest entry up to now. A terminal shows
//! it above its own scrollback.

use moorline_shared::event::{Connected, Event, EventKind, SessionOutput};
use moorline_shared::id::{Cursor, Seq};
use moorline_shared::sse::{Parser, SseEvent, SseItem, TooLarge};

/// Reads a session's event stream from its oldest entry on.
#[derive(Debug, Default)]
pub struct Reading {
    parser: Parser,
    /// The beginning and the end of the log when the stream was opened.
    bounds: Option<(Seq, Seq)>,
    at: Seq,
    /// True if older output is not retained any more.
    is_trimmed: bool,
}

impl Reading {
    /// Parses bytes of the stream. Returns the output in them.
    ///
    /// # Errors
    /// [`TooLarge`]: the bytes are not an event stream.
    pub fn take(&mut self, bytes: &[u8]) -> Result<String, TooLarge> {
        let mut events = Vec::new();
        let read = self.parser.push(bytes, |item| {
            if let SseItem::Event(event) = item {
                events.push(event);
            }
        });
        let output = events.iter().filter_map(|event| self.event(event)).collect();
        read.map(|()| output)
    }

    fn event(&mut self, event: &SseEvent) -> Option<String> {
        let id = event.id.as_deref().and_then(|id| id.parse::<Cursor>().ok());
        self.at = self.at.max(id.map(|id| id.seq).unwrap_or_default());
        let parse = || serde_json::from_str::<Event>(&event.data).ok();
        match EventKind::of(&event.kind) {
            EventKind::Connected => {
                let Connected { from, head, .. } = parse()?.into_fields()?;
                self.is_trimmed |= from > Seq::ZERO;
                self.bounds = Some((from, head));
                None
            }
            EventKind::Gap => {
                self.is_trimmed = true;
                None
            }
            EventKind::SessionOutput => Some(parse()?.into_fields::<SessionOutput>()?.content),
            _ => None,
        }
    }

    /// Returns true once everything is read that the log had when the stream was opened.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.bounds.is_some_and(|(_, head)| self.at >= head)
    }

    /// Returns true if the log has lost its beginning.
    #[must_use]
    pub const fn is_trimmed(&self) -> bool {
        self.is_trimmed
    }

    /// Returns the share that is read, in percent.
    #[must_use]
    pub fn percent(&self) -> u64 {
        let Some((from, head)) = self.bounds else { return 0 };
        let all = head.0.saturating_sub(from.0).max(1);
        (self.at.0.saturating_sub(from.0) * 100 / all).min(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::event::EventFields;
    use moorline_shared::id::Epoch;
    use moorline_shared::sse;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn encoded<F: EventFields>(id: Option<Cursor>, fields: &F) -> String {
        let data = Event::encode(&"session_1".parse().unwrap(), 1, fields);
        sse::encode(F::KIND.as_str(), id, &data)
    }

    fn connected(from: u64, head: u64) -> String {
        let (from, head) = (Seq(from), Seq(head));
        encoded(None, &Connected { from, head, ..Connected::default() })
    }

    fn output(seq: u64, content: &str) -> String {
        let cursor = Cursor { epoch: Epoch(7), seq: Seq(seq) };
        let content = content.to_owned();
        encoded(Some(cursor), &SessionOutput { content, ..SessionOutput::default() })
    }

    #[test]
    fn a_log_is_read_up_to_where_it_ended_when_it_was_opened() {
        let mut reading = Reading::default();
        assert_eq!((reading.is_done(), reading.percent()), (false, 0));
        let stream = connected(0, 3) + &output(1, "one ") + "event: x\nid: 7.2\ndata: {}\n\n";
        let (first, rest) = stream.as_bytes().split_at(40);
        assert_eq!(reading.take(first).unwrap(), "");
        assert_eq!(reading.take(rest).unwrap(), "one ");
        assert_eq!((reading.is_done(), reading.percent()), (false, 66));
        assert_eq!(reading.take(output(3, "three").as_bytes()).unwrap(), "three");
        assert!(reading.is_done() && !reading.is_trimmed());
        assert_eq!(reading.percent(), 100);
    }

    #[test]
    fn a_log_that_has_lost_its_beginning_is_told_of() {
        let mut reading = Reading::default();
        reading.take(connected(50, 60).as_bytes()).unwrap();
        assert!(reading.is_trimmed() && reading.percent() == 0);
        let mut reading = Reading::default();
        reading.take(b"event: gap\ndata: {}\n\n").unwrap();
        assert!(reading.is_trimmed());
    }

    #[test]
    fn an_empty_log_is_read_at_once() {
        let mut reading = Reading::default();
        reading.take(connected(0, 0).as_bytes()).unwrap();
        assert!(reading.is_done());
    }
}
