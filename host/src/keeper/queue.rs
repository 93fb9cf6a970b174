//! Consecutive bytes of a stream.

use std::collections::VecDeque;

use bytes::Bytes;

/// Capacity above which an empty queue returns its memory.
const IDLE_BYTES: usize = 128 * 1024;

/// The bytes of a stream from one offset to another. Bytes are appended at the end, and dropped at
/// the start.
#[derive(Debug, Default)]
pub(super) struct ByteQueue {
    /// The offset of the first byte that is held.
    start: u64,
    bytes: VecDeque<u8>,
}

impl ByteQueue {
    /// Creates an empty queue at an offset of its stream.
    pub(super) fn at(start: u64) -> Self {
        Self { start, bytes: VecDeque::new() }
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Returns the offset after the last byte.
    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Drops the bytes before `offset`, which is at most the end.
    pub(super) fn forget(&mut self, offset: u64) {
        let count = offset.saturating_sub(self.start).min(self.bytes.len() as u64);
        self.bytes.drain(..count as usize);
        self.start += count;
        if self.bytes.is_empty() && self.bytes.capacity() > IDLE_BYTES {
            self.bytes = VecDeque::new();
        }
    }

    /// Drops all bytes.
    pub(super) fn clear(&mut self) {
        self.forget(self.end());
    }

    /// Returns the first bytes: at least one, unless the queue is empty.
    pub(super) fn front(&self) -> &[u8] {
        self.bytes.as_slices().0
    }

    /// Copies at most `limit` bytes from `offset` on, which is within the queue.
    pub(super) fn copy(&self, offset: u64, limit: usize) -> Bytes {
        let skipped = offset.saturating_sub(self.start).min(self.bytes.len() as u64) as usize;
        let (first, second) = self.bytes.as_slices();
        let rest = match skipped.checked_sub(first.len()) {
            Some(skipped) => &second[skipped..],
            None => &first[skipped..],
        };
        Bytes::copy_from_slice(&rest[..rest.len().min(limit)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_stay_those_of_the_stream() {
        let mut queue = ByteQueue::at(10);
        queue.push(b"abcdef");
        assert_eq!((queue.start(), queue.end(), queue.len()), (10, 16, 6));
        queue.forget(12);
        assert_eq!(&queue.copy(13, 2)[..], b"de");
        // What is dropped already, and what has not come yet.
        queue.forget(11);
        assert_eq!((queue.start(), queue.front()), (12, &b"cdef"[..]));
        queue.forget(99);
        assert_eq!((queue.start(), queue.end()), (16, 16));
        assert!(queue.copy(16, 5).is_empty());
    }

    #[test]
    fn bytes_that_wrap_around_are_copied_up_to_the_wrap() {
        let mut queue = ByteQueue::default();
        let mut copied = Vec::new();
        for byte in 0..200_u8 {
            queue.push(&[byte; 3]);
            if byte % 3 == 0 {
                let bytes = queue.copy(queue.start() + 1, 4);
                copied.push(bytes.len());
                for (at, found) in bytes.iter().enumerate() {
                    let offset = queue.start() + 1 + at as u64;
                    assert_eq!(u64::from(*found), offset / 3);
                }
                queue.forget(queue.start() + 8);
            }
        }
        assert!(copied.contains(&4));
    }

    #[test]
    fn an_empty_queue_returns_its_memory() {
        let mut queue = ByteQueue::default();
        queue.push(&vec![0; 4 * IDLE_BYTES]);
        queue.clear();
        assert_eq!(queue.bytes.capacity(), 0);
        assert_eq!(queue.end(), 4 * IDLE_BYTES as u64);
    }
}
