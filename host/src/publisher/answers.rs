//! Decides who answers each of a program's queries, so that each is answered once.
//!
//! A query waits for its answer from the moment that its entry is in the log. If the entry came
//! after the relay appointed a client ([`QueryAnswers::appoint`]), that client must answer; otherwise
//! the host's emulator does. If a client leaves, skips the entry, or does not answer in time, its
//! queries go to the host, and its later answers to them are dropped. So only the host decides
//! which answer counts.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use moorline_shared::id::{ClientId, Seq};
use moorline_shared::time::Time;

/// Time allowed for a client's answer. Programs wait for a second or two at most.
const PATIENCE: Duration = Duration::from_secs(1);
/// Most queries that wait. Further ones are not answered: a program that asks for more is not
/// listening.
const WAITING: usize = 256;

/// Names a query that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(u64);

/// The waiting queries, and the client that answers new ones.
#[derive(Debug, Default)]
pub(super) struct QueryAnswers {
    /// The client that answers; `None` while the host does.
    answerer: Option<Answerer>,
    /// The queries that wait, oldest first.
    waiting: VecDeque<WaitingQuery>,
    last: u64,
}

#[derive(Debug)]
struct Answerer {
    client_id: ClientId,
    /// The entry after which the client answers queries.
    after: Seq,
    /// True if it let a query wait too long. The host then answers until the client types again.
    is_slow: bool,
}

#[derive(Debug)]
struct WaitingQuery {
    id: QueryId,
    seq: Seq,
    since: Time,
    /// The client that must answer; `None` for the host.
    by: Option<ClientId>,
    /// True if the client has sent a part of its answer.
    is_begun: bool,
    /// The emulator's answer, once it has reached the query.
    answer: Option<Bytes>,
}

impl QueryAnswers {
    /// Adds a query of the entry `seq`. Returns `None` if too many wait already.
    pub(super) fn asked(&mut self, now: Time, seq: Seq) -> Option<QueryId> {
        let answers = |answerer: &&Answerer| !answerer.is_slow && seq > answerer.after;
        let by = self.answerer.as_ref().filter(answers).map(|answerer| answerer.client_id.clone());
        self.wait(now, seq, by)
    }

    /// Adds a query of the entry `seq` that the host answers even if a client could.
    pub(super) fn asked_of_host(&mut self, now: Time, seq: Seq) -> Option<QueryId> {
        self.wait(now, seq, None)
    }

    fn wait(&mut self, now: Time, seq: Seq, by: Option<ClientId>) -> Option<QueryId> {
        if self.waiting.len() >= WAITING {
            return None;
        }
        self.last += 1;
        let id = QueryId(self.last);
        self.waiting.push_back(WaitingQuery {
            id,
            seq,
            since: now,
            by,
            is_begun: false,
            answer: None,
        });
        Some(id)
    }

    /// Makes `client_id` answer the queries after the entry `after` from now on. `head` is the last
    /// entry so far. `None` means that the previous client has left.
    pub(super) fn appoint(&mut self, client_id: Option<ClientId>, after: Seq, head: Seq) {
        let Some(client_id) = client_id else {
            self.answerer = None;
            self.hand_over(|_| true);
            return;
        };
        // The client has not seen these, or only as history.
        self.hand_over(|waiting| waiting.by.as_ref() == Some(&client_id) && waiting.seq <= after);
        let is_new = self.answerer.as_ref().is_none_or(|now| now.client_id != client_id);
        if is_new {
            self.answerer = Some(Answerer { client_id, after: after.max(head), is_slow: false });
        }
    }

    /// Records that a client typed, and so is responsive.
    pub(super) fn typed(&mut self, client_id: &ClientId, head: Seq) {
        if let Some(answerer) = &mut self.answerer
            && answerer.is_slow
            && answerer.client_id == *client_id
        {
            (answerer.is_slow, answerer.after) = (false, head);
        }
    }

    /// Handles a client's answer to the queries of the entry `seq`, or a part of it if `more` is
    /// true. Returns true if the program must get it.
    pub(super) fn reply(&mut self, client_id: &ClientId, seq: Seq, more: bool) -> bool {
        let is_meant =
            |waiting: &WaitingQuery| waiting.seq == seq && waiting.by.as_ref() == Some(client_id);
        let is_due = self.waiting.iter().any(is_meant);
        if more {
            let begun = self.waiting.iter_mut().filter(|waiting| is_meant(waiting));
            begun.for_each(|waiting| waiting.is_begun = true);
        } else {
            self.waiting.retain(|waiting| !is_meant(waiting));
        }
        is_due
    }

    /// Stores the emulator's answer to a query.
    pub(super) fn answered(&mut self, id: QueryId, answer: Bytes) {
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.id == id) {
            waiting.answer = Some(answer);
        }
    }

    /// Stores an empty answer to every query that the emulator has not answered.
    pub(super) fn unanswerable(&mut self) {
        self.waiting.iter_mut().for_each(|waiting| {
            waiting.answer.get_or_insert_default();
        });
    }

    /// Returns the next answer of the host for the program, in the order of the queries.
    pub(super) fn poll(&mut self) -> Option<Bytes> {
        let is_ready =
            |waiting: &mut WaitingQuery| waiting.by.is_none() && waiting.answer.is_some();
        self.waiting.pop_front_if(is_ready)?.answer
    }

    /// Returns true if an answer of the emulator is needed now.
    pub(super) fn wants_emulator(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.by.is_none() && waiting.answer.is_none())
    }

    /// Returns when to call [`QueryAnswers::tick`].
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        let waiting = self.waiting.iter().filter(|waiting| waiting.by.is_some());
        waiting.map(|waiting| waiting.since + PATIENCE).min()
    }

    /// Hands the queries that have waited too long over to the host.
    pub(super) fn tick(&mut self, now: Time) {
        let is_late =
            |waiting: &WaitingQuery| waiting.by.is_some() && now >= waiting.since + PATIENCE;
        for late in self.waiting.iter().filter(|waiting| is_late(waiting)) {
            if let Some(answerer) = &mut self.answerer
                && late.by.as_ref() == Some(&answerer.client_id)
            {
                answerer.is_slow = true;
            }
        }
        self.hand_over(is_late);
    }

    /// Drops all queries, because the program is gone.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Gives queries of clients to the host. Queries that are partly answered are dropped instead.
    fn hand_over(&mut self, is_meant: impl Fn(&WaitingQuery) -> bool) {
        let is_meant = |waiting: &WaitingQuery| waiting.by.is_some() && is_meant(waiting);
        self.waiting.retain(|waiting| !(waiting.is_begun && is_meant(waiting)));
        let meant = self.waiting.iter_mut().filter(|waiting| is_meant(waiting));
        meant.for_each(|waiting| waiting.by = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_ms(0);

    fn client(number: u8) -> ClientId {
        format!("client_{number}").parse().unwrap()
    }

    fn says(answers: &mut QueryAnswers, id: QueryId, text: &'static str) {
        answers.answered(id, Bytes::from_static(text.as_bytes()));
    }

    fn told(answers: &mut QueryAnswers) -> Vec<Bytes> {
        std::iter::from_fn(|| answers.poll()).collect()
    }

    #[test]
    fn the_host_answers_in_order_while_nobody_else_does() {
        let mut answers = QueryAnswers::default();
        let first = answers.asked(START, Seq(1)).unwrap();
        let second = answers.asked(START, Seq(1)).unwrap();
        assert!(answers.wants_emulator());
        says(&mut answers, second, "b");
        assert_eq!(told(&mut answers), [] as [&str; 0]);
        says(&mut answers, first, "a");
        assert_eq!(told(&mut answers), ["a", "b"]);
        says(&mut answers, first, "a");
        assert_eq!(told(&mut answers), [] as [&str; 0]);
    }

    #[test]
    fn a_client_answers_what_is_asked_after_it_was_named() {
        let mut answers = QueryAnswers::default();
        let early = answers.asked(START, Seq(1)).unwrap();
        answers.appoint(Some(client(1)), Seq(0), Seq(1));
        answers.asked(START, Seq(2)).unwrap();
        assert!(!answers.reply(&client(1), Seq(1), false), "it was asked before");
        assert!(!answers.reply(&client(2), Seq(2), false), "it is another's");
        assert!(answers.reply(&client(1), Seq(2), false));
        assert!(!answers.reply(&client(1), Seq(2), false), "it is answered");
        says(&mut answers, early, "early");
        assert_eq!(told(&mut answers), ["early"]);
    }

    #[test]
    fn what_the_host_alone_answers_comes_in_its_turn() {
        let mut answers = QueryAnswers::default();
        answers.appoint(Some(client(1)), Seq(0), Seq(0));
        answers.asked(START, Seq(1)).unwrap();
        let own = answers.asked_of_host(START, Seq(1)).unwrap();
        assert!(answers.wants_emulator());
        says(&mut answers, own, "own");
        assert_eq!(told(&mut answers), [] as [&str; 0]);
        assert!(answers.reply(&client(1), Seq(1), false));
        assert!(!answers.reply(&client(1), Seq(1), false));
        assert_eq!(told(&mut answers), ["own"]);
    }

    #[test]
    fn a_client_that_leaves_hands_over_what_it_has_not_answered() {
        let mut answers = QueryAnswers::default();
        answers.appoint(Some(client(1)), Seq(0), Seq(0));
        answers.asked(START, Seq(1)).unwrap();
        let open = answers.asked(START, Seq(2)).unwrap();
        says(&mut answers, open, "open");
        assert!(answers.reply(&client(1), Seq(1), false));
        answers.appoint(None, Seq(0), Seq(2));
        assert_eq!(told(&mut answers), ["open"]);
        assert!(!answers.reply(&client(1), Seq(2), false), "too late");
    }

    #[test]
    fn another_client_takes_over_from_the_next_entry_on() {
        let mut answers = QueryAnswers::default();
        answers.appoint(Some(client(1)), Seq(0), Seq(0));
        answers.asked(START, Seq(1)).unwrap();
        answers.appoint(Some(client(2)), Seq(1), Seq(1));
        answers.asked(START, Seq(2)).unwrap();
        assert!(!answers.reply(&client(2), Seq(1), false));
        assert!(answers.reply(&client(1), Seq(1), false), "it is still there");
        assert!(!answers.reply(&client(1), Seq(2), false));
        assert!(answers.reply(&client(2), Seq(2), false));
    }

    #[test]
    fn what_a_client_jumps_over_is_the_hosts() {
        let mut answers = QueryAnswers::default();
        answers.appoint(Some(client(1)), Seq(0), Seq(0));
        let skipped = answers.asked(START, Seq(1)).unwrap();
        answers.asked(START, Seq(2)).unwrap();
        answers.appoint(Some(client(1)), Seq(1), Seq(2));
        says(&mut answers, skipped, "skipped");
        assert_eq!(told(&mut answers), ["skipped"]);
        assert!(answers.reply(&client(1), Seq(2), false));
    }

    #[test]
    fn a_client_that_is_late_is_not_waited_for_until_it_types() {
        let mut answers = QueryAnswers::default();
        answers.appoint(Some(client(1)), Seq(0), Seq(0));
        let late = answers.asked(START, Seq(1)).unwrap();
        assert_eq!(answers.poll_timeout(), Some(START + PATIENCE));
        answers.tick(Time::from_ms(1));
        assert!(!answers.wants_emulator());
        answers.tick(START + PATIENCE);
        assert_eq!(answers.poll_timeout(), None);
        says(&mut answers, late, "late");
        assert!(!answers.reply(&client(1), Seq(1), false));
        let next = answers.asked(START, Seq(2)).unwrap();
        says(&mut answers, next, "next");
        assert_eq!(told(&mut answers), ["late", "next"]);
        answers.typed(&client(1), Seq(2));
        answers.asked(START, Seq(3)).unwrap();
        assert!(answers.reply(&client(1), Seq(3), false));
    }

    #[test]
    fn an_answer_that_was_begun_is_not_given_again() {
        let mut answers = QueryAnswers::default();
        answers.appoint(Some(client(1)), Seq(0), Seq(0));
        for _ in 0..2 {
            let id = answers.asked(START, Seq(1)).unwrap();
            says(&mut answers, id, "twice");
        }
        assert!(answers.reply(&client(1), Seq(1), true));
        assert!(answers.reply(&client(1), Seq(1), true));
        answers.tick(START + PATIENCE);
        assert_eq!(told(&mut answers), [] as [&str; 0]);
        assert!(!answers.reply(&client(1), Seq(1), false));
    }

    #[test]
    fn a_program_that_only_asks_is_given_up() {
        let mut answers = QueryAnswers::default();
        let all = (0..1000).filter_map(|_| answers.asked(START, Seq(1))).count();
        assert_eq!(all, WAITING);
    }
}
