//! JSON-RPC messages as lines, without I/O.
//!
//! The connection to an agent outlives this process: a host that restarts goes on with an agent
//! that still runs. So the ids of open requests and what each was for are part of
//! [`AgentMachine`](super::AgentMachine)'s state, and are not hidden in a client of a library,
//! whose futures would end with the process.

pub use moorline_shared::rpc::RpcError;
pub(super) use moorline_shared::rpc::{
    AUTH_REQUIRED, CANCELLED, INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, NOT_FOUND, RpcId,
    RpcMessage, answer, notification, read, request,
};

/// Most bytes of one line.
pub const LINE_BYTES: usize = 32 * 1024 * 1024;
/// Splits a stream of bytes into lines. A line above [`LINE_BYTES`] is dropped.
#[derive(Debug, Default)]
pub(super) struct LineSplitter {
    /// The beginning of an incomplete line; empty while that is dropped.
    partial: Vec<u8>,
    /// True while the rest of a line is dropped that was too long.
    is_dropping: bool,
}

/// One line of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SplitLine {
    /// A line, without its end.
    Whole(Vec<u8>),
    /// A line that was dropped because it was too long.
    TooLong,
}

impl LineSplitter {
    /// Takes bytes from the front of `bytes`, up to and including the end of one line. Returns the
    /// line, or `None` once all bytes are taken.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<SplitLine> {
        let end = memchr::memchr(b'\n', bytes);
        let (line, rest) = match end {
            Some(end) => (&bytes[..end], &bytes[end + 1..]),
            None => (*bytes, &[][..]),
        };
        *bytes = rest;
        self.is_dropping |= self.partial.len() + line.len() > LINE_BYTES;
        if self.is_dropping {
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(line);
        }
        end?;
        Some(match std::mem::take(&mut self.is_dropping) {
            true => SplitLine::TooLong,
            false => SplitLine::Whole(std::mem::take(&mut self.partial)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_wherever_the_stream_is_cut() {
        let stream = b"one\n\ntwo\nthree";
        for cut in 0..stream.len() {
            let mut splitter = LineSplitter::default();
            let mut lines = Vec::new();
            for mut part in [&stream[..cut], &stream[cut..]] {
                while let Some(line) = splitter.next(&mut part) {
                    lines.push(line);
                }
            }
            let want = ["one", "", "two"].map(|line| SplitLine::Whole(line.into()));
            assert_eq!(lines, want, "{cut}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_dropped_alone() {
        let mut splitter = LineSplitter::default();
        let part = vec![b'x'; LINE_BYTES / 2 + 1];
        assert_eq!(splitter.next(&mut &part[..]), None);
        assert_eq!(splitter.next(&mut &part[..]), None);
        assert!(splitter.partial.is_empty());
        let mut rest = &b"x\nnext\n"[..];
        assert_eq!(splitter.next(&mut rest), Some(SplitLine::TooLong));
        assert_eq!(splitter.next(&mut rest), Some(SplitLine::Whole(b"next".to_vec())));
    }
}
