//! Server-sent events: a writer, and a parser for a byte stream.
//!
//! Source: the HTML standard, "Server-sent events", §9.2.6.

use std::fmt::Write as _;
use std::str::FromStr;

use crate::id::{Cursor, Epoch, Seq};

/// Most bytes of one event that a parser accepts: an output entry in which every byte is escaped.
const EVENT_BYTES: usize = 1024 * 1024;

/// The error for a text that is not an event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event id has the form `<epoch>.<seq>`")]
pub struct InvalidEventId;

/// The id of an SSE event consists of its epoch and seq.
impl FromStr for Cursor {
    type Err = InvalidEventId;

    fn from_str(text: &str) -> Result<Self, InvalidEventId> {
        let (epoch, seq) = text.split_once('.').ok_or(InvalidEventId)?;
        let number = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| text.parse().ok()).flatten().ok_or(InvalidEventId)
        };
        Ok(Self { epoch: Epoch(number(epoch)?), seq: Seq(number(seq)?) })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.epoch, self.seq)
    }
}

/// The sign of life of a stream while it has no events.
pub const HEARTBEAT: &str = ": heartbeat\n\n";

/// The media type of an event stream. Without the character set some readers assume Latin-1.
pub const CONTENT_TYPE: &str = "text/event-stream; charset=utf-8";

/// Characters that end a line for many readers, though not in this format: for Python, and for
/// others that split lines by Unicode's rules. In JSON they can only occur inside strings.
const UNICODE_LINE_ENDS: [(char, &str); 3] =
    [('\u{85}', "\\u0085"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];

/// Encodes one event. `data` is one line of JSON.
#[must_use]
pub fn encode(kind: &str, id: Option<Cursor>, data: &str) -> String {
    encode_numbered(kind, id, data)
}

/// Encodes one event whose id is anything on one line. `data` is one line of JSON.
#[must_use]
pub fn encode_numbered(kind: &str, id: Option<impl std::fmt::Display>, data: &str) -> String {
    let mut text = String::with_capacity(kind.len() + data.len() + 64);
    text.push_str("event: ");
    // A host can name its own kinds of events, so the name may contain anything.
    text.extend(kind.split(char::is_control));
    if let Some(id) = id {
        // Writing to a String cannot fail.
        let _ = write!(text, "\nid: {id}");
    }
    text.push_str("\ndata: ");
    push_on_one_line(&mut text, data);
    text.push_str("\n\n");
    text
}

/// Appends JSON and escapes the line ends that it may contain verbatim.
fn push_on_one_line(text: &mut String, json: &str) {
    let mut rest = json;
    while let Some(at) = rest.find(UNICODE_LINE_ENDS.map(|(end, _)| end)) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let (end, escaped) = UNICODE_LINE_ENDS
            .into_iter()
            .find(|(end, _)| from.starts_with(*end))
            .expect("one of them was found here");
        text.push_str(escaped);
        rest = &from[end.len_utf8()..];
    }
    text.push_str(rest);
}

/// Encodes how long a client should wait before it reconnects.
#[must_use]
pub fn encode_retry(ms: u32) -> String {
    format!("retry: {ms}\n\n")
}

/// One event as a parser yields it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The event's own id, if it has one.
    pub id: Option<String>,
    /// The event's name; `message` if it has none.
    pub kind: String,
    /// The event's data lines, joined by newlines.
    pub data: String,
}

/// An item that a parser found in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SseItem {
    /// An event. [`Parser::last_event_id`] is the position to resume at.
    Event(SseEvent),
    /// A comment, which serves as a sign of life.
    Comment,
    /// The time to wait before reconnecting, in milliseconds.
    Retry(u32),
}

/// The error for an event that is larger than any that a relay sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event is larger than {} MiB", EVENT_BYTES / 1024 / 1024)]
pub struct TooLarge;

/// Parses events from bytes that arrive in pieces of any size.
#[derive(Debug, Clone, Default)]
pub struct Parser {
    line: Vec<u8>,
    /// True if the last byte was a CR: an LF that follows belongs to it.
    after_cr: bool,
    started: bool,
    kind: String,
    data: String,
    id: Option<String>,
    last_event_id: Option<String>,
}

impl Parser {
    /// Creates a parser at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the id of the last complete event that had one.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// Takes the next bytes and calls `found` with every item that is complete.
    ///
    /// # Errors
    /// [`TooLarge`] if an event is too large; then the stream must be closed.
    pub fn push(&mut self, bytes: &[u8], mut found: impl FnMut(SseItem)) -> Result<(), TooLarge> {
        let mut rest = bytes;
        if self.after_cr && rest.first() == Some(&b'\n') {
            rest = &rest[1..];
        }
        self.after_cr &= rest.is_empty() && bytes.is_empty();
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.line.extend_from_slice(&rest[..end]);
            let cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            if cr {
                match rest.first() {
                    Some(b'\n') => rest = &rest[1..],
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            let line = std::mem::take(&mut self.line);
            if let Some(item) = self.line(&line) {
                found(item);
            }
            if self.data.len() > EVENT_BYTES {
                return Err(TooLarge);
            }
        }
        self.line.extend_from_slice(rest);
        if self.line.len() > EVENT_BYTES { Err(TooLarge) } else { Ok(()) }
    }

    fn line(&mut self, line: &[u8]) -> Option<SseItem> {
        let line = String::from_utf8_lossy(line);
        // A byte-order mark at the very beginning is not content.
        let mark = if std::mem::replace(&mut self.started, true) { None } else { Some('\u{feff}') };
        let line = mark.and_then(|mark| line.strip_prefix(mark)).unwrap_or(&line);
        if line.is_empty() {
            return self.dispatch();
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" => return Some(SseItem::Comment),
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                return value.parse().ok().map(SseItem::Retry);
            }
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<SseItem> {
        let id = self.id.take();
        if id.is_some() {
            self.last_event_id.clone_from(&id);
        }
        let (mut kind, mut data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
        // The newline after the last line is not part of the data.
        data.pop()?;
        if kind.is_empty() {
            "message".clone_into(&mut kind);
        }
        Some(SseItem::Event(SseEvent { id, kind, data }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(parser: &mut Parser, bytes: &[u8]) -> Vec<SseItem> {
        let mut items = Vec::new();
        parser.push(bytes, |item| items.push(item)).unwrap();
        items
    }

    fn event(id: Option<&str>, kind: &str, data: &str) -> SseItem {
        let id = id.map(str::to_owned);
        SseItem::Event(SseEvent { id, kind: kind.into(), data: data.into() })
    }

    #[test]
    fn an_event_looks_like_this() {
        let id = Cursor { epoch: Epoch(7), seq: Seq(9) };
        assert_eq!(encode("gap", None, "{}"), "event: gap\ndata: {}\n\n");
        assert_eq!(encode("a", Some(id), "{}"), "event: a\nid: 7.9\ndata: {}\n\n");
        assert_eq!(encode_retry(250), "retry: 250\n\n");
    }

    #[test]
    fn an_event_is_on_as_many_lines_for_every_reader() {
        let text = "a\u{85}b\u{2028}\u{2029}c\u{2027}é\n\u{b}\u{1c}";
        let json = serde_json::to_string(text).unwrap();
        let encoded = encode("gap", None, &json);
        let ends =
            ['\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
        assert!(!encoded.contains(ends), "{encoded:?}");
        assert_eq!(encode("a\r\ndata: x\u{85}", None, "{}"), "event: adata: x\ndata: {}\n\n");
        let data = encoded.lines().nth(1).unwrap().strip_prefix("data: ").unwrap();
        assert_eq!(serde_json::from_str::<String>(data).unwrap(), text);
    }

    #[test]
    fn an_id_is_epoch_and_seq() {
        assert_eq!("7.9".parse(), Ok(Cursor { epoch: Epoch(7), seq: Seq(9) }));
        for bad in ["", ".", "7", "7.", ".9", "7.9.1", "-7.9", "+7.9", "1732175000000x", "7. 9"] {
            assert_eq!(bad.parse::<Cursor>(), Err(InvalidEventId), "{bad}");
        }
    }

    #[test]
    fn all_of_the_format_is_read() {
        let mut parser = Parser::new();
        let stream = "\u{feff}retry: 1000\n\n: hello\r\nid: 1.2\rdata:a\ndata: b\n\nevent: x\n\n\
            id\nevent: y\ndata\nunknown: z\nretry: soon\n\ndata: cut";
        let items = read(&mut parser, stream.as_bytes());
        let events = [event(Some("1.2"), "message", "a\nb"), event(Some(""), "y", "")];
        assert_eq!(items[..2], [SseItem::Retry(1000), SseItem::Comment]);
        assert_eq!(items[2..], events);
        assert_eq!(parser.last_event_id(), Some(""));
    }

    #[test]
    fn an_event_without_end_is_given_up() {
        let mut parser = Parser::new();
        assert_eq!(parser.push(&vec![b'a'; EVENT_BYTES + 1], |_| {}), Err(TooLarge));
        let mut parser = Parser::new();
        let lines = "data: abcdefghijklmnopqrstuvwxyz\n".repeat(EVENT_BYTES / 26);
        assert_eq!(parser.push(lines.as_bytes(), |_| {}), Err(TooLarge));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in "[a:d\r\n]{0,30}", cut in 0_usize..30) {
            let text = text.replace('d', "data: é");
            let cut = cut.min(text.len());
            let whole = read(&mut Parser::new(), text.as_bytes());
            let mut parser = Parser::new();
            let mut parts = read(&mut parser, &text.as_bytes()[..cut]);
            parts.extend(read(&mut parser, b""));
            parts.extend(read(&mut parser, &text.as_bytes()[cut..]));
            prop_assert_eq!(parts, whole);
        }
    }
}
