//! Event streams over a WebSocket: the bytes of an event stream, in binary messages.
//!
//! Over HTTP/1.1, a browser opens at most six connections to a server, for all of its tabs
//! together. Each event stream occupies one of them while it is open; WebSockets do not count. So
//! every route that answers with an event stream also accepts a WebSocket. The socket carries the
//! HTTP answer: its body in binary messages, cut anywhere, or its status as a close code.
//!
//! The reader answers each message with any message of its own. At most `UNANSWERED` messages wait
//! for an answer. So a reader that takes nothing costs nothing, even if its socket accepts
//! everything.

use http::StatusCode;
use moorline_shared::message::close;

/// The number of messages that may wait for the reader's answer.
const UNANSWERED: u32 = 8;

/// Counts the messages that the reader has not answered.
#[derive(Debug, Default)]
pub struct MessageCredit {
    unanswered: u32,
}

impl MessageCredit {
    /// Returns true if the next message may be sent.
    #[must_use]
    pub const fn is_left(&self) -> bool {
        self.unanswered < UNANSWERED
    }

    /// Counts a message that was sent.
    pub const fn sent(&mut self) {
        self.unanswered += 1;
    }

    /// Counts an answer of the reader. An answer to nothing is ignored.
    pub const fn answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }
}

/// Returns the close code and the reason for an HTTP status; `None` for an event stream, whose body
/// the socket carries.
#[must_use]
pub const fn refusal(status: StatusCode) -> Option<(u16, &'static str)> {
    Some(match status {
        StatusCode::OK => return None,
        StatusCode::NO_CONTENT => (close::NOTHING_FOLLOWS, "this client has received everything"),
        StatusCode::UNAUTHORIZED => (close::UNAUTHORIZED, "the token is missing or wrong"),
        StatusCode::FORBIDDEN => (close::FORBIDDEN, "this token or page cannot read the session"),
        StatusCode::NOT_FOUND => (close::NOT_FOUND, "the session does not exist"),
        StatusCode::TOO_MANY_REQUESTS => (close::OVERLOADED, "too many readers"),
        StatusCode::BAD_REQUEST => (close::BAD_REQUEST, "the address is not valid"),
        _ => (close::INTERNAL, "internal error: see the relay's log"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_answers_nothing_gets_no_more() {
        let mut credit = MessageCredit::default();
        for _ in 0..UNANSWERED {
            assert!(credit.is_left());
            credit.sent();
        }
        assert!(!credit.is_left());
        credit.answered();
        assert!(credit.is_left());
        // An answer to nothing earns no credit.
        (0..20).for_each(|_| credit.answered());
        (0..UNANSWERED).for_each(|_| credit.sent());
        assert!(!credit.is_left());
    }

    #[test]
    fn a_stream_is_carried_and_all_else_is_a_close_code() {
        assert_eq!(refusal(StatusCode::OK), None);
        for (status, code) in [(204, 4204), (400, 4400), (401, 4401), (403, 4403), (404, 4404)] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(refusal(status).unwrap().0, code);
        }
        let unavailable = refusal(StatusCode::SERVICE_UNAVAILABLE).unwrap().0;
        assert!(!close::is_final(unavailable), "a reader comes back");
    }
}
