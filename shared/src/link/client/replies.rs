//! The answers of the client's terminal to queries of the program, the requests of its owner, and how a
//! client is set up.

use bytes::Bytes;

use super::{Client, Output};
use crate::id::{Cursor, Seq};
use crate::limits::FRAME_DATA_BYTES;
use crate::link::receiver::Receiver;
use crate::message::{ClientMessage, Scope};
use crate::time::Time;

impl Client {
    /// Returns typed input that is not accepted yet, oldest first.
    pub fn pending_input(&self) -> impl Iterator<Item = &[u8]> {
        self.input.pending()
    }

    /// Discards input that was typed but never sent.
    pub fn discard_unsent_input(&mut self) {
        self.input.discard_unsent();
    }

    /// Discards all input that is not accepted. A piece that was sent is sent again without its
    /// data, for a relay that keeps it for its host. The session keeps a piece that it already got.
    pub fn discard_input(&mut self) {
        if self.input.blank() > 0 {
            self.input.send_again();
        }
    }

    /// Takes notice of whether a request that the owner has sent on this connection waits for its
    /// answer: see [`StreamRequests`](crate::link::StreamRequests). An answer that is overdue makes
    /// the client ask for a sign of life.
    pub fn await_answer(&mut self, now: Time, is_awaited: bool) {
        self.request_sent = is_awaited.then(|| self.request_sent.unwrap_or(now));
    }

    /// Starts at a cursor that an earlier client has reached, instead of with a snapshot. The owner
    /// has what was there already, such as the screen of an earlier page. Call it before the first
    /// dial.
    pub fn start_at(&mut self, cursor: Cursor) {
        self.output = Receiver::new(Some(cursor));
    }

    /// Sets that the snapshots of agent sessions are wanted: see
    /// [`Resume::conversation`](crate::message::Resume::conversation).
    pub const fn read_conversation(&mut self) {
        self.conversation = true;
    }

    /// Sets whether input waits while the session's host is away, to be delivered once it is back.
    /// By default it is refused. The relay learns of a change at the next connection.
    pub const fn hold_input(&mut self, hold: bool) {
        self.hold = hold;
    }

    /// Sets whether the terminal answers queries with [`Client::reply`]. By default it does not,
    /// and the session's host answers. The relay learns of a change at the next connection.
    pub const fn answer_queries(&mut self, answers: bool) {
        self.answers = answers;
    }

    /// Sends the terminal's answer to a query in the entry `seq`. `data` is empty if the terminal
    /// does not know the query; `more` means that further parts follow. If possible, call it before
    /// [`Client::applied`] of that entry. Queries that were in the log before this connection are
    /// not answered, and an answer is never kept for later.
    pub fn reply(&mut self, seq: Seq, data: Bytes, more: bool) {
        let is_past = self.replay.is_some_and(|replay| seq <= replay.to);
        let reads = self.extended().is_some_and(|extended| extended.scope == Scope::Read);
        let may_answer = self.answers && self.answered && !reads;
        if may_answer && !is_past && data.len() <= FRAME_DATA_BYTES {
            self.outbox.push_back(Output::Send(ClientMessage::Reply { seq, data, more }));
        }
    }
}
