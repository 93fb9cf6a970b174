//! A client's input: numbered pieces that wait until the session has taken them.

use serde::{Deserialize, Serialize};

use crate::frame::Frame;
use crate::id::{Epoch, Seq};
use crate::limits::{FRAME_DATA_BYTES, INPUT_WAITS, UNACKED_INPUT_BYTES};
use crate::link::sender::{Next, Sender};
use crate::log::{Entry, Log};

/// Pieces that were never sent are joined up to this many bytes.
const JOIN_BYTES: usize = 4096;

/// The error of a full queue: the session has not taken earlier input, and no more can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}; nothing was added", INPUT_WAITS)]
pub struct InputFull;

/// Unacknowledged input in the form that survives a page's reload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SavedInput {
    /// The epoch of the log that it was typed into.
    pub epoch: Option<Epoch>,
    /// The last accepted piece.
    pub acked: Seq,
    /// The pieces after it, as base64.
    pub pieces: Vec<SavedPiece>,
    /// The last piece that was ever sent. Without it, all count as sent.
    pub sent: Option<Seq>,
}

/// One piece of a [`SavedInput`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SavedPiece(#[serde(with = "crate::base64_bytes")] bytes::Bytes);

/// Input that was typed but not accepted, and the sender that delivers it.
#[derive(Debug, Clone)]
pub struct InputQueue {
    /// The epoch of the output's log that the pieces belong to.
    epoch: Option<Epoch>,
    pieces: Log,
    sender: Sender,
    /// The last piece that was ever sent. It and all earlier pieces keep their bytes and numbers.
    fixed: Seq,
    gate: Gate,
}

/// The state that decides whether pieces are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Shut,
    /// Pieces are sent although nobody can say what the session has taken: the relay keeps them for
    /// it.
    Held,
    Open,
}

impl InputQueue {
    /// Creates a queue with the input that an earlier page left.
    #[must_use]
    pub fn new(saved: &SavedInput) -> Self {
        let mut pieces = Log::starting_after(Epoch::default(), saved.acked);
        // If the saved input is damaged, the rest of it is dropped.
        let _ = saved.pieces.iter().try_for_each(|piece| add(&mut pieces, &[&piece.0]));
        let sender = Sender::new(saved.acked, u64::MAX, u64::MAX);
        // Only a piece that was sent loses its data.
        let is_empty = |entry: &&Entry| data(entry).is_some_and(<[u8]>::is_empty);
        let emptied = pieces.after(Seq::ZERO).filter(is_empty).last().map(Entry::seq);
        let sent = saved.sent.unwrap_or(pieces.head()).max(emptied.unwrap_or_default());
        let fixed = sent.clamp(saved.acked, pieces.head());
        Self { epoch: saved.epoch, fixed, pieces, sender, gate: Gate::Shut }
    }

    /// Returns the state to save for [`InputQueue::new`].
    #[must_use]
    pub fn save(&self) -> SavedInput {
        let acked = Seq(self.pieces.tail().0 - 1);
        let pieces =
            self.waiting().map(|data| SavedPiece(bytes::Bytes::copy_from_slice(data))).collect();
        SavedInput { epoch: self.epoch, acked, pieces, sent: Some(self.fixed) }
    }

    /// Returns the epoch that the pieces belong to; `None` if none was ever sent.
    #[must_use]
    pub const fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    /// Returns the last piece that was ever sent.
    #[must_use]
    pub const fn sent(&self) -> Seq {
        self.fixed
    }

    /// Adds input that was typed.
    ///
    /// # Errors
    /// [`InputFull`] if it does not fit; then none of it is added.
    pub fn push(&mut self, data: &[u8]) -> Result<(), InputFull> {
        if self.pieces.bytes() as usize + data.len() > UNACKED_INPUT_BYTES {
            return Err(InputFull);
        }
        if self.join(data) {
            return Ok(());
        }
        data.chunks(FRAME_DATA_BYTES).try_for_each(|piece| add(&mut self.pieces, &[piece]))
    }

    /// Takes the pieces over into another epoch, in which piece `given` + 1 is piece 1: no host was
    /// given it or a later one. Returns the number of pieces up to `given`, which are given up: they
    /// may have been delivered. Does nothing if the pieces belong to `epoch` already.
    ///
    /// The new numbers follow from the old ones alone, so a piece that was sent under its new number
    /// by an earlier page has the same number here.
    pub fn continue_in(&mut self, epoch: Epoch, given: Seq) -> usize {
        if self.epoch.replace(epoch).is_none_or(|known| known == epoch) {
            return 0;
        }
        let renumbered = |seq: Seq| Seq(seq.0.saturating_sub(given.0));
        let count = self.pending().count();
        let rest: Vec<Entry> = self.pieces.after(given).cloned().collect();
        let acked = Seq(self.pieces.tail().0 - 1);
        self.pieces = Log::starting_after(Epoch::default(), renumbered(acked));
        let added = rest.iter().filter_map(data).try_for_each(|it| add(&mut self.pieces, &[it]));
        debug_assert!(added.is_ok(), "they fitted before");
        self.fixed = renumbered(self.fixed);
        self.send_again();
        count - self.pending().count()
    }

    /// Handles the first acknowledgement on a connection: the session has taken everything up to
    /// `seq`, and the rest can be sent. Returns the number of sent pieces that are given up because
    /// they may or may not have been delivered: the epoch is another one, or the host has forgotten
    /// this client.
    pub fn answer(&mut self, epoch: Epoch, seq: Seq) -> usize {
        let same = self.epoch.is_none_or(|known| known == epoch);
        self.epoch = Some(epoch);
        let given_up = if !same {
            self.renumber(seq)
        } else {
            self.ack(seq);
            // Unsent pieces get new numbers if another page of this client has sent more.
            let fits = seq <= self.fixed && self.pieces.reaches_back_to(seq);
            if fits { 0 } else { self.renumber(seq) }
        };
        self.sender = Sender::new(seq, u64::MAX, u64::MAX);
        self.gate = Gate::Open;
        given_up
    }

    /// Starts sending to a relay that keeps input while the session's host is away. The relay drops
    /// pieces that it already has. Once the host is back, [`InputQueue::answer`] reports what it
    /// took.
    pub fn hold(&mut self, epoch: Epoch) {
        if self.gate == Gate::Shut && self.epoch.is_none_or(|known| known == epoch) {
            self.epoch = Some(epoch);
            self.send_again();
            self.gate = Gate::Held;
        }
    }

    /// Drops the pieces up to `seq`, which the session has taken. Unsent pieces stay: it cannot
    /// have taken those.
    pub fn ack(&mut self, seq: Seq) {
        self.pieces.trim(0, seq.min(self.fixed));
    }

    /// Stops sending until the next answer.
    pub const fn disconnected(&mut self) {
        self.gate = Gate::Shut;
    }

    /// Returns true if it is known which pieces the session has taken.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.gate == Gate::Open
    }

    /// Returns the next piece to send.
    pub fn poll_frame(&mut self) -> Option<Frame> {
        if self.gate == Gate::Shut {
            return None;
        }
        let Next::Entry(entry @ Entry::Output(frame)) = self.sender.next(&self.pieces) else {
            return None;
        };
        let frame = frame.clone();
        self.sender.sent(entry);
        self.fixed = self.fixed.max(frame.seq());
        Some(frame)
    }

    /// Returns the input that is neither accepted nor taken back, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = &[u8]> {
        self.waiting().filter(|data| !data.is_empty())
    }

    /// Returns true if no piece waits, not even one that was taken back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting().next().is_none()
    }

    /// Discards the pieces that were never sent. A sent piece may have arrived: it stays, and is
    /// delivered at most once.
    pub fn discard_unsent(&mut self) {
        while self.pieces.head() > self.fixed {
            self.pieces.pop();
        }
    }

    /// Discards everything that is not accepted, and returns the number of pieces. Pieces that were
    /// sent keep their numbers but lose their data: a receiver that has a piece already drops the
    /// second one with its number, and one that does not types nothing.
    pub fn blank(&mut self) -> usize {
        let count = self.pending().count();
        self.discard_unsent();
        let (before, head) = (Seq(self.pieces.tail().0 - 1), self.pieces.head());
        self.pieces = Log::starting_after(Epoch::default(), before);
        while self.pieces.head() < head && add(&mut self.pieces, &[]).is_ok() {}
        count
    }

    /// Sends all unaccepted pieces again.
    pub fn send_again(&mut self) {
        self.sender = Sender::new(Seq(self.pieces.tail().0 - 1), u64::MAX, u64::MAX);
    }

    /// Discards everything, and returns the number of pieces; the next piece follows `seq`.
    fn clear(&mut self, seq: Seq) -> usize {
        let count = self.pending().count();
        self.pieces = Log::starting_after(Epoch::default(), seq);
        self.fixed = seq;
        count
    }

    /// Discards the sent pieces, and returns their number; numbers the unsent ones after `seq`.
    fn renumber(&mut self, seq: Seq) -> usize {
        let unsent: Vec<Entry> = self.pieces.after(self.fixed).cloned().collect();
        // An unsent piece always has data: only sent ones are blanked.
        let sent = self.clear(seq) - unsent.len();
        for piece in unsent.iter().filter_map(data) {
            let pushed = self.push(piece);
            debug_assert!(pushed.is_ok(), "it fitted before");
        }
        sent
    }

    /// Returns the data of every piece, including those that were taken back.
    fn waiting(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.after(Seq::ZERO).filter_map(data)
    }

    /// Appends to the last piece, if that was never sent and stays small. Returns false if it did
    /// not.
    fn join(&mut self, data: &[u8]) -> bool {
        let head = self.pieces.head();
        let Some(Entry::Output(last)) = self.pieces.get(head) else {
            return false;
        };
        if head <= self.fixed || last.data_len() + data.len() > JOIN_BYTES {
            return false;
        }
        let last = last.clone();
        self.pieces.pop();
        add(&mut self.pieces, &[last.data(), data]).is_ok()
    }
}

/// Appends one piece made of these parts.
fn add(pieces: &mut Log, parts: &[&[u8]]) -> Result<(), InputFull> {
    let mut buffer = Frame::buffer(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| buffer.extend_from_slice(part));
    pieces.append(0, buffer).map(drop).map_err(|_| InputFull)
}

fn data(entry: &Entry) -> Option<&[u8]> {
    match entry {
        Entry::Output(frame) => Some(frame.data()),
        Entry::Event(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Epoch = Epoch(1);

    fn open_queue() -> InputQueue {
        let mut queue = InputQueue::new(&SavedInput::default());
        assert_eq!(queue.answer(EPOCH, Seq(0)), 0);
        queue
    }

    fn sent(queue: &mut InputQueue) -> Vec<(u64, Vec<u8>)> {
        std::iter::from_fn(|| queue.poll_frame()).map(|f| (f.seq().0, f.data().to_vec())).collect()
    }

    #[test]
    fn typing_offline_joins_and_goes_out_once_open() {
        let mut queue = InputQueue::new(&SavedInput::default());
        queue.push(b"l").unwrap();
        queue.push(b"s").unwrap();
        assert_eq!(sent(&mut queue), []);
        queue.answer(EPOCH, Seq(0));
        assert_eq!(sent(&mut queue), [(1, b"ls".to_vec())]);
        queue.push(b"\r").unwrap();
        assert_eq!(sent(&mut queue), [(2, b"\r".to_vec())]);
    }

    #[test]
    fn what_was_not_accepted_is_sent_again_under_the_same_number() {
        let mut queue = open_queue();
        for piece in [b"a", b"b", b"c"] {
            queue.push(piece).unwrap();
            sent(&mut queue);
        }
        queue.disconnected();
        queue.push(b"d").unwrap();
        let saved = queue.save();
        for mut queue in [queue, InputQueue::new(&saved)] {
            assert_eq!(queue.answer(EPOCH, Seq(2)), 0);
            assert_eq!(sent(&mut queue), [(3, b"c".to_vec()), (4, b"d".to_vec())]);
            queue.ack(Seq(4));
            assert_eq!(queue.pending().count(), 0);
        }
    }

    #[test]
    fn pieces_of_doubtful_fate_are_given_up() {
        let mut queue = open_queue();
        for piece in [b"a", b"b"] {
            queue.push(piece).unwrap();
            sent(&mut queue);
        }
        queue.ack(Seq(1));
        queue.disconnected();
        queue.push(b"new").unwrap();
        let mut other_epoch = queue.clone();
        assert_eq!(other_epoch.answer(Epoch(2), Seq(0)), 1);
        assert_eq!(sent(&mut other_epoch), [(1, b"new".to_vec())]);
        assert_eq!(queue.answer(EPOCH, Seq(0)), 1);
        assert_eq!(sent(&mut queue), [(1, b"new".to_vec())]);
    }

    #[test]
    fn what_reached_no_host_counts_on_in_the_next_epoch() {
        let mut queue = open_queue();
        for piece in [b"a", b"b", b"c"] {
            queue.push(piece).unwrap();
            sent(&mut queue);
        }
        queue.ack(Seq(1));
        queue.disconnected();
        queue.push(b"new").unwrap();
        let saved = queue.save();
        for mut queue in [queue, InputQueue::new(&saved)] {
            let mut repeated = queue.clone();
            assert_eq!(queue.continue_in(Epoch(2), Seq(2)), 1, "the piece b may have arrived");
            assert_eq!(queue.continue_in(Epoch(2), Seq(2)), 0);
            assert_eq!(queue.answer(Epoch(2), Seq(0)), 0);
            assert_eq!(sent(&mut queue), [(1, b"c".to_vec()), (2, b"new".to_vec())]);
            // Another page has sent the same pieces before, and the first one was taken.
            assert_eq!(repeated.continue_in(Epoch(2), Seq(2)), 1);
            assert_eq!(repeated.answer(Epoch(2), Seq(1)), 0);
            assert_eq!(sent(&mut repeated), [(2, b"new".to_vec())]);
        }
    }

    #[test]
    fn what_a_page_has_not_sent_is_certain_after_its_reload() {
        let mut queue = open_queue();
        queue.push(b"sent").unwrap();
        sent(&mut queue);
        queue.disconnected();
        queue.push(b"unsent").unwrap();
        let mut reloaded = InputQueue::new(&queue.save());
        assert_eq!(reloaded.answer(Epoch(2), Seq(0)), 1);
        assert_eq!(sent(&mut reloaded), [(1, b"unsent".to_vec())]);
    }

    #[test]
    fn what_is_blanked_keeps_its_numbers_and_waits_no_more() {
        let mut queue = open_queue();
        for piece in [b"a", b"b"] {
            queue.push(piece).unwrap();
            sent(&mut queue);
        }
        queue.disconnected();
        queue.push(b"unsent").unwrap();
        assert_eq!((queue.blank(), queue.blank()), (3, 0));
        assert_eq!((queue.pending().count(), queue.is_empty()), (0, false));
        queue.push(b"new").unwrap();
        let mut forgotten = queue.clone();
        assert_eq!(queue.answer(EPOCH, Seq(1)), 0);
        assert_eq!(sent(&mut queue), [(2, Vec::new()), (3, b"new".to_vec())]);
        queue.ack(Seq(3));
        assert!(queue.is_empty());
        forgotten.ack(Seq(1));
        assert_eq!(forgotten.answer(EPOCH, Seq(0)), 0, "nothing is lost with an empty piece");
        assert_eq!(sent(&mut forgotten), [(1, b"new".to_vec())]);
    }

    #[test]
    fn what_was_never_sent_is_never_taken() {
        let mut queue = InputQueue::new(&SavedInput::default());
        queue.push(b"typed").unwrap();
        // Another page of this client has sent one piece, or five.
        for seq in [1, 5] {
            let mut queue = queue.clone();
            assert_eq!(queue.answer(EPOCH, Seq(seq)), 0);
            let mut discarded = queue.clone();
            assert_eq!(sent(&mut queue), [(seq + 1, b"typed".to_vec())]);
            discarded.ack(Seq(9));
            assert_eq!((discarded.blank(), discarded.is_empty()), (1, true));
        }
    }

    #[test]
    fn a_full_queue_takes_nothing_more() {
        let mut queue = open_queue();
        queue.push(&vec![0; UNACKED_INPUT_BYTES]).unwrap();
        assert_eq!(queue.push(b"x"), Err(InputFull));
        assert_eq!(sent(&mut queue).len(), 4);
        queue.ack(Seq(1));
        queue.push(b"x").unwrap();
    }

    #[test]
    fn only_unsent_pieces_can_be_discarded() {
        let mut queue = open_queue();
        queue.push(b"sent").unwrap();
        sent(&mut queue);
        queue.disconnected();
        queue.push(b"unsent").unwrap();
        queue.discard_unsent();
        assert_eq!(queue.pending().collect::<Vec<_>>(), [b"sent"]);
        queue.answer(EPOCH, Seq(1));
        queue.push(b"more").unwrap();
        assert_eq!(sent(&mut queue), [(2, b"more".to_vec())]);
    }
}
