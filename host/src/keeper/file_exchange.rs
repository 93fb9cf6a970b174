//! Requests about files, and their answers, over the connection of a keeper.
//!
//! A keeper whose folder is in sync with a workspace asks its host: one request at a time, and a newer
//! one replaces the one before. Messages may be larger than what a connection lives for, so they
//! travel in pieces. Each [`FilePiece`] says how much of the other's message its sender has, so that
//! both ends go on there over the next connection. A host that was restarted has nothing, and gets
//! the request again.
//!
//! Call [`FileExchange::connected`] when a connection begins, [`FileExchange::receive`] with each
//! piece, and send [`FileExchange::poll_piece`] while it returns one. The answering end speaks first,
//! because only it knows whether the other end understands pieces. At most [`WINDOW_BYTES`] are on
//! their way each way: so much may be in front of output in the buffers of a connection.

use bytes::{Bytes, BytesMut};
use moorline_shared::limits::WORKSPACE_MESSAGE_BYTES;

/// The most bytes of data in a piece. Output never waits for more than one that was not sent yet.
pub(crate) const PIECE_BYTES: usize = 16 * 1024;
/// The most bytes that were sent and that the other end has not told to have.
pub(crate) const WINDOW_BYTES: usize = 256 * 1024;
/// The most bytes of a message: as much as a host reads of a relay's answer, and a code.
const MESSAGE_BYTES: u64 = 2 * WORKSPACE_MESSAGE_BYTES as u64 + 1024;

/// Part of a request about files, or of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePiece {
    /// The number of the request, from 1; 0 if there was none.
    pub number: u64,
    /// The number of bytes that the sender has of the other's message.
    pub taken: u64,
    /// The length of the sender's message in bytes; 0 if there is none yet.
    pub length: u64,
    /// The offset of the data in the sender's message.
    pub offset: u64,
    /// The data, possibly none.
    pub data: Bytes,
}

/// The error for a piece that does not follow the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPiece {
    #[error("a message about files is longer than {MESSAGE_BYTES} bytes")]
    TooLong,
    #[error("a piece about files does not follow the one before")]
    Gap,
}

/// The role of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileSide {
    Asks,
    Answers,
}

/// One end of an exchange. See the module.
#[derive(Debug)]
pub(crate) struct FileExchange {
    side: FileSide,
    /// The number of the request; 0 before the first.
    number: u64,
    outgoing: Bytes,
    /// The offset after what was sent over this connection; `None` until the other end has told what
    /// it has.
    sent: Option<u64>,
    /// The number of bytes of `outgoing` that the other end has.
    taken: u64,
    incoming: BytesMut,
    /// The length of the message that arrives; 0 if it is not known.
    length: u64,
    /// The number of its bytes that have arrived.
    received: u64,
    /// The value of `received` in the last piece that was sent.
    told: u64,
    /// True if a piece is due even without data.
    owes: bool,
}

impl FileExchange {
    /// Creates the end that asks.
    pub(crate) fn asking() -> Self {
        Self::new(FileSide::Asks)
    }

    /// Creates the end that answers.
    pub(crate) fn answering() -> Self {
        Self::new(FileSide::Answers)
    }

    fn new(side: FileSide) -> Self {
        Self {
            side,
            number: 0,
            outgoing: Bytes::new(),
            sent: None,
            taken: 0,
            incoming: BytesMut::new(),
            length: 0,
            received: 0,
            told: 0,
            owes: false,
        }
    }

    /// Returns the number of the last request.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Takes note of a new connection, before its first piece.
    pub(crate) fn connected(&mut self) {
        self.sent = None;
        self.owes = self.side == FileSide::Answers;
    }

    /// Asks something. An earlier request is not answered any more.
    pub(crate) fn ask(&mut self, request: Bytes) {
        self.begin(self.number + 1);
        self.outgoing = request;
    }

    /// Answers the request of this number, if there is no later one.
    pub(crate) fn answer(&mut self, number: u64, answer: Bytes) {
        if number == self.number {
            self.outgoing = answer;
            self.taken = 0;
            self.sent = self.sent.map(|_| 0);
        }
    }

    /// Takes a piece. Returns the other's message once it is complete: a request of
    /// [`FileExchange::number`], or the answer to the last one.
    ///
    /// # Errors
    /// [`BadPiece`]; then the connection is of no use any more.
    pub(crate) fn receive(&mut self, piece: &FilePiece) -> Result<Option<Bytes>, BadPiece> {
        let is_other = piece.number != self.number;
        if is_other && self.side == FileSide::Answers {
            self.begin(piece.number);
        }
        let is_about_another = is_other && self.side == FileSide::Asks;
        let has = if is_about_another { 0 } else { piece.taken.min(self.outgoing.len() as u64) };
        match self.sent {
            // The first piece of a connection: it tells where to go on.
            None => {
                (self.sent, self.taken) = (Some(has), has);
                self.owes |= self.side == FileSide::Asks;
                if is_about_another {
                    // The beginning of an answer is of an earlier host, and this one's may differ.
                    self.incoming.clear();
                    (self.length, self.received) = (0, 0);
                }
            }
            Some(sent) => self.taken = self.taken.max(has.min(sent)),
        }
        if is_about_another { Ok(None) } else { self.take(piece) }
    }

    /// Returns the next piece to send.
    pub(crate) fn poll_piece(&mut self) -> Option<FilePiece> {
        let offset = self.sent.unwrap_or_default();
        let on_the_way = (offset - self.taken.min(offset)) as usize;
        let rest = self.outgoing.len().saturating_sub(offset as usize);
        let count = rest.min(PIECE_BYTES).min(WINDOW_BYTES.saturating_sub(on_the_way));
        let count = if self.sent.is_some() { count } else { 0 };
        if !std::mem::take(&mut self.owes) && count == 0 {
            return None;
        }
        self.told = self.received;
        self.sent = self.sent.map(|sent| sent + count as u64);
        let start = if count == 0 { 0 } else { offset as usize };
        Some(FilePiece {
            number: self.number,
            taken: self.received,
            length: self.outgoing.len() as u64,
            offset,
            data: self.outgoing.slice(start..start + count),
        })
    }

    /// Begins with another request.
    fn begin(&mut self, number: u64) {
        let sent = self.sent.map(|_| 0);
        *self = Self { number, sent, owes: self.owes, ..Self::new(self.side) };
    }

    /// Takes the data of a piece.
    fn take(&mut self, piece: &FilePiece) -> Result<Option<Bytes>, BadPiece> {
        if piece.length > MESSAGE_BYTES {
            return Err(BadPiece::TooLong);
        }
        if piece.data.is_empty() {
            return Ok(None);
        }
        let end = piece.offset.saturating_add(piece.data.len() as u64);
        let is_next = piece.offset == self.received
            && end <= piece.length
            && (self.length == piece.length || self.received == 0);
        if !is_next {
            return Err(BadPiece::Gap);
        }
        self.length = piece.length;
        self.incoming.extend_from_slice(&piece.data);
        self.received = end;
        let is_complete = end == self.length;
        self.owes |= is_complete || self.received - self.told >= WINDOW_BYTES as u64 / 4;
        if !is_complete {
            return Ok(None);
        }
        if self.side == FileSide::Asks {
            // Nobody needs it again.
            self.outgoing = Bytes::new();
            self.sent = self.sent.map(|_| 0);
            self.taken = 0;
        }
        Ok(Some(std::mem::take(&mut self.incoming).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ends, and what was delivered to each.
    struct Ends {
        keeper: FileExchange,
        host: FileExchange,
    }

    impl Ends {
        fn new() -> Self {
            let mut ends = Self { keeper: FileExchange::asking(), host: FileExchange::answering() };
            ends.connect();
            ends
        }

        fn connect(&mut self) {
            self.keeper.connected();
            self.host.connected();
        }

        /// Moves at most so many pieces each way. Returns the messages that are complete.
        fn run(&mut self, pieces: usize) -> (Vec<Bytes>, Vec<Bytes>) {
            let (mut requests, mut answers) = (Vec::new(), Vec::new());
            for _ in 0..pieces {
                if let Some(piece) = self.host.poll_piece() {
                    answers.extend(self.keeper.receive(&piece).unwrap());
                }
                if let Some(piece) = self.keeper.poll_piece() {
                    requests.extend(self.host.receive(&piece).unwrap());
                }
            }
            (requests, answers)
        }
    }

    fn message(length: usize, salt: usize) -> Bytes {
        (0..length).map(|at| (at * 31 / 7 + salt) as u8).collect()
    }

    #[test]
    fn a_keeper_says_nothing_to_a_host_that_says_nothing() {
        let mut keeper = FileExchange::asking();
        keeper.connected();
        keeper.ask(message(9, 0));
        assert_eq!(keeper.poll_piece(), None);
    }

    #[test]
    fn a_message_goes_on_after_each_cut() {
        let mut ends = Ends::new();
        let request = message(1_000_001, 1);
        ends.keeper.ask(request.clone());
        let (mut requests, mut rounds) = (Vec::new(), 0);
        while requests.is_empty() {
            requests = ends.run(5).0;
            ends.connect();
            rounds += 1;
        }
        assert_eq!(requests, [request]);
        assert!((12..=20).contains(&rounds), "{rounds} connections");
        let answer = message(500_000, 2);
        ends.host.answer(1, answer.clone());
        let mut answers = Vec::new();
        while answers.is_empty() {
            answers = ends.run(5).1;
            ends.connect();
        }
        assert_eq!(answers, [answer]);
        assert_eq!(ends.run(9), (Vec::new(), Vec::new()), "each arrives once");
    }

    #[test]
    fn a_host_that_was_restarted_gets_the_request_again() {
        let mut ends = Ends::new();
        ends.keeper.ask(message(50_000, 1));
        assert_eq!(ends.run(9).0.len(), 1);
        ends.host = FileExchange::answering();
        ends.connect();
        assert_eq!(ends.run(9).0, [message(50_000, 1)]);
        // What the earlier one has begun to answer does not count.
        ends.host.answer(1, message(90_000, 2));
        ends.run(3);
        ends.host = FileExchange::answering();
        ends.connect();
        assert_eq!(ends.run(9).0, [message(50_000, 1)]);
        ends.host.answer(1, message(80_000, 3));
        assert_eq!(ends.run(9).1, [message(80_000, 3)]);
    }

    #[test]
    fn a_newer_request_replaces_the_one_before() {
        let mut ends = Ends::new();
        ends.keeper.ask(message(400_000, 1));
        ends.run(3);
        ends.keeper.ask(message(10, 2));
        assert_eq!(ends.run(3).0, [message(10, 2)]);
        ends.host.answer(1, message(3, 3));
        assert!(ends.run(3).1.is_empty(), "nobody waits for that answer");
        ends.host.answer(2, message(300_000, 4));
        ends.run(2);
        // What is on its way of an answer to an earlier request counts for nothing.
        let late = ends.host.poll_piece().unwrap();
        ends.keeper.ask(message(10, 5));
        assert_eq!(ends.keeper.receive(&late), Ok(None));
        assert_eq!(ends.run(3).0, [message(10, 5)]);
    }

    #[test]
    fn what_is_on_the_way_is_bounded() {
        let mut ends = Ends::new();
        ends.run(2);
        ends.keeper.ask(message(2_000_000, 1));
        let sent: usize =
            std::iter::from_fn(|| ends.keeper.poll_piece()).map(|piece| piece.data.len()).sum();
        assert_eq!(sent, WINDOW_BYTES);
    }

    #[test]
    fn pieces_that_do_not_follow_are_errors() {
        let piece = |length, offset, data: &'static [u8]| FilePiece {
            number: 1,
            taken: 0,
            length,
            offset,
            data: Bytes::from_static(data),
        };
        let mut host = FileExchange::answering();
        host.connected();
        assert_eq!(host.receive(&piece(u64::MAX, 0, b"")), Err(BadPiece::TooLong));
        assert_eq!(host.receive(&piece(9, 1, b"x")), Err(BadPiece::Gap));
        assert_eq!(host.receive(&piece(9, u64::MAX, b"x")), Err(BadPiece::Gap));
        assert_eq!(host.receive(&piece(2, 0, b"xyz")), Err(BadPiece::Gap));
        assert_eq!(host.receive(&piece(9, 0, b"x")), Ok(None));
        assert_eq!(host.receive(&piece(8, 1, b"y")), Err(BadPiece::Gap));
    }
}
