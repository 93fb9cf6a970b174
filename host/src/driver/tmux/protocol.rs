//! The control mode of tmux: what a server says to a client that is a program.
//!
//! [`ControlParser`] turns the bytes of `tmux -C` into [`ControlEvent`]s. It does no I/O: give it
//! whatever was read with [`ControlParser::push`], then take events with [`ControlParser::next`]
//! until `None`. A spurious call of either changes nothing.
//!
//! ```
//! use moorline_host::driver::tmux::{ControlEvent, ControlParser};
//!
//! let mut parser = ControlParser::default();
//! parser.push(b"%begin 7 1 1\nwork\n%end 7 1 1\n%output %1 a\\012\n");
//! let Some(ControlEvent::Reply(reply)) = parser.next() else { panic!() };
//! assert_eq!((reply.is_error, reply.lines), (false, vec![b"work".to_vec()]));
//! let output = ControlEvent::Output { pane: "%1".into(), data: b"a\n".to_vec() };
//! assert_eq!(parser.next(), Some(output));
//! assert_eq!(parser.next(), None);
//! ```
//!
//! Lines are bytes: names, titles and output need not be UTF-8. Within a reply every line is
//! content until the `%end` with the reply's own number, because a captured screen may show any
//! text.

use memchr::memchr;

/// Most bytes of one line. tmux sends output in pieces of a few KiB, and a captured line has at most
/// a few thousand cells.
const LINE_BYTES: usize = 1024 * 1024;
/// Most bytes of one reply. A screen with its history is bounded by the request.
const REPLY_BYTES: usize = 16 * 1024 * 1024;

/// An item of a server's control stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlEvent {
    /// The reply to one command of this client.
    Reply(ControlReply),
    /// Output of a pane.
    Output {
        /// The pane's id, such as `%1`.
        pane: String,
        /// The bytes, as the pane's program has written them.
        data: Vec<u8>,
    },
    /// The server has thrown output of a pane away, because this client was slow.
    Paused {
        /// The pane's id.
        pane: String,
    },
    /// The server ends the connection, with its reason if it has one.
    Exit(String),
    /// Something else has changed. The line says what, but a list of panes says it reliably.
    Notice,
}

/// The reply to a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ControlReply {
    /// True if the command has failed. The lines say why.
    pub is_error: bool,
    /// The output of the command, without line breaks.
    pub lines: Vec<Vec<u8>>,
}

impl ControlReply {
    /// Returns the output as text, for an error or a list.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lines.join(&b'\n')).into_owned()
    }
}

/// The fault of a stream that is none of control mode. The connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ControlFault {
    /// A line is too long.
    #[error("tmux has sent a line of more than {LINE_BYTES} bytes")]
    Line,
    /// A reply is too long.
    #[error("tmux has sent a reply of more than {REPLY_BYTES} bytes")]
    Reply,
}

/// Parses control mode.
#[derive(Debug, Default)]
pub struct ControlParser {
    /// Bytes of lines that were not parsed yet.
    buffer: Vec<u8>,
    /// The number of bytes at the beginning of `buffer` that are parsed.
    parsed: usize,
    /// The reply that is being read.
    block: Option<ReplyBlock>,
    /// The fault after which nothing is parsed.
    fault: Option<ControlFault>,
}

/// A reply whose end has not come.
#[derive(Debug)]
struct ReplyBlock {
    /// What follows `%begin`, and must follow `%end`: time, number and flags.
    guard: Vec<u8>,
    /// False for a reply to a command that this client did not send, such as its own attaching.
    is_own: bool,
    lines: Vec<Vec<u8>>,
    bytes: usize,
}

impl ControlParser {
    /// Takes what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        self.buffer.drain(..self.parsed);
        self.parsed = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next event; `None` if more must be read.
    #[expect(clippy::should_implement_trait, reason = "it can return more after `None`")]
    pub fn next(&mut self) -> Option<ControlEvent> {
        while self.fault.is_none() {
            let rest = &self.buffer[self.parsed..];
            let Some(length) = memchr(b'\n', rest) else {
                if rest.len() > LINE_BYTES {
                    self.fault = Some(ControlFault::Line);
                }
                return None;
            };
            let start = self.parsed;
            self.parsed += length + 1;
            let line = &self.buffer[start..start + length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let event = match &mut self.block {
                Some(block) => match block.take(line) {
                    ReplyStep::More => None,
                    ReplyStep::Fault(fault) => {
                        self.fault = Some(fault);
                        None
                    }
                    ReplyStep::End { is_error } => self.block.take().and_then(|block| {
                        let reply = ControlReply { is_error, lines: block.lines };
                        block.is_own.then_some(ControlEvent::Reply(reply))
                    }),
                },
                None => outside(line, &mut self.block),
            };
            if event.is_some() {
                return event;
            }
        }
        None
    }

    /// Returns the fault, if there was one.
    #[must_use]
    pub const fn fault(&self) -> Option<ControlFault> {
        self.fault
    }
}

enum ReplyStep {
    More,
    End { is_error: bool },
    Fault(ControlFault),
}

impl ReplyBlock {
    fn take(&mut self, line: &[u8]) -> ReplyStep {
        for (word, is_error) in [(&b"%end "[..], false), (&b"%error "[..], true)] {
            // Output without a line break at its end stands before it on the same line.
            let Some(before) = line.strip_suffix(&*self.guard) else { continue };
            if let Some(last) = before.strip_suffix(word) {
                if !last.is_empty() {
                    self.lines.push(last.to_owned());
                }
                return ReplyStep::End { is_error };
            }
        }
        self.bytes += line.len() + 1;
        if self.bytes > REPLY_BYTES {
            return ReplyStep::Fault(ControlFault::Reply);
        }
        self.lines.push(line.to_owned());
        ReplyStep::More
    }
}

/// Takes a line outside of replies.
fn outside(line: &[u8], block: &mut Option<ReplyBlock>) -> Option<ControlEvent> {
    let (word, rest) = split(line);
    match word {
        b"%begin" => {
            let flags = rest.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
            let (guard, is_own) = (rest.to_owned(), flags != b"0");
            *block = Some(ReplyBlock { guard, is_own, lines: Vec::new(), bytes: 0 });
            None
        }
        b"%output" => {
            let (pane, data) = split(rest);
            Some(ControlEvent::Output { pane: text(pane), data: unescaped(data) })
        }
        b"%extended-output" => {
            let (pane, rest) = split(rest);
            // The age and what later versions add, up to a colon.
            let data = memchr(b':', rest).map(|at| &rest[at + 1..]).unwrap_or_default();
            let data = data.strip_prefix(b" ").unwrap_or(data);
            Some(ControlEvent::Output { pane: text(pane), data: unescaped(data) })
        }
        b"%pause" => Some(ControlEvent::Paused { pane: text(rest) }),
        b"%exit" => Some(ControlEvent::Exit(text(rest))),
        _ if word.starts_with(b"%") => Some(ControlEvent::Notice),
        // Not a line of control mode, such as a warning.
        _ => None,
    }
}

/// Splits at the first space.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b' ', line) {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[]),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Decodes output: tmux writes bytes below 0x20 and the backslash as a backslash and three octal
/// digits.
fn unescaped(data: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some(at) = memchr(b'\\', rest) {
        decoded.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        match rest {
            [_, a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                decoded.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            // No version of tmux writes this.
            _ => {
                decoded.push(b'\\');
                rest = &rest[1..];
            }
        }
    }
    decoded.extend_from_slice(rest);
    decoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<ControlEvent> {
        let mut parser = ControlParser::default();
        let mut events = Vec::new();
        for piece in pieces {
            parser.push(piece);
            events.extend(std::iter::from_fn(|| parser.next()));
        }
        assert_eq!(parser.fault(), None);
        events
    }

    fn reply(is_error: bool, lines: &[&[u8]]) -> ControlEvent {
        let lines = lines.iter().map(|line| line.to_vec()).collect();
        ControlEvent::Reply(ControlReply { is_error, lines })
    }

    /// As tmux 3.3a has sent it to a client that attached, and sent commands.
    const RECORDED: &[u8] = b"%begin 1796043431 271 0\n%end 1796043431 271 0\n\
        %session-changed $0 work\n\
        %begin 1796043431 276 1\n$0 @0 %0 0 0\n%end 1796043431 276 1\n\
        %begin 1796043431 280 1\nparse error: unknown command: bad\n%error 1796043431 280 1\n\
        %begin 1796043431 279 1\n\n%end 1796043431 279 1\n\
        %subscription-changed panes $0 @0 0 %0 : vm|/tmp\n\
        %output %0 a\\033[1mb\\134\\015\\012\xff\n\
        %extended-output %0 12 : c\\012\n\
        %pause %0\n\
        %exit detached\n";

    fn recorded() -> Vec<ControlEvent> {
        let output = |data: &[u8]| ControlEvent::Output { pane: "%0".into(), data: data.to_vec() };
        vec![
            ControlEvent::Notice,
            reply(false, &[b"$0 @0 %0 0 0"]),
            reply(true, &[b"parse error: unknown command: bad"]),
            reply(false, &[b""]),
            ControlEvent::Notice,
            output(b"a\x1b[1mb\\\r\n\xff"),
            output(b"c\n"),
            ControlEvent::Paused { pane: "%0".into() },
            ControlEvent::Exit("detached".into()),
        ]
    }

    #[test]
    fn a_recorded_stream_is_understood_wherever_it_is_cut() {
        for at in 0..RECORDED.len() {
            assert_eq!(events(&[&RECORDED[..at], &RECORDED[at..]]), recorded(), "cut at {at}");
        }
    }

    /// Recordings of three versions that got the same commands: 3.3a, 3.7c, and a preview of 3.8.
    const VERSIONS: [&[u8]; 3] = [
        include_bytes!("../../../tests/recordings/control/3.3a.bin"),
        include_bytes!("../../../tests/recordings/control/3.7c.bin"),
        include_bytes!("../../../tests/recordings/control/3.8.bin"),
    ];

    #[test]
    fn recordings_of_several_versions_say_the_same() {
        for recording in VERSIONS {
            let whole = events(&[recording]);
            let replies: Vec<_> = whole
                .iter()
                .filter_map(|event| match event {
                    ControlEvent::Reply(reply) => Some(reply),
                    _ => None,
                })
                .collect();
            assert_eq!(replies.len(), 15);
            let errors = replies.iter().map(|reply| reply.is_error);
            assert!(errors.enumerate().all(|(number, is_error)| is_error == (number == 1)));
            assert_eq!(replies[0].lines, [b"$0 @0 %0 0 0"]);
            assert_eq!(replies[7].lines, [b"%0", b"%1"]);
            let screen = &replies[11].lines;
            assert_eq!((screen.len(), &*screen[1]), (12, &b"ab\\"[..]));
            let mut output = Vec::new();
            for event in &whole {
                if let ControlEvent::Output { pane, data } = event
                    && pane == "%0"
                {
                    output.extend_from_slice(data);
                }
            }
            let printed = b"\r\na\x1b[1mb\\\r\n\xff$ ";
            let shown = memchr::memmem::find(&output, printed);
            assert!(shown.is_some(), "{}", output.escape_ascii());
            assert_eq!(whole.last(), Some(&ControlEvent::Exit(String::new())));
            for at in (0..recording.len()).step_by(13) {
                assert_eq!(events(&[&recording[..at], &recording[at..]]), whole, "cut at {at}");
            }
        }
    }

    #[test]
    fn a_screen_may_show_the_words_of_the_protocol() {
        let stream = b"%begin 1 2 1\n%end 1 3 1\n%output %1 x\n%begin 9 9 1\n%exit\n%end 1 2 1\n";
        let lines: [&[u8]; 4] = [b"%end 1 3 1", b"%output %1 x", b"%begin 9 9 1", b"%exit"];
        assert_eq!(events(&[stream]), [reply(false, &lines)]);
    }

    #[test]
    fn a_reply_without_a_last_line_break_ends_all_the_same() {
        let stream = b"%begin 1 2 1\nabc%end 1 2 1\n%exit\n";
        let expected = [reply(false, &[b"abc"]), ControlEvent::Exit(String::new())];
        assert_eq!(events(&[stream]), expected);
    }

    #[test]
    fn a_line_or_a_reply_without_an_end_is_a_fault() {
        let mut parser = ControlParser::default();
        parser.push(&vec![b'x'; LINE_BYTES + 1]);
        assert_eq!((parser.next(), parser.fault()), (None, Some(ControlFault::Line)));
        let mut parser = ControlParser::default();
        parser.push(b"%begin 1 2 1\n");
        let line = [vec![b'x'; LINE_BYTES / 2], vec![b'\n']].concat();
        for _ in 0..=REPLY_BYTES / line.len() + 1 {
            parser.push(&line);
            assert_eq!(parser.next(), None);
        }
        assert_eq!(parser.fault(), Some(ControlFault::Reply));
    }

    proptest! {
        #[test]
        fn output_survives(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut line = b"%output %7 ".to_vec();
            for byte in &data {
                if *byte < 0x20 || *byte == b'\\' {
                    line.extend(format!("\\{byte:03o}").bytes());
                } else {
                    line.push(*byte);
                }
            }
            line.push(b'\n');
            prop_assert_eq!(events(&[&line]), [ControlEvent::Output { pane: "%7".into(), data }]);
        }

        #[test]
        fn any_bytes_are_bearable(pieces in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(|piece| &**piece).collect();
            events(&pieces);
        }
    }
}
