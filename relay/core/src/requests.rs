//! What the relay has asked the host to write, and the answers that nobody has fetched yet.

use std::collections::BTreeMap;

use moorline_shared::publish::{RequestId, WriteRefused};

/// Requests of one session that are not answered and fetched.
const REQUESTS_WAITING: usize = 1024;

type Answer = Result<(), WriteRefused>;

/// A request that is not answered, or whose answer nobody has fetched.
#[derive(Debug, Default)]
struct Waiting {
    /// What is to be written, until the host has answered.
    bytes: usize,
    answer: Option<Answer>,
    /// Nobody fetches the answer.
    is_given_up: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Requests {
    last: u64,
    waiting: BTreeMap<RequestId, Waiting>,
    /// What all that is not answered is to write.
    bytes: usize,
}

impl Requests {
    /// The first one's number follows `last`.
    pub(super) fn after(last: u64) -> Self {
        Self { last, ..Self::default() }
    }

    /// What the host has not answered is to write so many bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether another one may begin.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < REQUESTS_WAITING
    }

    /// Begins one that is to write so many bytes.
    pub(super) fn begin(&mut self, bytes: usize) -> Result<RequestId, WriteRefused> {
        if !self.has_room() {
            return Err(WriteRefused::TooMuch);
        }
        self.last += 1;
        let request = RequestId(self.last);
        self.bytes += bytes;
        self.waiting.insert(request, Waiting { bytes, ..Waiting::default() });
        Ok(request)
    }

    pub(super) fn answered(&mut self, request: RequestId, answer: Answer) {
        let Some(waiting) = self.waiting.get_mut(&request) else { return };
        self.bytes -= std::mem::take(&mut waiting.bytes);
        waiting.answer = Some(answer);
        if waiting.is_given_up {
            self.waiting.remove(&request);
        }
    }

    /// The host does no more of what it did not answer; whether it did that is not known where it
    /// is away.
    pub(super) fn refuse_all(&mut self, why: WriteRefused) {
        self.bytes = 0;
        self.waiting.retain(|_, waiting| !waiting.is_given_up);
        for waiting in self.waiting.values_mut() {
            waiting.bytes = 0;
            waiting.answer.get_or_insert(Err(why));
        }
    }

    /// The answer, once.
    pub(super) fn take(&mut self, request: RequestId) -> Option<Answer> {
        let answer = self.waiting.get(&request)?.answer?;
        self.waiting.remove(&request);
        Some(answer)
    }

    /// Nobody fetches the answer. What is to be written counts until the host has answered.
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
