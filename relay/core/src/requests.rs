//! The relay's requests to write to a session's host, and the answers that wait to be fetched.

use std::collections::BTreeMap;

use moorline_shared::publish::{RequestId, WriteRefused};

/// The most requests of one session that are not answered and fetched.
const REQUESTS_WAITING: usize = 1024;

type RequestAnswer = Result<(), WriteRefused>;

/// A request that is not answered, or whose answer nobody has fetched.
#[derive(Debug, Default)]
struct WaitingRequest {
    /// The bytes to write; 0 once the host has answered.
    bytes: usize,
    answer: Option<RequestAnswer>,
    /// True if nobody fetches the answer.
    is_given_up: bool,
}

/// The open requests of one session, numbered in order.
#[derive(Debug, Default)]
pub(super) struct Requests {
    last: u64,
    waiting: BTreeMap<RequestId, WaitingRequest>,
    /// The bytes to write of all unanswered requests.
    bytes: usize,
}

impl Requests {
    /// Returns an empty set whose first request is numbered after `last`.
    pub(super) fn after(last: u64) -> Self {
        Self { last, ..Self::default() }
    }

    /// Returns the bytes to write of all unanswered requests.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns true if another request may begin.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < REQUESTS_WAITING
    }

    /// Begins a request to write this many bytes.
    pub(super) fn begin(&mut self, bytes: usize) -> Result<RequestId, WriteRefused> {
        if !self.has_room() {
            return Err(WriteRefused::TooMuch);
        }
        self.last += 1;
        let request = RequestId(self.last);
        self.bytes += bytes;
        self.waiting.insert(request, WaitingRequest { bytes, ..WaitingRequest::default() });
        Ok(request)
    }

    pub(super) fn answered(&mut self, request: RequestId, answer: RequestAnswer) {
        let Some(waiting) = self.waiting.get_mut(&request) else { return };
        self.bytes -= std::mem::take(&mut waiting.bytes);
        waiting.answer = Some(answer);
        if waiting.is_given_up {
            self.waiting.remove(&request);
        }
    }

    /// Answers every unanswered request with `why`. If the host is away, it may still have carried
    /// them out.
    pub(super) fn refuse_all(&mut self, why: WriteRefused) {
        self.bytes = 0;
        self.waiting.retain(|_, waiting| !waiting.is_given_up);
        for waiting in self.waiting.values_mut() {
            waiting.bytes = 0;
            waiting.answer.get_or_insert(Err(why));
        }
    }

    /// Takes the answer; `None` until it has come, and once it was taken.
    pub(super) fn take(&mut self, request: RequestId) -> Option<RequestAnswer> {
        let answer = self.waiting.get(&request)?.answer?;
        self.waiting.remove(&request);
        Some(answer)
    }

    /// Abandons a request: nobody fetches the answer. Its bytes count until the host has answered.
    pub(super) fn give_up(&mut self, request: RequestId) {
        if let Some(waiting) = self.waiting.get_mut(&request) {
            waiting.is_given_up = true;
            if waiting.answer.is_some() {
                self.waiting.remove(&request);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_fetched_once() {
        let mut requests = Requests::default();
        let (one, two) = (requests.begin(1).unwrap(), requests.begin(2).unwrap());
        assert_eq!(requests.take(one), None);
        requests.answered(one, Ok(()));
        assert_eq!(requests.bytes(), 2);
        requests.refuse_all(WriteRefused::HostAway);
        assert_eq!((requests.take(one), requests.take(one)), (Some(Ok(())), None));
        assert_eq!(requests.take(two), Some(Err(WriteRefused::HostAway)));
        assert_eq!(requests.bytes(), 0);
    }

    #[test]
    fn requests_are_bounded() {
        let mut requests = Requests::default();
        let first = requests.begin(1).unwrap();
        (1..REQUESTS_WAITING).for_each(|_| assert!(requests.begin(1).is_ok()));
        assert_eq!(requests.begin(1), Err(WriteRefused::TooMuch));
        requests.give_up(first);
        assert_eq!(requests.begin(1), Err(WriteRefused::TooMuch), "the host has not answered it");
        requests.answered(first, Ok(()));
        assert!(requests.begin(1).is_ok());
    }
}
