//! This terminal's answers to queries of the session's program.
//!
//! Output that is written to the terminal may contain queries, and the terminal's answers arrive as
//! input. They must not be sent as typing: they go to the session marked with the entry that asked.
//! So this module remembers the queries, and takes their answers out of the input.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use moorline_host::queries::{Queries, Query};
use moorline_shared::id::Seq;
use moorline_shared::time::Time;

use moorline_core::replies::sequence_len;

/// Time for which a query is remembered; later answers count as typing. The session waits for a
/// shorter time, but an answer that comes after that must not be typed into it either.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time allowed for the rest of an answer. Without it, the beginning counts as typing.
const REST: Duration = Duration::from_millis(100);
/// Limit of the queries that are remembered.
const WAITING: usize = 1024;

/// An answer for the session.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AttachReply {
    /// The entry with the query.
    pub(super) seq: Seq,
    pub(super) data: Bytes,
    /// True if the entry has further queries that are not answered yet.
    pub(super) more: bool,
}

/// Queries that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Replies {
    queries: Queries,
    waiting: VecDeque<QueryWait>,
    /// Input that may be the beginning of an answer, and the time at which it arrived.
    begun: Option<(Vec<u8>, Time)>,
}

#[derive(Debug)]
struct QueryWait {
    seq: Seq,
    query: Query,
    /// The number of sequences of the answer that have not arrived.
    left: usize,
    /// True if it is from before this connection, so that its answer must not be sent.
    is_past: bool,
    until: Time,
}

impl Replies {
    /// Notes the queries in output that is about to be written to the terminal.
    pub(super) fn wrote(&mut self, now: Time, seq: Seq, output: &[u8], is_past: bool) {
        let (waiting, until) = (&mut self.waiting, now + PATIENCE);
        self.queries.push(output, |_, query| {
            if waiting.len() < WAITING && !query.is_for_host() {
                let left = query.replies();
                waiting.push_back(QueryWait { seq, query, left, is_past, until });
            }
        });
    }

    /// Moves the answers in `typed` to `found`, and returns the rest.
    pub(super) fn take(
        &mut self,
        now: Time,
        typed: &[u8],
        found: &mut Vec<AttachReply>,
    ) -> Vec<u8> {
        self.waiting.retain(|waiting| now < waiting.until);
        let begun = self.begun.take().map(|(begun, _)| begun);
        let joined = begun.map(|begun| [&begun, typed].concat());
        let typed = joined.as_deref().unwrap_or(typed);
        let mut kept = Vec::with_capacity(typed.len());
        let mut rest = typed;
        while let Some(at) = rest.iter().position(|byte| *byte == 0x1b) {
            if self.waiting.is_empty() {
                break;
            }
            kept.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            match sequence_len(rest) {
                Some(length) if self.answers(&rest[..length], found) => rest = &rest[length..],
                Some(length) => {
                    kept.extend_from_slice(&rest[..length]);
                    rest = &rest[length..];
                }
                // A key that sends the beginning of an answer sends no more than that.
                None if rest.len() > 2 && is_begun(rest) => {
                    self.begun = Some((rest.to_vec(), now));
                    return kept;
                }
                None => {
                    kept.push(0x1b);
                    rest = &rest[1..];
                }
            }
        }
        kept.extend_from_slice(rest);
        kept
    }

    /// Returns input that was held back as the beginning of an answer, once its rest is overdue.
    pub(super) fn give_up(&mut self, now: Time) -> Option<Vec<u8>> {
        let begun = self.begun.take_if(|(_, since)| now >= *since + REST);
        begun.map(|(begun, _)| begun)
    }

    /// The time at which to call [`Replies::give_up`].
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.begun.as_ref().map(|(_, since)| *since + REST)
    }

    /// Returns true if a sequence answers a query. Earlier queries will not be answered any more.
    fn answers(&mut self, sequence: &[u8], found: &mut Vec<AttachReply>) -> bool {
        let is_meant = |waiting: &QueryWait| waiting.query.is_answered_by(sequence);
        let Some(at) = self.waiting.iter().position(is_meant) else { return false };
        let skipped: Vec<QueryWait> = self.waiting.drain(..at).collect();
        let Some(waiting) = self.waiting.front_mut() else { return false };
        let (seq, is_past) = (waiting.seq, waiting.is_past);
        for earlier in skipped.iter().filter(|earlier| !earlier.is_past && earlier.seq < seq) {
            let is_told = found.last().is_some_and(|reply| reply.seq == earlier.seq && !reply.more);
            if !is_told {
                found.push(AttachReply { seq: earlier.seq, data: Bytes::new(), more: false });
            }
        }
        waiting.left -= 1;
        if waiting.left == 0 {
            self.waiting.pop_front();
        }
        if !is_past {
            let more = self.waiting.front().is_some_and(|next| next.seq == seq);
            found.push(AttachReply { seq, data: Bytes::copy_from_slice(sequence), more });
        }
        true
    }
}

/// Returns true if this may be the beginning of an answer.
fn is_begun(bytes: &[u8]) -> bool {
    let parameters = || bytes[2..].iter().all(|byte| (0x20..=0x3f).contains(byte));
    bytes.len() <= 4096
        && match bytes.get(1) {
            Some(b'[') => parameters(),
            Some(b'P' | b']') => true,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_ms(0);

    fn asked(entries: &[(u64, &str, bool)]) -> Replies {
        let mut replies = Replies::default();
        for (seq, output, is_past) in entries {
            replies.wrote(NOW, Seq(*seq), output.as_bytes(), *is_past);
        }
        replies
    }

    fn take(replies: &mut Replies, typed: &str) -> (String, Vec<(u64, String, bool)>) {
        let mut found = Vec::new();
        let kept = replies.take(NOW, typed.as_bytes(), &mut found);
        let told = |reply: AttachReply| {
            (reply.seq.0, String::from_utf8_lossy(&reply.data).into_owned(), reply.more)
        };
        (String::from_utf8_lossy(&kept).into_owned(), found.into_iter().map(told).collect())
    }

    #[test]
    fn an_answer_is_taken_from_what_is_typed() {
        let mut replies = asked(&[(7, "\x1b[6n", false)]);
        let (kept, found) = take(&mut replies, "a\x1b[A\x1b[3;4Rb\x1b[1;5R");
        assert_eq!(kept, "a\x1b[Ab\x1b[1;5R");
        assert_eq!(found, [(7, "\x1b[3;4R".into(), false)]);
        assert_eq!(take(&mut replies, "\x1b[3;4R"), ("\x1b[3;4R".into(), vec![]));
    }

    #[test]
    fn what_was_asked_in_the_past_is_answered_to_nobody() {
        let mut replies = asked(&[(1, "\x1b[c", true), (2, "\x1b[5n", false)]);
        let (kept, found) = take(&mut replies, "\x1b[?62c\x1b[0n");
        assert_eq!((kept.as_str(), &found[..]), ("", &[(2, "\x1b[0n".into(), false)][..]));
    }

    #[test]
    fn a_terminal_that_does_not_know_a_query_says_so_by_the_next_answer() {
        let output = "\x1b[>q\x1b]4;1;?;2;?\x07\x1b[c";
        let mut replies = asked(&[(1, "\x1b[=c", false), (2, output, false)]);
        let (_, found) = take(&mut replies, "\x1b]4;1;rgb:0/0/0\x07\x1b]4;2;rgb:0/0/0\x07");
        let colour = |number| format!("\x1b]4;{number};rgb:0/0/0\x07");
        assert_eq!(found, [(1, String::new(), false), (2, colour(1), true), (2, colour(2), true)]);
        let (_, found) = take(&mut replies, "\x1b[?1;2c");
        assert_eq!(found, [(2, "\x1b[?1;2c".into(), false)]);
    }

    #[test]
    fn an_answer_may_come_in_parts_and_a_key_is_not_held_for_long() {
        let mut replies = asked(&[(1, "\x1b[6n\x1b[6n", false)]);
        assert_eq!(take(&mut replies, "x\x1b[12;").0, "x");
        let (kept, found) = take(&mut replies, "3Ry");
        assert_eq!((kept.as_str(), found), ("y", vec![(1, "\x1b[12;3R".into(), true)]));
        assert_eq!(take(&mut replies, "\x1b").0, "\x1b", "a key");
        assert_eq!(take(&mut replies, "\x1b[1").0, "");
        assert_eq!(replies.give_up(NOW), None);
        assert_eq!(replies.poll_timeout(), Some(NOW + REST));
        assert_eq!(replies.give_up(NOW + REST).as_deref(), Some(&b"\x1b[1"[..]));
    }

    #[test]
    fn what_comes_much_later_is_typed() {
        let mut replies = asked(&[(1, "\x1b[6n", false)]);
        let mut found = Vec::new();
        assert_eq!(replies.take(NOW + PATIENCE, b"\x1b[1;1R", &mut found), b"\x1b[1;1R");
        assert_eq!(found, []);
    }
}
