//! The client that answers the program's queries: of those that can, the one that typed or resized
//! last. The host decides what counts as the answer; it only has to know which client to wait for.

use bytes::Bytes;
use moorline_shared::id::{ClientId, Seq};
use moorline_shared::publish::HostCommand;

use super::Session;
use crate::client_table::PeerId;

impl Session {
    /// Records that a client typed or resized. Returns its place in that order, for
    /// [`Session::was_active`].
    pub(crate) fn is_active(&mut self, client_id: &ClientId) -> u64 {
        let active = self.claims.is_active(client_id);
        self.find_answerer();
        active
    }

    /// Restores the result of [`Session::is_active`] after this relay lost its memory.
    pub(crate) fn was_active(&mut self, client_id: &ClientId, active: u64) {
        self.claims.was_active(client_id, active);
    }

    /// Records that a client that answers queries knows where its stream begins, so it sees new
    /// ones.
    pub(crate) fn can_answer(&mut self, peer: PeerId, client_id: &ClientId) {
        self.claims.can_answer(peer, client_id);
        self.find_answerer();
    }

    /// Records that a client got a snapshot: it does not see queries up to `seq`.
    pub(crate) fn has_jumped(&mut self, client_id: Option<&ClientId>, seq: Seq) {
        if client_id.is_some() && self.answerer.as_ref() == client_id {
            self.command(HostCommand::Answerer { client_id: client_id.cloned(), after: seq });
        }
    }

    /// Passes on a terminal's answer to the query in the entry `seq`. Drops the answer of a client
    /// that has only watched so far, as it was not asked.
    pub(crate) fn reply(&mut self, client_id: &ClientId, seq: Seq, data: Bytes, more: bool) {
        if self.claims.has_been_active(client_id) {
            let client_id = client_id.clone();
            self.command(HostCommand::Reply { client_id, seq, data, more });
        }
    }

    /// Reports the answering client to a new host, or to one that stayed while this relay lost its
    /// memory.
    pub(super) fn tell_answerer(&mut self) {
        let client_id = self.claims.answerer().cloned();
        self.answerer.clone_from(&client_id);
        self.command(HostCommand::Answerer { client_id, after: self.log.head() });
    }

    /// Chooses the answering client again, and reports a change to the host.
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
