//! What the client's terminal answers to the program.

use bytes::Bytes;

use super::{Client, Output};
use crate::id::Seq;
use crate::limits::FRAME_DATA_BYTES;
use crate::message::{ClientMessage, Scope};

impl Client {
    /// Whether the terminal answers queries, by [`Client::reply`]. At first it does not, and the
    /// session's host answers. A relay learns of a change with the next connection.
    pub const fn answer_queries(&mut self, answers: bool) {
        self.answers = answers;
    }

    /// The terminal answers what the entry `seq` asks: with nothing where it does not know the query,
    /// and with `more` in parts. Call it before [`Client::applied`] of that entry where possible: what
    /// was in the log before this connection is not answered. An answer is never kept for later.
    pub fn reply(&mut self, seq: Seq, data: Bytes, more: bool) {
        let is_past = self.replay.is_some_and(|replay| seq <= replay.to);
        let may_answer = self.answers && self.answered && self.scope() != Some(Scope::Read);
        if may_answer && !is_past && data.len() <= FRAME_DATA_BYTES {
            self.outbox.push_back(Output::Send(ClientMessage::Reply { seq, data, more }));
        }
    }
}
