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
    /// The requests that are not answered, by number, with whether they were sent on this
    /// connection. Those that were sent come first.
    open: BTreeMap<u64, (ClientMessage, bool)>,
    /// The number of the last request.
    last: u64,
}

impl StreamRequests {
    /// Adds the request that `make` returns for its number, and returns that number.
    pub fn add(&mut self, make: impl FnOnce(u64) -> ClientMessage) -> u64 {
        self.last += 1;
        self.open.insert(self.last, (make(self.last), false));
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
        self.open.values_mut().for_each(|(_, is_sent)| *is_sent = false);
    }

    /// Takes an answer. Returns false if it is about no open request.
    pub fn answered(&mut self, done: &DoneMessage) -> bool {
        self.open.remove(&done.request).is_some()
    }

    /// Returns the next request to send, if there is one now.
    pub fn poll_send(&mut self) -> Option<&ClientMessage> {
        let mut first = self.open.values_mut().take(STREAM_REQUESTS);
        let (message, is_sent) = first.find(|(_, is_sent)| !is_sent)?;
        *is_sent = true;
        Some(message)
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
