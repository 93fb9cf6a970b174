//! What the relay has asked the host to write, and the answers that nobody has fetched yet.

use std::collections::BTreeMap;

use moorline_shared::publish::{RequestId, WriteRefused};

/// Requests of one session that are not answered and fetched.
const REQUESTS_WAITING: usize = 1024;

type Answer = Result<(), WriteRefused>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Requests {
    last: u64,
    waiting: BTreeMap<RequestId, Option<Answer>>,
}

impl Requests {
    /// The first one's number follows `last`.
    pub(super) fn after(last: u64) -> Self {
        Self { last, ..Self::default() }
    }

    pub(super) fn begin(&mut self) -> Result<RequestId, WriteRefused> {
        if self.waiting.len() >= REQUESTS_WAITING {
            return Err(WriteRefused::TooMuch);
        }
        self.last += 1;
        let request = RequestId(self.last);
        self.waiting.insert(request, None);
        Ok(request)
    }

    pub(super) fn answered(&mut self, request: RequestId, answer: Answer) {
        if let Some(slot) = self.waiting.get_mut(&request) {
            *slot = Some(answer);
        }
    }

    /// The host is away: whether it did what it did not answer is not known.
    pub(super) fn host_left(&mut self) {
        for slot in self.waiting.values_mut() {
            slot.get_or_insert(Err(WriteRefused::HostAway));
        }
    }

    /// The answer, once.
    pub(super) fn take(&mut self, request: RequestId) -> Option<Answer> {
        let answer = self.waiting.get(&request).copied()??;
        self.waiting.remove(&request);
        Some(answer)
    }

    pub(super) fn give_up(&mut self, request: RequestId) {
        self.waiting.remove(&request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_fetched_once() {
        let mut requests = Requests::default();
        let (one, two) = (requests.begin().unwrap(), requests.begin().unwrap());
        assert_eq!(requests.take(one), None);
        requests.answered(one, Ok(()));
        requests.host_left();
        assert_eq!((requests.take(one), requests.take(one)), (Some(Ok(())), None));
        assert_eq!(requests.take(two), Some(Err(WriteRefused::HostAway)));
    }

    #[test]
    fn requests_are_bounded() {
        let mut requests = Requests::default();
        let first = requests.begin().unwrap();
        (1..REQUESTS_WAITING).for_each(|_| assert!(requests.begin().is_ok()));
        assert_eq!(requests.begin(), Err(WriteRefused::TooMuch));
        requests.give_up(first);
        assert!(requests.begin().is_ok());
    }
}
