//! Client ids: the connection that holds each, and what is kept of it across connections.

use std::collections::{BTreeMap, VecDeque};

use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Cursor, Epoch, Seq};
use moorline_shared::limits::{CLIENTS_PER_SESSION, SESSION_INPUT_BYTES};
use moorline_shared::session::Size;

use super::input::{HeldInput, InputRefused};

/// The most earlier epochs of which is known what hosts were given.
const EARLIER_EPOCHS: usize = 4;

/// Names one connected client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PeerId(u64);

impl PeerId {
    pub(super) const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// The client ids of one session. At the limit, an id without a connection is dropped for a new
/// one.
#[derive(Debug, Default)]
pub(super) struct ClientTable {
    by_id: BTreeMap<ClientId, ClientEntry>,
    /// The last [`ClientEntry::active`] that was assigned.
    last_active: u64,
}

#[derive(Debug, Default)]
struct ClientEntry {
    /// The connection that holds the id now.
    peer: Option<PeerId>,
    size: Option<Size>,
    input: HeldInput,
    /// The input that the client says to have sent: the epoch, and the last piece.
    sent: Option<Cursor>,
    /// For each of the last epochs, the piece before the one that is piece 1 of this epoch.
    before: VecDeque<Cursor>,
    /// The last waiting piece that is in the store.
    stored: Option<Seq>,
    /// Its place in the order in which clients typed or resized; 0 if it never did.
    active: u64,
    /// True if its connection answers queries, and its stream has reached the point from which it
    /// sees new ones.
    answers: bool,
}

impl ClientTable {
    /// Gives `client_id` to the connection `peer`, whose client has `sent` input up to a piece, if it
    /// says so. If this drops another client that has input in
    /// the store, returns that client and its last stored piece.
    pub(super) fn claim(
        &mut self,
        peer: PeerId,
        client_id: &ClientId,
        sent: Option<Cursor>,
        epoch: Epoch,
    ) -> Option<(ClientId, Seq)> {
        let mut forgotten = None;
        if self.by_id.len() >= CLIENTS_PER_SESSION && !self.by_id.contains_key(client_id) {
            let idle = self.by_id.iter().filter(|(_, claim)| claim.peer.is_none());
            // Prefer one without waiting input: a client whose input waits still has it, and must
            // come back to send it again.
            let idle = idle.min_by_key(|(_, claim)| claim.input.is_waiting());
            if let Some(idle) = idle.map(|(id, _)| id.clone()) {
                let claim = self.by_id.remove(&idle);
                let stored = claim.and_then(|claim| claim.stored);
                forgotten = stored.map(|stored| (idle, stored));
            }
        }
        let claim = self.by_id.entry(client_id.clone()).or_default();
        claim.peer = Some(peer);
        claim.answers = false;
        claim.input.host_is_new();
        claim.sent = sent;
        if let Some(sent) = sent {
            claim.input.has_sent(if sent.epoch == epoch { sent.seq } else { Seq::ZERO });
        }
        forgotten
    }

    /// Returns the cost of all waiting input.
    pub(super) fn cost(&self) -> u64 {
        self.by_id.values().map(|claim| claim.input.cost()).sum()
    }

    pub(super) fn release(&mut self, peer: PeerId, client_id: &ClientId) {
        if let Some(claim) = self.by_id.get_mut(client_id)
            && claim.peer == Some(peer)
        {
            claim.peer = None;
            claim.answers = false;
        }
    }

    pub(super) fn speaks_for(&self, peer: PeerId, client_id: &ClientId) -> bool {
        self.by_id.get(client_id).is_some_and(|claim| claim.peer == Some(peer))
    }

    /// Returns the last accepted input of a client; `None` until the host has reported it.
    pub(super) fn accepted_seq(&self, client_id: &ClientId) -> Option<Seq> {
        self.by_id.get(client_id)?.input.accepted_seq()
    }

    /// Returns the last piece of a client in an earlier epoch that a host may have been given; `None`
    /// if that is not known.
    pub(super) fn given_before(&self, client_id: &ClientId, epoch: Epoch) -> Option<Seq> {
        let before = &self.by_id.get(client_id)?.before;
        before.iter().find(|before| before.epoch == epoch).map(|before| before.seq)
    }

    /// Records that a piece is queued for the host's link.
    pub(super) fn queue(&mut self, client_id: &ClientId, piece: Seq) {
        if let Some(claim) = self.by_id.get_mut(client_id) {
            claim.input.queue(piece);
        }
    }

    /// Records that nothing is queued any more: the host's link is gone.
    pub(super) fn unqueue(&mut self) {
        self.by_id.values_mut().for_each(|claim| claim.input.unqueue());
    }

    /// Records that the host is given a piece.
    pub(super) fn give(&mut self, client_id: &ClientId, piece: Seq) {
        if let Some(claim) = self.by_id.get_mut(client_id) {
            claim.input.give(piece);
        }
    }

    pub(super) fn size(&self, client_id: &ClientId) -> Option<Size> {
        self.by_id.get(client_id)?.size
    }

    pub(super) fn set_size(&mut self, client_id: &ClientId, size: Size) {
        if let Some(claim) = self.by_id.get_mut(client_id) {
            claim.size = Some(size);
        }
    }

    /// Records that a client typed or resized, and returns its place in that order.
    pub(super) fn is_active(&mut self, client_id: &ClientId) -> u64 {
        let Some(claim) = self.by_id.get_mut(client_id) else { return 0 };
        if claim.active == 0 || claim.active < self.last_active {
            self.last_active += 1;
            claim.active = self.last_active;
        }
        claim.active
    }

    /// Restores a client's place in that order.
    pub(super) fn was_active(&mut self, client_id: &ClientId, active: u64) {
        self.last_active = self.last_active.max(active);
        if let Some(claim) = self.by_id.get_mut(client_id) {
            claim.active = active;
        }
    }

    /// Records that the connection `peer` sees new queries, if it still holds the client id.
    pub(super) fn can_answer(&mut self, peer: PeerId, client_id: &ClientId) {
        if let Some(claim) = self.by_id.get_mut(client_id) {
            claim.answers = claim.peer == Some(peer);
        }
    }

    /// Returns the client that typed or resized last, among those that are connected and can answer
    /// queries.
    pub(super) fn answerer(&self) -> Option<&ClientId> {
        let able = self.by_id.iter().filter(|(_, claim)| claim.answers && claim.active > 0);
        able.max_by_key(|(_, claim)| claim.active).map(|(id, _)| id)
    }

    /// Returns true if the client has ever typed or resized.
    pub(super) fn has_been_active(&self, client_id: &ClientId) -> bool {
        self.by_id.get(client_id).is_some_and(|claim| claim.active > 0)
    }

    /// Returns true if the client is connected and can answer queries.
    pub(super) fn answers(&self, client_id: &ClientId) -> bool {
        self.by_id.get(client_id).is_some_and(|claim| claim.answers)
    }

    /// Begins a new link to the host. Returns the clients whose input the host must be asked about:
    /// those that are connected and those with waiting input.
    pub(super) fn host_is_new(&mut self) -> Vec<ClientId> {
        self.unqueue();
        self.by_id.values_mut().for_each(|claim| claim.input.host_is_new());
        let asked = |claim: &ClientEntry| claim.peer.is_some() || claim.input.is_waiting();
        self.by_id.iter().filter(|(_, claim)| asked(claim)).map(|(id, _)| id.clone()).collect()
    }

    /// Drops all input.
    pub(super) fn drop_input(&mut self) {
        self.by_id.values_mut().for_each(|claim| {
            claim.input = HeldInput::default();
            claim.stored = None;
        });
    }

    /// Begins a new epoch, in which every client numbers its input anew.
    pub(super) fn epoch_began(&mut self, before: Epoch, epoch: Epoch) {
        self.by_id.values_mut().for_each(|claim| claim.epoch_began(before, epoch));
    }

    /// Records that the host has accepted a client's input up to `seq`. Returns the pieces that the
    /// host lacks on a new link.
    pub(super) fn accepted(&mut self, client_id: &ClientId, seq: Seq) -> Vec<Frame> {
        self.by_id.get_mut(client_id).map_or_else(Vec::new, |claim| claim.input.accepted(seq))
    }

    /// Returns the waiting pieces that are not in the store yet, each with true if a host may have
    /// been given it, and marks them as stored.
    pub(super) fn take_unstored(&mut self) -> Vec<(ClientId, Frame, bool)> {
        let mut pieces = Vec::new();
        for (client_id, claim) in &mut self.by_id {
            let stored = claim.stored.unwrap_or_default();
            pieces.extend(claim.input.after(stored).map(|piece| {
                (client_id.clone(), piece.clone(), claim.input.may_be_given(piece.seq()))
            }));
            claim.stored = claim.input.last();
        }
        pieces
    }

    /// If pieces of the client are in the store, although none waits any more, returns the last one.
    /// They must be removed.
    pub(super) fn take_dropped(&mut self, client_id: &ClientId) -> Option<Seq> {
        let claim = self.by_id.get_mut(client_id).filter(|claim| !claim.input.is_waiting())?;
        claim.stored.take()
    }

    /// Returns true if pieces of the client are in the store.
    pub(super) fn has_stored(&self, client_id: &ClientId) -> bool {
        self.by_id.get(client_id).is_some_and(|claim| claim.stored.is_some())
    }

    /// Returns true if a host may have been given this piece.
    pub(super) fn may_be_given(&self, client_id: &ClientId, piece: Seq) -> bool {
        self.by_id.get(client_id).is_none_or(|claim| claim.input.may_be_given(piece))
    }

    /// Records that input up to `seq` is accepted. Returns true if the client had input in the
    /// store.
    pub(super) fn take_stored(&mut self, client_id: &ClientId, seq: Seq) -> bool {
        let Some(claim) = self.by_id.get_mut(client_id) else { return false };
        let was_stored = claim.stored.is_some();
        claim.stored = claim.stored.filter(|stored| *stored > seq);
        was_stored
    }

    /// Takes a piece that was read from the store.
    pub(super) fn restore(&mut self, client_id: &ClientId, piece: &Frame, is_given: bool) {
        // A piece behind a gap is dropped: what it follows was not stored.
        let claim = self.by_id.entry(client_id.clone()).or_default();
        if claim.input.restore(piece, is_given).is_ok() {
            claim.stored = Some(piece.seq());
        }
    }

    /// Empties a waiting piece that its client takes back: see [`HeldInput::take_back`]. Returns
    /// `Some` if it does, with true if the piece is in the store.
    pub(super) fn take_back(&mut self, client_id: &ClientId, piece: &Frame) -> Option<bool> {
        let claim = self.by_id.get_mut(client_id)?;
        claim.input.take_back(piece).then(|| claim.stored >= Some(piece.seq()))
    }

    /// Keeps a piece until it is accepted. Returns true if it is to be sent to the host now.
    /// `others_bytes` is the size of the waiting input that no client numbers.
    pub(super) fn hold(
        &mut self,
        client_id: &ClientId,
        piece: &Frame,
        others_bytes: u64,
    ) -> Result<bool, InputRefused> {
        let is_full = self.cost() + others_bytes > SESSION_INPUT_BYTES as u64;
        self.by_id.get_mut(client_id).map_or(Ok(false), |claim| claim.input.hold(piece, is_full))
    }
}

impl ClientEntry {
    fn epoch_began(&mut self, before: Epoch, epoch: Epoch) {
        match self.input.given() {
            Some(given) => {
                // Piece 1 of this epoch moves on for all earlier ones.
                self.before.iter_mut().for_each(|earlier| earlier.seq.0 += given.0);
                self.before.push_back(Cursor { epoch: before, seq: given });
                if self.before.len() > EARLIER_EPOCHS {
                    self.before.pop_front();
                }
            }
            None => self.before.clear(),
        }
        // The client may know the new epoch, from before this relay lost its memory.
        let sent = self.sent.filter(|sent| sent.epoch == epoch);
        self.input = HeldInput::in_new_epoch(sent.map_or(Seq::ZERO, |sent| sent.seq));
        self.stored = None;
    }
}
