//! Input on its way to the host, and input that waits while the host is away.

use bytes::Bytes;
use moorline_shared::event::Event;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Epoch, Seq};
use moorline_shared::limits::SESSION_INPUT_BYTES;
use moorline_shared::publish::{HostCommand, RequestId, WriteAnswer, WriteRefused};
use moorline_shared::session::Size;

use super::Session;
use crate::input::InputRefused;

/// A change to the stored input that waits for the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldChange {
    /// Store this piece.
    Keep {
        /// The client that sent it.
        client_id: ClientId,
        /// The piece, numbered by that client.
        piece: Frame,
        /// True if a host may have been given it.
        is_given: bool,
    },
    /// The host is given this client's stored input up to `seq`.
    Given {
        /// The client that sent it.
        client_id: ClientId,
        /// The last piece.
        seq: Seq,
    },
    /// Remove this client's input up to `seq`: it no longer waits.
    Taken {
        /// The client that sent it.
        client_id: ClientId,
        /// The last piece to remove.
        seq: Seq,
    },
    /// Remove all input: it was typed into an earlier epoch.
    Void,
}

impl Session {
    /// Asks the host to write input that no client numbers, and to append `event` once it does. The
    /// answer comes at the time that `answer` names: poll [`Session::written`].
    ///
    /// # Errors
    /// [`WriteRefused`]: the host was not asked. [`WriteRefused::TooMuch`] lasts until
    /// [`Session::has_room_to_write`].
    pub fn write(
        &mut self,
        data: Bytes,
        event: Option<Event>,
        answer: WriteAnswer,
    ) -> Result<RequestId, WriteRefused> {
        if self.lifecycle().is_over() {
            return Err(WriteRefused::Ended);
        }
        if !self.host.is_here() {
            return Err(WriteRefused::HostAway);
        }
        if !self.has_room_to_write() {
            return Err(WriteRefused::TooMuch);
        }
        let request = self.host.requests.begin(data.len())?;
        self.host.command(HostCommand::Write { request, data, event, answer });
        Ok(request)
    }

    /// Returns true if more input may wait for the program.
    #[must_use]
    pub fn has_room_to_write(&self) -> bool {
        let requests = &self.host.requests;
        let waiting = self.clients.table.cost() + requests.bytes() as u64;
        waiting < SESSION_INPUT_BYTES as u64 && requests.has_room()
    }

    /// Takes the host's answer; `None` until it has come. A deleted session refuses everything.
    pub fn written(&mut self, request: RequestId) -> Option<Result<(), WriteRefused>> {
        let answer = self.host.requests.take(request);
        answer.or_else(|| self.is_deleted().then_some(Err(WriteRefused::Ended)))
    }

    /// Abandons a request: nobody waits for its answer.
    pub fn forget_request(&mut self, request: RequestId) {
        self.host.requests.give_up(request);
    }

    /// Restores a stored piece; `is_given` is that of its [`HeldChange::Keep`], or true after a
    /// [`HeldChange::Given`]. Call it for all pieces, in order, before anything else happens.
    pub fn restore_held(&mut self, client_id: &ClientId, piece: &Frame, is_given: bool) {
        self.clients.table.restore(client_id, piece, is_given);
    }

    /// Passes a piece of input to the host: now, or once the host is back if the client asks to
    /// `hold` it. If the client repeats a waiting piece without data, that piece is emptied.
    pub(crate) fn input(
        &mut self,
        client_id: &ClientId,
        piece: Frame,
        hold: bool,
    ) -> Result<(), InputRefused> {
        if !self.host.is_here() && !hold {
            return Err(InputRefused::HostAway);
        }
        if let Some(is_stored) = self.clients.table.take_back(client_id, &piece) {
            if is_stored {
                let is_given = self.clients.table.may_be_given(client_id, piece.seq());
                let client_id = client_id.clone();
                self.held_changes.push_back(HeldChange::Keep { client_id, piece, is_given });
            }
            return Ok(());
        }
        let others_bytes = self.host.requests.bytes() as u64;
        let is_next = self.clients.table.hold(client_id, &piece, others_bytes)?;
        // A host that has left reported earlier what it took, but takes no more.
        if is_next && self.host.is_here() {
            if let Some(size) = self.clients.table.size(client_id) {
                self.resize(size);
            }
            self.give(client_id.clone(), piece);
        } else {
            self.store_held();
        }
        Ok(())
    }

    /// Passes on a terminal's answer to the query in the entry `seq`. Drops the answer of a client
    /// that has only watched so far, as it was not asked.
    pub(crate) fn reply(&mut self, client_id: &ClientId, seq: Seq, data: Bytes, more: bool) {
        if self.clients.table.has_been_active(client_id) {
            let client_id = client_id.clone();
            self.host.command(HostCommand::Reply { client_id, seq, data, more });
        }
    }

    /// Resizes the terminal for a client, and again whenever that client types.
    pub(crate) fn client_size(&mut self, client_id: Option<&ClientId>, size: Size) {
        if let Some(client_id) = client_id {
            self.clients.table.set_size(client_id, size);
        }
        self.resize(size);
    }

    fn resize(&mut self, size: Size) {
        if size != self.size() {
            self.host.command(HostCommand::Resize { size });
        }
    }

    /// Records that the host has accepted a client's input up to `seq`.
    pub(super) fn input_accepted(&mut self, client_id: &ClientId, seq: Seq) {
        if self.clients.table.take_stored(client_id, seq) {
            let client_id = client_id.clone();
            self.held_changes.push_back(HeldChange::Taken { client_id, seq });
        }
        let pieces = self.clients.table.accepted(client_id, seq);
        if let Some(seq) = self.clients.table.take_dropped(client_id) {
            self.held_changes.push_back(HeldChange::Taken { client_id: client_id.clone(), seq });
        }
        if let Some(last) = pieces.last()
            && self.clients.table.has_stored(client_id)
        {
            let (client_id, seq) = (client_id.clone(), last.seq());
            self.held_changes.push_back(HeldChange::Given { client_id, seq });
        }
        for piece in pieces {
            self.give(client_id.clone(), piece);
        }
    }

    /// Queues a piece for the host.
    fn give(&mut self, client_id: ClientId, piece: Frame) {
        self.clients.table.queue(&client_id, piece.seq());
        self.host.command(HostCommand::Input { client_id, piece });
    }

    /// Stores waiting input, so that it survives the loss of this relay's memory.
    pub(super) fn store_held(&mut self) {
        if self.log.policy().forgets {
            let pieces = self.clients.table.take_unstored().into_iter();
            let keep =
                |(client_id, piece, is_given)| HeldChange::Keep { client_id, piece, is_given };
            self.held_changes.extend(pieces.map(keep));
        }
    }

    /// Drops all input, which was typed into the epoch `before`. Its clients send it again, as far as
    /// no host was given it.
    pub(super) fn input_is_void(&mut self, before: Epoch) {
        self.clients.table.epoch_began(before, self.log.newest().epoch());
        if self.log.policy().forgets {
            self.held_changes.push_back(HeldChange::Void);
        }
    }
}
