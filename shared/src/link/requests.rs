//! The requests of a client on a stream.

use std::collections::BTreeMap;

use crate::limits::STREAM_REQUESTS;
use crate::message::{ClientMessage, DoneMessage};

/// The requests of a client on a stream, each sent on every connection until it is answered.
///
/// Whoever carries out a request knows it from its id, so that it counts once. At most
/// [`STREAM_REQUESTS`] are sent and not answered at a time: a relay refuses more. The others wait.
///
/// Call [`StreamRequests::opened`] for each new connection, [`StreamRequests::answered`] for each
/// answer, and [`StreamRequests::poll_send`] until it returns `None` after both and after
/// [`StreamRequests::add`], while there is a connection. A spurious call is harmless.
#[derive(Debug, Default)]
pub struct StreamRequests {
    /// The requests that are not answered, by number. Those that were sent come first.
    open: BTreeMap<u64, OpenRequest>,
    /// The number of the last request.
    last: u64,
}

/// A request that is not answered.
#[derive(Debug)]
struct OpenRequest {
    message: ClientMessage,
    /// True if it was sent on this connection.
    is_sent: bool,
    /// True if it was sent on any connection: it may have arrived.
    was_sent: bool,
}

impl StreamRequests {
    /// Adds the request that `make` returns for its number, and returns that number.
    pub fn add(&mut self, make: impl FnOnce(u64) -> ClientMessage) -> u64 {
        self.last += 1;
        let message = make(self.last);
        self.open.insert(self.last, OpenRequest { message, is_sent: false, was_sent: false });
        self.last
    }

    /// Returns the number of requests that are not answered. The owner bounds it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Returns true if every request is answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes notice of a new connection, on which nothing was sent.
    pub fn opened(&mut self) {
        self.open.values_mut().for_each(|request| request.is_sent = false);
    }

    /// Takes an answer. Returns false if it is about no open request.
    pub fn answered(&mut self, done: &DoneMessage) -> bool {
        self.open.remove(&done.request).is_some()
    }

    /// Returns the next request to send, if there is one now.
    pub fn poll_send(&mut self) -> Option<&ClientMessage> {
        let mut first = self.open.values_mut().take(STREAM_REQUESTS);
        let request = first.find(|request| !request.is_sent)?;
        (request.is_sent, request.was_sent) = (true, true);
        Some(&request.message)
    }

    /// Returns true if a request was sent on this connection and is not answered.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.open.values().any(|request| request.is_sent)
    }

    /// Returns true if an open request was ever sent: it may have arrived.
    #[must_use]
    pub fn was_sent(&self, number: u64) -> bool {
        self.open.get(&number).is_some_and(|request| request.was_sent)
    }

    /// Takes back a request that was never sent. Returns false if it may have arrived, or is
    /// answered.
    pub fn take_back(&mut self, number: u64) -> bool {
        let is_unsent = self.open.get(&number).is_some_and(|request| !request.was_sent);
        is_unsent && self.open.remove(&number).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::CancelMessage;

    fn stop(request: u64) -> ClientMessage {
        ClientMessage::Cancel(CancelMessage { request, turn_id: None, force: false })
    }

    fn sent(requests: &mut StreamRequests) -> Vec<u64> {
        let mut sent = Vec::new();
        while let Some(message) = requests.poll_send() {
            let ClientMessage::Cancel(stop) = message else { panic!("{message:?}") };
            sent.push(stop.request);
        }
        sent
    }

    fn answer(requests: &mut StreamRequests, request: u64) -> bool {
        requests.answered(&DoneMessage { request, code: None, message: None })
    }

    #[test]
    fn a_request_is_sent_on_each_connection_until_it_is_answered() {
        let mut requests = StreamRequests::default();
        assert_eq!((requests.add(stop), requests.add(stop)), (1, 2));
        assert_eq!(sent(&mut requests), [1, 2]);
        assert_eq!(sent(&mut requests), [0; 0]);
        assert!(answer(&mut requests, 1) && !answer(&mut requests, 1));
        requests.opened();
        assert_eq!(sent(&mut requests), [2]);
        assert!(answer(&mut requests, 2) && requests.is_empty());
    }

    #[test]
    fn only_what_was_never_sent_can_be_taken_back() {
        let mut requests = StreamRequests::default();
        requests.add(stop);
        assert_eq!(sent(&mut requests), [1]);
        requests.add(stop);
        requests.opened();
        assert!(!requests.is_awaited() && requests.was_sent(1) && !requests.was_sent(2));
        assert!(!requests.take_back(1) && requests.take_back(2) && !requests.take_back(2));
        assert_eq!(sent(&mut requests), [1]);
        assert!(requests.is_awaited());
    }

    #[test]
    fn no_more_are_sent_than_a_relay_takes() {
        let mut requests = StreamRequests::default();
        let all: Vec<u64> = (0..40).map(|_| requests.add(stop)).collect();
        assert_eq!(sent(&mut requests), all[..STREAM_REQUESTS]);
        // An answer, of whichever of them, makes room for one.
        assert!(answer(&mut requests, 7));
        assert_eq!(sent(&mut requests), [STREAM_REQUESTS as u64 + 1]);
        requests.opened();
        assert_eq!(sent(&mut requests).len(), STREAM_REQUESTS);
    }
}
