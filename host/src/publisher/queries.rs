//! Queries of the program to its terminal, as the publisher's owner reports and answers them.

use bytes::Bytes;
use moorline_shared::id::Seq;
use moorline_shared::time::Time;

use super::answers::QueryAnswers;
use super::{Publisher, PublisherTask, QueryId};

impl Publisher {
    /// Registers a query in the entry `seq`. The emulator must find out its answer at that point of
    /// the output, at once if [`PublisherTask::Answer`] asks for it. Returns `None` if nobody is to answer.
    /// Call it in the order of the queries, after the output that ends with them was appended.
    pub fn asked(&mut self, now: Time, seq: Seq) -> Option<QueryId> {
        self.ask(|queries| queries.asked(now, seq))
    }

    /// Like [`Publisher::asked`], for a query that the host answers even if a client could.
    pub fn asked_of_host(&mut self, now: Time, seq: Seq) -> Option<QueryId> {
        self.ask(|queries| queries.asked_of_host(now, seq))
    }

    fn ask(&mut self, ask: impl FnOnce(&mut QueryAnswers) -> Option<QueryId>) -> Option<QueryId> {
        if self.exit.is_some() {
            return None;
        }
        let id = ask(&mut self.queries);
        self.answer();
        id
    }

    /// Takes the emulator's answer to a query; ignored if the query no longer needs one.
    pub fn answered(&mut self, id: QueryId, answer: Bytes) {
        self.queries.answered(id, answer);
        self.answer();
    }

    /// Gives up all queries so far, because the emulator failed.
    pub fn unanswerable(&mut self) {
        self.queries.unanswerable();
        self.answer();
    }

    /// Types the answers that the host must give, and requests the emulator's missing ones. If a
    /// program asks without reading, answers without room are lost.
    pub(super) fn answer(&mut self) {
        while let Some(answer) = self.queries.poll() {
            self.type_unnumbered(answer);
        }
        if self.queries.wants_emulator() && !self.tasks.contains(&PublisherTask::Answer) {
            self.tasks.push_back(PublisherTask::Answer);
        }
    }
}
