//! The input of one client on its way through the relay.

use std::collections::VecDeque;

use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::limits::{INPUT_WAITS, SESSION_INPUT_WAITS, UNACKED_INPUT_BYTES};
use moorline_shared::log::ENTRY_OVERHEAD_BYTES;

/// The reason why a piece is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum InputRefused {
    /// The client is further ahead of the acknowledgements than allowed.
    #[error("more than {}", INPUT_WAITS)]
    TooMuch,
    /// The waiting input of the session's clients has reached its limit.
    #[error("{}", SESSION_INPUT_WAITS)]
    SessionFull,
    /// The session's host is away, and the client does not ask to wait for it.
    #[error("the session's host is offline")]
    HostAway,
    /// An earlier piece is missing.
    #[error("a piece of input is missing")]
    Gap,
}

/// Pieces that the host has not accepted. A host with a new link gets them again.
#[derive(Debug, Default)]
pub(super) struct HeldInput {
    pieces: VecDeque<Frame>,
    cost: u64,
    /// The last piece that the host accepted; `None` until it has reported it on this link.
    accepted: Option<Seq>,
    /// The last piece that a host may have been given in this epoch; `None` if this relay has lost
    /// its memory since, and cannot know.
    given: Option<Seq>,
    /// The last piece that is queued for the host's link, if any was.
    queued: Option<Seq>,
}

impl HeldInput {
    pub(super) const fn accepted_seq(&self) -> Option<Seq> {
        self.accepted
    }

    /// Begins an epoch in which hosts may have been given pieces up to `given`.
    pub(super) fn in_new_epoch(given: Seq) -> Self {
        Self { given: Some(given), ..Self::default() }
    }

    /// Returns the last piece that a host may have been given; `None` if that is not known.
    pub(super) const fn given(&self) -> Option<Seq> {
        self.given
    }

    /// Returns true if a host may have been given this piece, or is about to be.
    pub(super) fn may_be_given(&self, piece: Seq) -> bool {
        self.given.is_none_or(|given| piece <= given) || Some(piece) <= self.queued
    }

    /// Records that this piece is queued for the host's link.
    pub(super) fn queue(&mut self, piece: Seq) {
        self.queued = self.queued.max(Some(piece));
    }

    /// Records that nothing is queued any more: the link is gone.
    pub(super) const fn unqueue(&mut self) {
        self.queued = None;
    }

    /// Records that the host is given this piece.
    pub(super) fn give(&mut self, piece: Seq) {
        self.given = self.given.map(|given| given.max(piece));
    }

    /// Takes a client's word for what it has sent, unless more is known.
    pub(super) fn has_sent(&mut self, seq: Seq) {
        self.given.get_or_insert(seq);
    }

    /// Takes a piece that was read from the store, where it is stored whether a host may have been
    /// given it. While hosts are away all pieces are stored, so one that no host was given tells
    /// that none was given a later one.
    pub(super) fn restore(&mut self, piece: &Frame, is_given: bool) -> Result<(), InputRefused> {
        self.hold(piece, false)?;
        if is_given {
            self.given = None;
        } else {
            self.given.get_or_insert(Seq(piece.seq().0.saturating_sub(1)));
        }
        Ok(())
    }

    /// Returns the cost of all waiting pieces.
    pub(super) const fn cost(&self) -> u64 {
        self.cost
    }

    /// Returns the last waiting piece.
    pub(super) fn last(&self) -> Option<Seq> {
        self.pieces.back().map(Frame::seq)
    }

    /// Returns the waiting pieces after `seq`, oldest first.
    pub(super) fn after(&self, seq: Seq) -> impl Iterator<Item = &Frame> {
        self.pieces.iter().filter(move |piece| piece.seq() > seq)
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Begins a new link: pieces wait until the host reports what it has accepted.
    pub(super) const fn host_is_new(&mut self) {
        self.accepted = None;
    }

    /// Records that the host has accepted everything up to `seq`. At the first report on a link,
    /// returns the pieces that the host lacks. Drops pieces behind a gap: earlier ones were lost
    /// with this relay's memory, and the client sends them all again.
    pub(super) fn accepted(&mut self, seq: Seq) -> Vec<Frame> {
        if self.accepted.is_none() && self.pieces.front().is_some_and(|p| p.seq() > seq.next()) {
            self.pieces.clear();
            self.cost = 0;
        }
        while let Some(piece) = self.pieces.pop_front_if(|piece| piece.seq() <= seq) {
            self.cost -= cost(&piece);
        }
        match self.accepted.replace(seq) {
            None => self.pieces.iter().cloned().collect(),
            Some(_) => Vec::new(),
        }
    }

    /// Empties a waiting piece if `piece` repeats it without data: the client takes back what it
    /// typed. Returns false if no such piece waits. The empty piece stays, so that numbers have no
    /// gaps.
    pub(super) fn take_back(&mut self, piece: &Frame) -> bool {
        let waiting = self.pieces.iter_mut().find(|waiting| waiting.seq() == piece.seq());
        let Some(waiting) =
            waiting.filter(|waiting| piece.data_len() == 0 && waiting.data_len() > 0)
        else {
            return false;
        };
        self.cost -= cost(waiting) - cost(piece);
        *waiting = piece.clone();
        true
    }

    /// Keeps a piece until it is accepted. Returns true if it is to be sent to the host now, and
    /// false if it is known already or must wait. With `session_is_full`, no new piece is kept.
    pub(super) fn hold(
        &mut self,
        piece: &Frame,
        session_is_full: bool,
    ) -> Result<bool, InputRefused> {
        // Any number may come first while a new host has not reported what it accepted.
        if let Some(last) = self.pieces.back().map(Frame::seq).or(self.accepted) {
            if piece.seq() <= last {
                return Ok(false);
            }
            if piece.seq() != last.next() {
                return Err(InputRefused::Gap);
            }
        }
        if session_is_full {
            return Err(InputRefused::SessionFull);
        }
        let cost = cost(piece);
        // Checked before adding: a client within its own bound exceeds this one by at most one
        // piece's overhead.
        if self.cost > UNACKED_INPUT_BYTES as u64 {
            return Err(InputRefused::TooMuch);
        }
        self.cost += cost;
        self.pieces.push_back(piece.clone());
        Ok(self.accepted.is_some())
    }
}

fn cost(piece: &Frame) -> u64 {
    piece.encoded().len() as u64 + ENTRY_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(seq: u64, data: &[u8]) -> Frame {
        Frame::copy(Seq(seq), data).unwrap()
    }

    #[test]
    fn a_piece_that_waits_is_taken_back_and_keeps_its_number() {
        let mut held = HeldInput::default();
        for seq in 1..=3 {
            held.hold(&piece(seq, b"x"), false).unwrap();
        }
        assert!(!held.take_back(&piece(2, b"y")), "only data can be taken away");
        assert!(!held.take_back(&piece(4, b"")), "it never came");
        assert!(held.take_back(&piece(2, b"")));
        assert!(!held.take_back(&piece(2, b"")), "it is taken back already");
        let lacks = [piece(2, b""), piece(3, b"x")];
        assert_eq!(held.accepted(Seq(1)), lacks);
        held.accepted(Seq(3));
        assert_eq!(held.cost, 0);
    }

    #[test]
    fn what_is_stored_tells_what_hosts_were_given() {
        let mut held = HeldInput::default();
        held.restore(&piece(4, b"x"), true).unwrap();
        assert_eq!(held.given(), None, "more may have been given that was not stored");
        held.restore(&piece(5, b"x"), false).unwrap();
        held.restore(&piece(6, b"x"), false).unwrap();
        assert_eq!(held.given(), Some(Seq(4)));
        held.has_sent(Seq(9));
        held.give(Seq(5));
        assert_eq!((held.may_be_given(Seq(5)), held.may_be_given(Seq(6))), (true, false));
    }
}
