//! Which client answers the queries of the program: of those that can, the one that typed or resized
//! last. The host decides what counts as the answer; it only has to know whom to wait for.

use bytes::Bytes;
use moorline_shared::id::{ClientId, Seq};
use moorline_shared::publish::HostCommand;

use super::Session;
use crate::claims::PeerId;

impl Session {
    /// A client typed or resized. Returns its place in the order of those, which
    /// [`Session::was_active`] takes.
    pub(crate) fn is_active(&mut self, client_id: &ClientId) -> u64 {
        let active = self.claims.is_active(client_id);
        self.find_answerer();
        active
    }

    /// What [`Session::is_active`] said before this relay lost its memory.
    pub(crate) fn was_active(&mut self, client_id: &ClientId, active: u64) {
        self.claims.was_active(client_id, active);
    }

    /// A client that answers queries has been told where its stream begins: it sees what follows.
    pub(crate) fn can_answer(&mut self, peer: PeerId, client_id: &ClientId) {
        self.claims.can_answer(peer, client_id);
        self.find_answerer();
    }

    /// A client was given a snapshot: what was asked up to `seq` it does not see.
    pub(crate) fn has_jumped(&mut self, client_id: Option<&ClientId>, seq: Seq) {
        if client_id.is_some() && self.answerer.as_ref() == client_id {
            self.command(HostCommand::Answerer { client_id: client_id.cloned(), after: seq });
        }
    }

    /// A client's terminal answers what the entry `seq` asks. A client that has only watched so far
    /// was never asked.
    pub(crate) fn reply(&mut self, client_id: &ClientId, seq: Seq, data: Bytes, more: bool) {
        if self.claims.has_been_active(client_id) {
            let client_id = client_id.clone();
            self.command(HostCommand::Reply { client_id, seq, data, more });
        }
    }

    /// Tells a host that is new, or that stayed while this relay lost its memory, who answers.
    pub(super) fn tell_answerer(&mut self) {
        let client_id = self.claims.answerer().cloned();
        self.answerer.clone_from(&client_id);
        self.command(HostCommand::Answerer { client_id, after: self.log.head() });
    }

    /// Tells the host where another client answers than before, or none.
    pub(super) fn find_answerer(&mut self) {
        let found = self.claims.answerer();
        if found == self.answerer.as_ref() {
            return;
        }
        let (found, after) = (found.cloned(), self.log.head());
        let has_left = self.answerer.as_ref().is_some_and(|before| !self.claims.answers(before));
        self.answerer.clone_from(&found);
        if has_left && found.is_some() {
            self.command(HostCommand::Answerer { client_id: None, after });
        }
        self.command(HostCommand::Answerer { client_id: found, after });
    }
}
