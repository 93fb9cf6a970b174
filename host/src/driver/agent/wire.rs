//! What is on its way to an agent, and how much of what it wrote was handled.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The position in an agent's two streams. Both are byte streams that count from 0 with each
/// process.
///
/// A session that outlives its host stores it together with the machine. Input is written only once
/// it is stored, and kept until the agent's pipe has taken it, so that the next host can write it
/// again: a keeper takes each byte once. Output is acknowledged only once the state is stored in
/// which it was handled.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct AgentWire {
    /// The socket of the process's keeper, if it has one; in a pod, the pod's name.
    pub(super) keeper: Option<PathBuf>,
    /// The offset after the output that was handled.
    pub(super) handled: u64,
    /// The offset of the first byte of `unwritten`.
    base: u64,
    /// Input that the process's pipe has not taken, as far as is known.
    unwritten: String,
    /// The offset from which input is held back, if it is.
    #[serde(default)]
    held: Option<u64>,
    /// The offset before which input may be written.
    #[serde(skip)]
    released: u64,
    /// The offset before which input was passed on.
    #[serde(skip)]
    passed: u64,
}

impl AgentWire {
    /// Begins the streams of another process.
    pub(super) fn restart(&mut self, keeper: Option<PathBuf>) {
        *self = Self { keeper, ..Self::default() };
    }

    /// Queues a line.
    pub(super) fn push(&mut self, line: &str) {
        self.unwritten.push_str(line);
        self.unwritten.push('\n');
    }

    /// Returns the offset after all input.
    pub(super) fn end(&self) -> u64 {
        self.base + self.unwritten.len() as u64
    }

    /// Returns the offset of the first byte that the process's pipe has not taken, as far as is known.
    pub(super) const fn base(&self) -> u64 {
        self.base
    }

    /// Allows input before this offset to be written.
    pub(super) fn release(&mut self, up_to: u64) {
        self.released = self.released.max(up_to.min(self.end()));
    }

    /// Holds back what is queued from now on.
    pub(super) fn hold(&mut self) {
        self.held.get_or_insert(self.end());
    }

    /// Holds nothing back any more.
    pub(super) const fn let_go(&mut self) {
        self.held = None;
    }

    /// Returns the input to pass on now, with its offset. Report it with [`AgentWire::passed`].
    pub(super) fn ready(&self) -> Option<(u64, &[u8])> {
        let from = self.passed.max(self.base);
        let until = self.held.unwrap_or(u64::MAX).min(self.released).max(from);
        let (start, end) = ((from - self.base) as usize, (until - self.base) as usize);
        let ready = &self.unwritten.as_bytes()[start..end];
        (!ready.is_empty()).then_some((from, ready))
    }

    /// Records that input before this offset was passed on.
    pub(super) fn passed(&mut self, up_to: u64) {
        self.passed = self.passed.max(up_to);
    }

    /// Records that the process's pipe has taken the input before this offset.
    pub(super) fn written(&mut self, up_to: u64) {
        // The offset may lie within a character: that is kept until the rest of it is written too.
        let count = up_to.min(self.end()).saturating_sub(self.base) as usize;
        let count = self.unwritten.floor_char_boundary(count);
        self.unwritten.drain(..count);
        self.base += count as u64;
    }

    /// Returns the number of bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.unwritten.len()
    }

    /// Continues with a process that an earlier host has left behind. All of it was stored.
    pub(super) fn continued(&mut self) {
        self.released = self.end();
        self.passed = self.base;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_written_once_it_is_stored_and_kept_until_it_is_taken() {
        let mut wire = AgentWire::default();
        wire.push("one");
        assert_eq!(wire.ready(), None);
        wire.release(wire.end());
        wire.push("é");
        assert_eq!(wire.ready(), Some((0, &b"one\n"[..])));
        wire.passed(4);
        assert_eq!(wire.ready(), None);
        wire.written(2);
        wire.release(7);
        assert_eq!(wire.ready(), Some((4, "é\n".as_bytes())));
        wire.passed(7);
        wire.written(5);
        assert_eq!((wire.waiting(), wire.end()), (3, 7));
    }

    #[test]
    fn input_is_held_back_even_by_the_next_host() {
        let mut wire = AgentWire::default();
        wire.push("one");
        wire.hold();
        wire.push("two");
        wire.hold();
        wire.release(wire.end());
        assert_eq!(wire.ready(), Some((0, &b"one\n"[..])));
        wire.passed(4);
        wire.written(4);
        assert_eq!(wire.ready(), None);
        let stored = serde_json::to_string(&wire).unwrap();
        let mut wire: AgentWire = serde_json::from_str(&stored).unwrap();
        wire.continued();
        assert_eq!(wire.ready(), None);
        wire.let_go();
        assert_eq!(wire.ready(), Some((4, &b"two\n"[..])));
    }

    #[test]
    fn the_next_host_writes_again_what_may_not_have_arrived() {
        let mut wire = AgentWire::default();
        wire.push("one");
        wire.push("two");
        wire.release(8);
        wire.passed(8);
        wire.written(4);
        wire.handled = 9;
        let stored = serde_json::to_string(&wire).unwrap();
        let mut wire: AgentWire = serde_json::from_str(&stored).unwrap();
        wire.continued();
        assert_eq!(wire.ready(), Some((4, &b"two\n"[..])));
        assert_eq!(wire.handled, 9);
    }
}
