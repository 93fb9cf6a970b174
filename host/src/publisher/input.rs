//! Input that waits for the session's terminal, and each client's progress.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf as _, Bytes};
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Seq};
use moorline_shared::limits::{
    CLIENTS_PER_SESSION, FRAME_HEADER_BYTES, HOST_INPUT_BYTES, UNACKED_INPUT_BYTES,
};
use moorline_shared::log::ENTRY_OVERHEAD_BYTES;
use moorline_shared::publish::{HostMessage, RequestId, WriteAnswer, WriteRefused};

/// The error of a relay that sent more input than allowed. It must open a new link and send again
/// what was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InputOverrun;

/// The progress of a client's input.
#[derive(Debug, Clone, Copy, Default)]
struct InputProgress {
    queued: Seq,
    accepted: Seq,
    /// The client's place in the order of use, so that the least recently used one can be
    /// forgotten.
    used: u64,
}

/// The origin of a piece, which decides who learns that it was taken.
#[derive(Debug)]
enum PieceOwner {
    /// The client that numbered it.
    Client(ClientId, Seq),
    /// The request of a relay that waits for the answer.
    Request(RequestId),
    /// A request that was answered before; the piece counts against a bound of its own.
    Answered,
    /// A request of a relay that is gone.
    Nobody,
}

/// A piece of input that the session has taken.
#[derive(Debug)]
struct TakenPiece {
    owner: PieceOwner,
    /// The bytes of all input up to its end.
    end: u64,
}

/// A piece of input that waits for the session to take it.
#[derive(Debug)]
struct InputPiece {
    owner: PieceOwner,
    data: Bytes,
}

/// The input that waits for the session, in order.
#[derive(Debug, Default)]
pub(super) struct PendingInput {
    pieces: VecDeque<InputPiece>,
    /// Pieces that were taken, but do not count as accepted yet.
    taken: VecDeque<TakenPiece>,
    /// Bytes that the session has ever taken.
    taken_bytes: u64,
    /// Bytes of those that cannot be lost any more. Equal unless the session confirms them.
    confirmed_bytes: u64,
    /// True if the session confirms what it has taken.
    awaits: bool,
    /// The total cost of all pieces.
    cost: u64,
    /// Bytes of pieces whose request was answered before they were taken.
    answered_bytes: usize,
    progress: BTreeMap<ClientId, InputProgress>,
    uses: u64,
}

impl PendingInput {
    pub(super) const fn new() -> Self {
        Self {
            pieces: VecDeque::new(),
            taken: VecDeque::new(),
            taken_bytes: 0,
            confirmed_bytes: 0,
            awaits: false,
            cost: 0,
            answered_bytes: 0,
            progress: BTreeMap::new(),
            uses: 0,
        }
    }

    /// Returns the oldest bytes that the session has not taken.
    pub(super) fn front(&self) -> Option<&[u8]> {
        self.pieces.front().map(|piece| &piece.data[..])
    }

    /// Returns the last piece of a client that was accepted.
    pub(super) fn accepted(&self, client_id: &ClientId) -> Seq {
        self.progress.get(client_id).copied().unwrap_or_default().accepted
    }

    /// Returns the last piece of each client that was accepted.
    pub(super) fn accepted_of_all(&self) -> Vec<(ClientId, Seq)> {
        let accepted =
            |(id, progress): (&ClientId, &InputProgress)| (id.clone(), progress.accepted);
        self.progress.iter().map(accepted).collect()
    }

    /// Takes over what [`PendingInput::accepted_of_all`] has returned.
    pub(super) fn restore(&mut self, accepted: Vec<(ClientId, Seq)>) {
        for (client_id, accepted) in accepted {
            self.uses += 1;
            let progress = InputProgress { queued: accepted, accepted, used: self.uses };
            self.progress.insert(client_id, progress);
        }
    }

    /// Queues the piece that follows the client's last one. Any other is ignored: it was queued
    /// before, or comes from a client that breaks the protocol.
    pub(super) fn queue(&mut self, client_id: ClientId, piece: &Frame) -> Result<(), InputOverrun> {
        self.forget_oldest(&client_id);
        self.uses += 1;
        let is_full = self.cost >= HOST_INPUT_BYTES as u64;
        let progress = self.progress.entry(client_id.clone()).or_default();
        progress.used = self.uses;
        if piece.seq() != progress.queued.next() {
            return Ok(());
        }
        if is_full {
            return Err(InputOverrun);
        }
        progress.queued = piece.seq();
        let data = piece.encoded().slice(FRAME_HEADER_BYTES..);
        self.push(PieceOwner::Client(client_id, piece.seq()), data);
        Ok(())
    }

    /// Queues input that no client numbers.
    pub(super) fn write(
        &mut self,
        request: RequestId,
        data: Bytes,
        answer: WriteAnswer,
    ) -> Result<(), WriteRefused> {
        let is_full = self.cost >= HOST_INPUT_BYTES as u64;
        match answer {
            _ if is_full => return Err(WriteRefused::TooMuch),
            WriteAnswer::Queued if self.answered_bytes + data.len() > UNACKED_INPUT_BYTES => {
                return Err(WriteRefused::TooMuch);
            }
            WriteAnswer::Queued => {
                self.answered_bytes += data.len();
                self.push(PieceOwner::Answered, data);
            }
            WriteAnswer::Taken => self.push(PieceOwner::Request(request), data),
        }
        Ok(())
    }

    /// Queues a terminal's answer. If a program asks without reading, answers without room are
    /// lost.
    pub(super) fn reply(&mut self, data: Bytes) {
        let is_full = self.cost >= HOST_INPUT_BYTES as u64;
        if !is_full && self.answered_bytes + data.len() <= UNACKED_INPUT_BYTES {
            self.answered_bytes += data.len();
            self.push(PieceOwner::Answered, data);
        }
    }

    /// Makes pieces count as accepted only once they are confirmed.
    pub(super) const fn await_confirmations(&mut self) {
        self.awaits = true;
    }

    /// Records that the session has taken the first `bytes` of [`PendingInput::front`]. Empty
    /// pieces count as taken in their turn. Calls `say` for each piece that is accepted by that.
    pub(super) fn taken(&mut self, bytes: usize, say: impl FnMut(HostMessage)) {
        if let Some(piece) = self.pieces.front_mut() {
            let taken = bytes.min(piece.data.len());
            piece.data.advance(taken);
            self.cost -= taken as u64;
            self.taken_bytes += taken as u64;
            if matches!(piece.owner, PieceOwner::Answered) {
                self.answered_bytes -= taken;
            }
        }
        while let Some(piece) = self.pieces.pop_front_if(|piece| piece.data.is_empty()) {
            self.taken.push_back(TakenPiece { owner: piece.owner, end: self.taken_bytes });
        }
        if !self.awaits {
            self.confirmed_bytes = self.taken_bytes;
        }
        self.accept(say);
    }

    /// Records that the first `bytes` of all input that was ever taken cannot be lost any more. Calls
    /// `say` for each piece that is accepted by that.
    pub(super) fn confirmed(&mut self, bytes: u64, say: impl FnMut(HostMessage)) {
        self.confirmed_bytes = bytes.min(self.taken_bytes).max(self.confirmed_bytes);
        self.accept(say);
    }

    fn accept(&mut self, mut say: impl FnMut(HostMessage)) {
        let confirmed = self.confirmed_bytes;
        while let Some(piece) = self.taken.pop_front_if(|piece| piece.end <= confirmed) {
            self.cost -= ENTRY_OVERHEAD_BYTES;
            match piece.owner {
                PieceOwner::Client(client_id, seq) => {
                    if let Some(progress) = self.progress.get_mut(&client_id) {
                        progress.accepted = seq;
                    }
                    say(HostMessage::InputAck { client_id, seq });
                }
                PieceOwner::Request(request) => {
                    say(HostMessage::Written { request, result: Ok(()) })
                }
                PieceOwner::Answered | PieceOwner::Nobody => {}
            }
        }
    }

    /// Drops everything, because the session takes nothing more.
    pub(super) fn clear(&mut self, mut say: impl FnMut(HostMessage)) {
        let taken = std::mem::take(&mut self.taken).into_iter().map(|piece| piece.owner);
        let waiting = std::mem::take(&mut self.pieces).into_iter().map(|piece| piece.owner);
        for owner in taken.chain(waiting) {
            if let PieceOwner::Request(request) = owner {
                say(HostMessage::Written { request, result: Err(WriteRefused::Ended) });
            }
        }
        (self.cost, self.answered_bytes) = (0, 0);
    }

    /// Detaches pending requests: a later relay may use the same numbers for other requests.
    pub(super) fn relay_left(&mut self) {
        let taken = self.taken.iter_mut().map(|piece| &mut piece.owner);
        let owners = taken.chain(self.pieces.iter_mut().map(|piece| &mut piece.owner));
        for owner in owners.filter(|owner| matches!(owner, PieceOwner::Request(_))) {
            *owner = PieceOwner::Nobody;
        }
    }

    fn push(&mut self, owner: PieceOwner, data: Bytes) {
        self.cost += data.len() as u64 + ENTRY_OVERHEAD_BYTES;
        self.pieces.push_back(InputPiece { owner, data });
    }

    /// Makes room for `newcomer` among the clients whose input is numbered.
    fn forget_oldest(&mut self, newcomer: &ClientId) {
        if self.progress.len() < CLIENTS_PER_SESSION || self.progress.contains_key(newcomer) {
            return;
        }
        let settled =
            self.progress.iter().filter(|(_, progress)| progress.queued == progress.accepted);
        if let Some(oldest) =
            settled.min_by_key(|(_, progress)| progress.used).map(|(id, _)| id.clone())
        {
            self.progress.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 60 * 1024;

    fn write(pending: &mut PendingInput, request: u64) -> Result<(), WriteRefused> {
        let data = Bytes::from(vec![b'x'; LARGE]);
        pending.write(RequestId(request), data, WriteAnswer::Taken)
    }

    fn take_all(pending: &mut PendingInput) -> Vec<HostMessage> {
        let mut said = Vec::new();
        while let Some(front) = pending.front().map(<[u8]>::len) {
            pending.taken(front, |message| said.push(message));
        }
        said
    }

    fn confirm(pending: &mut PendingInput, bytes: u64) -> Vec<HostMessage> {
        let mut said = Vec::new();
        pending.confirmed(bytes, |message| said.push(message));
        said
    }

    #[test]
    fn what_waits_is_bounded_whoever_sent_it() {
        let mut pending = PendingInput::new();
        let fits = (0..).take_while(|request| write(&mut pending, *request).is_ok()).count();
        assert_eq!(fits, HOST_INPUT_BYTES / (LARGE + 96) + 1);
        let piece = Frame::copy(Seq(1), b"x").unwrap();
        let client: ClientId = "client_1".parse().unwrap();
        assert_eq!(pending.queue(client.clone(), &piece), Err(InputOverrun));
        assert_eq!(
            pending.write(RequestId(0), Bytes::new(), WriteAnswer::Queued),
            Err(WriteRefused::TooMuch)
        );
        assert_eq!(take_all(&mut pending).len(), fits);
        assert_eq!((pending.cost, pending.front()), (0, None));
        assert_eq!(pending.queue(client, &piece), Ok(()), "the refused piece kept its number");
    }

    #[test]
    fn a_request_is_answered_when_its_last_byte_is_taken_or_never_will_be() {
        let mut pending = PendingInput::new();
        write(&mut pending, 1).unwrap();
        write(&mut pending, 2).unwrap();
        let mut said = Vec::new();
        pending.taken(LARGE - 1, |message| said.push(message));
        assert_eq!(said, []);
        pending.taken(1, |message| said.push(message));
        assert_eq!(said, [HostMessage::Written { request: RequestId(1), result: Ok(()) }]);
        said.clear();
        pending.clear(|message| said.push(message));
        let result = Err(WriteRefused::Ended);
        assert_eq!(said, [HostMessage::Written { request: RequestId(2), result }]);
        assert_eq!(pending.cost, 0);
    }

    #[test]
    fn a_piece_counts_once_it_is_confirmed_and_costs_until_then() {
        let mut pending = PendingInput::new();
        pending.await_confirmations();
        let client: ClientId = "client_1".parse().unwrap();
        for seq in 1..=3 {
            let data = if seq == 2 { &b""[..] } else { b"xy" };
            pending.queue(client.clone(), &Frame::copy(Seq(seq), data).unwrap()).unwrap();
        }
        assert_eq!(take_all(&mut pending), []);
        assert_eq!((pending.cost, pending.accepted(&client)), (3 * ENTRY_OVERHEAD_BYTES, Seq(0)));
        assert_eq!(confirm(&mut pending, 1), []);
        let ack = |seq| HostMessage::InputAck { client_id: client.clone(), seq: Seq(seq) };
        assert_eq!(confirm(&mut pending, 2), [ack(1), ack(2)]);
        // More than was taken cannot be confirmed, and nothing is taken back.
        assert_eq!(confirm(&mut pending, 99), [ack(3)]);
        assert_eq!(confirm(&mut pending, 0), []);
        assert_eq!((pending.cost, pending.accepted(&client)), (0, Seq(3)));
        let piece = Frame::copy(Seq(4), b"z").unwrap();
        pending.queue(client.clone(), &piece).unwrap();
        assert_eq!(take_all(&mut pending), []);
        assert_eq!(confirm(&mut pending, 5), [ack(4)]);
    }

    #[test]
    fn what_was_taken_but_not_confirmed_has_failed_at_the_end() {
        let mut pending = PendingInput::new();
        pending.await_confirmations();
        write(&mut pending, 1).unwrap();
        write(&mut pending, 2).unwrap();
        assert_eq!(take_all(&mut pending), []);
        assert_eq!(confirm(&mut pending, LARGE as u64).len(), 1);
        let mut said = Vec::new();
        pending.clear(|message| said.push(message));
        let result = Err(WriteRefused::Ended);
        assert_eq!(said, [HostMessage::Written { request: RequestId(2), result }]);
        assert_eq!(confirm(&mut pending, u64::MAX), []);
    }

    #[test]
    fn a_later_relay_is_not_answered_for_what_an_earlier_one_asked() {
        let mut pending = PendingInput::new();
        write(&mut pending, 1).unwrap();
        pending.relay_left();
        assert_eq!(take_all(&mut pending), []);
    }
}
