//! Input on its way to the host, and input that waits while the host is away.

use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Seq};
use moorline_shared::publish::HostCommand;

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
    /// Passes a piece of input to the host: now, or once the host is back if the client asks to
    /// `hold` it. If the client repeats a waiting piece without data, that piece is emptied.
    pub(crate) fn input(
        &mut self,
        client_id: &ClientId,
        piece: Frame,
        hold: bool,
    ) -> Result<(), InputRefused> {
        if !self.host_is_here() && !hold {
            return Err(InputRefused::HostAway);
        }
        if let Some(is_stored) = self.claims.take_back(client_id, &piece) {
            if is_stored {
                let client_id = client_id.clone();
                self.held_changes.push_back(HeldChange::Keep { client_id, piece });
            }
            return Ok(());
        }
        let others_bytes = self.requests.bytes() as u64;
        let is_next = self.claims.hold(client_id, &piece, others_bytes)?;
        // A host that has left reported earlier what it took, but takes no more.
        if is_next && self.host_is_here() {
            self.claims.size(client_id).into_iter().for_each(|size| self.resize(size));
            self.command(HostCommand::Input { client_id: client_id.clone(), piece });
        } else {
            self.store_held();
        }
        Ok(())
    }

    /// Returns the next change to stored input; call until `None` if [`crate::profile::RetentionPolicy::forgets`].
    pub fn poll_held(&mut self) -> Option<HeldChange> {
        self.held_changes.pop_front()
    }

    /// Restores a stored piece. Call it for all pieces, in order, before anything else happens.
    pub fn restore_held(&mut self, client_id: &ClientId, piece: &Frame) {
        self.claims.restore(client_id, piece);
    }

    /// Records that the host has accepted a client's input up to `seq`.
    pub(super) fn input_accepted(&mut self, client_id: &ClientId, seq: Seq) {
        if self.claims.take_stored(client_id, seq) {
            let client_id = client_id.clone();
            self.held_changes.push_back(HeldChange::Taken { client_id, seq });
        }
        for piece in self.claims.accepted(client_id, seq) {
            self.command(HostCommand::Input { client_id: client_id.clone(), piece });
        }
    }

    /// Stores waiting input, so that it survives the loss of this relay's memory.
    pub(super) fn store_held(&mut self) {
        if self.keeping.forgets {
            let pieces = self.claims.take_unstored().into_iter();
            let keep = |(client_id, piece)| HeldChange::Keep { client_id, piece };
            self.held_changes.extend(pieces.map(keep));
        }
    }

    /// Drops all input: it was typed into an earlier epoch.
    pub(super) fn input_is_void(&mut self) {
        self.claims.new_incarnation();
        if self.keeping.forgets {
            self.held_changes.push_back(HeldChange::Void);
        }
    }
}
