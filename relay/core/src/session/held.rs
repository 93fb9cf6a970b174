//! Input on its way to the host, and what waits for a host that is away.

use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Seq};
use moorline_shared::publish::HostCommand;

use super::Session;
use crate::input::InputRefused;

/// What is to be stored of input that waits for the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldChange {
    /// Keep this piece.
    Keep {
        /// Whose.
        client_id: ClientId,
        /// Numbered by that client.
        piece: Frame,
    },
    /// The host has taken this client's input up to `seq`.
    Taken {
        /// Whose.
        client_id: ClientId,
        /// The last piece that it took.
        seq: Seq,
    },
    /// All of it was for another incarnation.
    Void,
}

impl Session {
    /// Passes a piece of input on, now or, where the client asks to `hold` it, when the host is
    /// back. One that waits and comes again without data is taken back.
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
        // A host that left has told before what it took, but takes no more.
        if is_next && self.host_is_here() {
            self.claims.size(client_id).into_iter().for_each(|size| self.resize(size));
            self.command(HostCommand::Input { client_id: client_id.clone(), piece });
        } else {
            self.store_held();
        }
        Ok(())
    }

    /// What is to be stored of held input; call until `None`, where [`super::Keeping::forgets`].
    pub fn poll_held(&mut self) -> Option<HeldChange> {
        self.held_changes.pop_front()
    }

    /// A piece that was stored: call it for all of them, in order, before anything else happens.
    pub fn restore_held(&mut self, client_id: &ClientId, piece: &Frame) {
        self.claims.restore(client_id, piece);
    }

    /// The host has taken a client's input up to `seq`.
    pub(super) fn input_accepted(&mut self, client_id: &ClientId, seq: Seq) {
        if self.claims.take_stored(client_id, seq) {
            let client_id = client_id.clone();
            self.held_changes.push_back(HeldChange::Taken { client_id, seq });
        }
        for piece in self.claims.accepted(client_id, seq) {
            self.command(HostCommand::Input { client_id: client_id.clone(), piece });
        }
    }

    /// What waits survives the loss of this relay's memory.
    pub(super) fn store_held(&mut self) {
        if self.keeping.forgets {
            let pieces = self.claims.take_unstored().into_iter();
            let keep = |(client_id, piece)| HeldChange::Keep { client_id, piece };
            self.held_changes.extend(pieces.map(keep));
        }
    }

    /// Input was meant for the incarnation that it was typed into.
    pub(super) fn input_is_void(&mut self) {
        self.claims.new_incarnation();
        if self.keeping.forgets {
            self.held_changes.push_back(HeldChange::Void);
        }
    }
}
