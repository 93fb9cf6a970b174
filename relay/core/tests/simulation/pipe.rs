//! One direction of a wire: messages arrive byte by byte, or not at all.

use std::collections::VecDeque;

use crate::rng::Rng;

/// Messages on their way, each with its length on the wire.
pub(crate) struct Pipe<T> {
    messages: VecDeque<(T, usize)>,
    /// Bytes of the first message that have arrived.
    arrived: usize,
}

impl<T> Default for Pipe<T> {
    fn default() -> Self {
        Self { messages: VecDeque::new(), arrived: 0 }
    }
}

impl<T> Pipe<T> {
    pub(crate) fn send(&mut self, message: T, bytes: usize) {
        self.messages.push_back((message, bytes.max(1)));
    }

    /// Lets some bytes arrive, and returns the messages that are complete. Dropping the pipe loses
    /// the rest, so a wire can break at any byte.
    pub(crate) fn deliver(&mut self, rng: &mut Rng) -> Vec<T> {
        let total: usize = self.messages.iter().map(|(_, bytes)| bytes).sum();
        let bytes = if rng.once_in(4) { total } else { rng.below(total as u64 + 1) as usize };
        self.arrived += bytes.min(total - self.arrived.min(total));
        let mut whole = Vec::new();
        while let Some((message, bytes)) = self.messages.pop_front() {
            if self.arrived < bytes {
                self.messages.push_front((message, bytes));
                break;
            }
            self.arrived -= bytes;
            whole.push(message);
        }
        whole
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns the bytes on their way, which fill a socket's buffer.
    pub(crate) fn bytes(&self) -> usize {
        self.messages.iter().map(|(_, bytes)| bytes).sum()
    }
}
