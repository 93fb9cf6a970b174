//! The bytes that paint a terminal as it is, for a later page.

use moorline_shared::id::Seq;
use moorline_shared::limits::EMBED_SNAPSHOT_BYTES;
use moorline_shared::session::Size;

use crate::bindings::chunk::Chunk;

/// Most pieces, after which they are joined. Each piece costs more than its bytes.
const PIECES: usize = 512;

/// The bytes that paint a terminal as it is: a snapshot, and all output after it. They are exactly
/// what this terminal was drawn from, so another one of the same size shows the same.
///
/// If the output since the snapshot becomes too much, or the terminal gets another size, the record
/// is empty until the next snapshot.
#[derive(Debug, Default)]
pub(super) struct ScreenRecord {
    pieces: Vec<Chunk>,
    bytes: usize,
    /// The last entry in it.
    seq: Seq,
    /// The size of the terminal that it is for; `None` while it has no bytes.
    size: Option<Size>,
    /// True if it cannot paint the terminal.
    is_broken: bool,
}

impl ScreenRecord {
    /// Begins anew with a snapshot of a terminal of this size.
    pub(super) fn restart(&mut self, seq: Seq, snapshot: Chunk, size: Size) {
        *self = Self { seq, ..Self::default() };
        self.push(seq, snapshot, size);
    }

    /// Adds the output of the entry `seq`, in a terminal of this size.
    pub(super) fn push(&mut self, seq: Seq, output: Chunk, size: Size) {
        self.seq = seq;
        self.bytes += output.bytes();
        let has_other_size = self.size.is_some_and(|known| known != size);
        if self.is_broken || has_other_size || self.bytes > EMBED_SNAPSHOT_BYTES {
            *self = Self { seq, is_broken: true, ..Self::default() };
            return;
        }
        self.size = Some(size);
        self.pieces.push(output);
        if self.pieces.len() > PIECES {
            self.pieces = vec![Chunk::joined(&self.pieces)];
        }
    }

    /// Passes an entry that draws nothing.
    pub(super) const fn skip(&mut self, seq: Seq) {
        self.seq = seq;
    }

    /// Begins anew with an empty terminal.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the last entry, and the bytes and the size that paint it; `None` instead of these if
    /// only a new snapshot could tell them.
    pub(super) fn read(&mut self) -> (Seq, Option<(Chunk, Option<Size>)>) {
        if self.is_broken {
            return (self.seq, None);
        }
        let whole = Chunk::joined(&self.pieces);
        self.pieces = vec![whole.clone()];
        (self.seq, Some((whole, self.size)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SIZE: Size = Size { cols: 80, rows: 24 };

    fn read(record: &mut ScreenRecord) -> (u64, Option<Vec<u8>>) {
        let (seq, painted) = record.read();
        (seq.0, painted.map(|(bytes, _)| bytes.to_vec()))
    }

    #[test]
    fn it_is_the_snapshot_and_what_follows() {
        let mut record = ScreenRecord::default();
        assert_eq!(read(&mut record), (0, Some(Vec::new())));
        record.push(Seq(1), Chunk::copy(b"lost"), SIZE);
        record.restart(Seq(7), Chunk::copy(b"snap"), SIZE);
        let mut expected = b"snap".to_vec();
        for seq in 8..8 + 2 * PIECES as u64 {
            record.push(Seq(seq), Chunk::copy(b"xy"), SIZE);
            expected.extend_from_slice(b"xy");
        }
        record.skip(Seq(5_000));
        assert_eq!(read(&mut record), (5_000, Some(expected.clone())));
        assert_eq!(read(&mut record), (5_000, Some(expected)));
        record.clear();
        assert_eq!(read(&mut record), (0, Some(Vec::new())));
    }

    #[test]
    fn what_it_cannot_paint_it_does_not_claim() {
        let mut record = ScreenRecord::default();
        let large = Chunk::copy(&vec![b'x'; EMBED_SNAPSHOT_BYTES]);
        record.push(Seq(1), large, SIZE);
        assert!(read(&mut record).1.is_some());
        record.push(Seq(2), Chunk::copy(b"x"), SIZE);
        assert_eq!(read(&mut record), (2, None));
        record.push(Seq(3), Chunk::copy(b"x"), SIZE);
        assert_eq!(read(&mut record), (3, None));
        record.restart(Seq(3), Chunk::copy(b"s"), SIZE);
        assert_eq!(read(&mut record), (3, Some(b"s".to_vec())));
        // Lines wrap in another place there.
        record.push(Seq(4), Chunk::copy(b"x"), Size { cols: 40, rows: 24 });
        assert_eq!(read(&mut record), (4, None));
    }
}
