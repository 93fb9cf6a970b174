//! Typing that exceeds what may be in flight at once, such as a large paste. It is sent as there is
//! room, in order with what is typed after it.

use std::collections::VecDeque;

/// The most bytes that wait here. A larger paste is refused as a whole.
pub(super) const MOST_BYTES: usize = 16 << 20;
/// The most bytes in flight. It is small, so that what is typed next arrives soon.
const ON_ITS_WAY_BYTES: usize = 64 * 1024;
/// The most bytes in one piece.
const PIECE_BYTES: usize = 16 * 1024;
/// Marks around a paste, if the program asked for them.
const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// The data does not fit within [`MOST_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMuch;

/// PasteProgress of a large paste.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasteProgress {
    /// Bytes that have been sent.
    pub done: usize,
    /// Bytes of all of it.
    pub total: usize,
}

/// Typing that waits for room. Empty as long as typing fits.
#[derive(Debug, Clone, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<u8>,
    /// Bytes that were sent since it was empty.
    done: usize,
    /// True if a paste is sent in part: the program waits for its end.
    in_paste: bool,
}

impl Backlog {
    /// Appends what was typed.
    ///
    /// # Errors
    /// [`TooMuch`]; nothing was taken.
    pub(super) fn push(&mut self, data: &[u8]) -> Result<(), TooMuch> {
        if self.waiting.len() + data.len() > MOST_BYTES {
            return Err(TooMuch);
        }
        self.waiting.extend(data);
        Ok(())
    }

    /// Returns the next piece to send while `on_its_way` bytes are in flight, or `None` if nothing
    /// waits or the room does not suffice.
    pub(super) fn next(&mut self, on_its_way: usize) -> Option<Vec<u8>> {
        // What fits goes as one piece: a program may recognise a key by its bytes arriving
        // together.
        let room = ON_ITS_WAY_BYTES.saturating_sub(on_its_way);
        if self.waiting.is_empty() || room < PIECE_BYTES.min(self.waiting.len()) {
            return None;
        }
        let count = self.cut(PIECE_BYTES);
        let piece: Vec<u8> = self.waiting.drain(..count).collect();
        self.done += piece.len();
        let last = |mark: &[u8]| piece.windows(mark.len()).rposition(|window| window == mark);
        self.in_paste = match (last(PASTE_BEGINS), last(PASTE_ENDS)) {
            (None, None) => self.in_paste,
            (begins, ends) => begins > ends,
        };
        if self.waiting.is_empty() {
            (self.done, self.in_paste) = (0, false);
        }
        Some(piece)
    }

    /// Returns where to cut, at most at `most`: neither within a character nor within an escape
    /// sequence as long as the mark of a paste.
    fn cut(&self, most: usize) -> usize {
        if self.waiting.len() <= most {
            return self.waiting.len();
        }
        let within = |from: usize| self.waiting.range(from..most).position(|byte| *byte == 0x1b);
        let mark = within(most - PASTE_ENDS.len()).map(|at| most - PASTE_ENDS.len() + at);
        let mut cut = mark.unwrap_or(most);
        while cut > most - 10 && self.waiting[cut] & 0xc0 == 0x80 {
            cut -= 1;
        }
        cut
    }

    /// Drops what waits. If a paste was sent in part, returns its end, which must still be sent.
    pub(super) fn clear(&mut self) -> Option<&'static [u8]> {
        let ends = self.in_paste.then_some(PASTE_ENDS);
        *self = Self::default();
        ends
    }

    /// Returns true if nothing waits.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the progress while something waits.
    #[must_use]
    pub(super) fn progress(&self) -> Option<PasteProgress> {
        let (done, total) = (self.done, self.done + self.waiting.len());
        (!self.is_empty()).then_some(PasteProgress { done, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn drained(backlog: &mut Backlog) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| backlog.next(0)).collect()
    }

    #[test]
    fn a_large_paste_goes_in_piece_by_piece_and_whole() {
        let text = "zwölf Boxkämpfer\n".repeat(20_000).into_bytes();
        let mut backlog = Backlog::default();
        backlog.push(&text).unwrap();
        backlog.push(b"typed after").unwrap();
        let pieces = drained(&mut backlog);
        assert!(pieces.len() > 10 && pieces.iter().all(|piece| piece.len() <= PIECE_BYTES));
        assert!(
            pieces.iter().all(|piece| std::str::from_utf8(piece).is_ok()),
            "cut in a character"
        );
        assert_eq!(pieces.concat(), [&text[..], b"typed after"].concat());
        assert_eq!((backlog.is_empty(), backlog.progress()), (true, None));
    }

    #[test]
    fn it_waits_for_room() {
        let mut backlog = Backlog::default();
        backlog.push(&[b'x'; 100_000]).unwrap();
        assert_eq!(backlog.next(ON_ITS_WAY_BYTES), None);
        assert_eq!(backlog.next(ON_ITS_WAY_BYTES - 1), None);
        assert_eq!(backlog.next(ON_ITS_WAY_BYTES - PIECE_BYTES).unwrap().len(), PIECE_BYTES);
        let progress = PasteProgress { done: PIECE_BYTES, total: 100_000 };
        assert_eq!(backlog.progress(), Some(progress));
    }

    #[test]
    fn a_paste_that_is_given_up_is_ended() {
        let paste = [PASTE_BEGINS, &[b'x'; 100_000], PASTE_ENDS].concat();
        let mut backlog = Backlog::default();
        backlog.push(&paste).unwrap();
        assert_eq!(backlog.clone().clear(), None, "it has not begun");
        backlog.next(0).unwrap();
        assert_eq!(backlog.clear(), Some(PASTE_ENDS));
        assert!(backlog.is_empty());
        backlog.push(&paste).unwrap();
        drained(&mut backlog);
        assert_eq!(backlog.clear(), None, "it has ended");
    }

    #[test]
    fn the_mark_of_a_paste_is_not_cut() {
        for missing in 1..PASTE_ENDS.len() {
            let fill = vec![b'x'; PIECE_BYTES - PASTE_BEGINS.len() - missing];
            let mut backlog = Backlog::default();
            backlog.push(&[PASTE_BEGINS, &fill, PASTE_ENDS].concat()).unwrap();
            backlog.next(0).unwrap();
            assert_eq!(backlog.clear(), Some(PASTE_ENDS), "cut {missing} bytes into the mark");
        }
    }

    #[test]
    fn what_is_beyond_all_measure_is_refused() {
        let mut backlog = Backlog::default();
        backlog.push(&vec![b'x'; MOST_BYTES]).unwrap();
        assert_eq!(backlog.push(b"x"), Err(TooMuch));
    }
}
