//! Refused sockets: the close codes and messages that their clients get.
//!
//! A browser hides the HTTP error of a WebSocket from its page. So the relay accepts the socket, sends a message, and
//! closes it with a code. Other programs get the HTTP error.

use const_format::formatcp;
use http::StatusCode;
use moorline_shared::limits::{ID_CHARACTERS, LONG_ID_CHARACTERS};
use moorline_shared::message::{ErrorCode, ServerMessage, close};
use moorline_shared::session::KUBERNETES_DRIVER;

use crate::api::ApiError;

const INVALID_ID: &str = formatcp!(
    "Error: Invalid session ID format\n\
    Details: A session id has {} to {} letters, digits, '_' or '-'.",
    *ID_CHARACTERS.start(),
    LONG_ID_CHARACTERS
);

/// The reason why a caller may not open a socket of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The page's origin is not trusted.
    Origin,
    /// The token is missing or not valid.
    Token,
    /// The session's id is not valid.
    Id,
    /// The token is for another session.
    Session,
    /// The token is used too often, or cannot be checked now.
    Busy,
}

/// The refusal of a client of the stream: an `error` message, then the close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamRefusal {
    /// The close code.
    pub close: u16,
    /// The code of the message.
    pub code: ErrorCode,
    /// The text of the message.
    pub message: &'static str,
}

impl StreamRefusal {
    /// The session does not exist.
    pub const NOT_FOUND: Self = Self {
        close: close::NOT_FOUND,
        code: ErrorCode::NotFound,
        message: "The session does not exist.",
    };
    /// The session has as many clients as it may have.
    pub const OVERLOADED: Self = Self {
        close: close::OVERLOADED,
        code: ErrorCode::Overloaded,
        message: "This session has reached its limit of clients: try again later.",
    };
    /// The store of the session fails.
    pub const INTERNAL: Self = Self {
        close: close::INTERNAL,
        code: ErrorCode::Overloaded,
        message: "The session cannot be read now: try again later.",
    };

    /// Returns the message that the client gets before the close.
    #[must_use]
    pub fn to_json(self) -> String {
        ServerMessage::Error { code: self.code, message: self.message.to_owned() }.to_json()
    }
}

/// The refusal of a client of plain text: the text that seed 001's server sent, then the close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainRefusal {
    /// The close code.
    pub close: u16,
    /// The text of the message.
    pub text: String,
}

/// The reason of the close that follows the text of a [`PlainRefusal`].
pub const SEE_TEXT: &str = "see the previous message";

impl Why {
    /// Returns the reason why a caller could not be identified.
    #[must_use]
    pub fn unidentified(error: &ApiError) -> Self {
        if error.status() == StatusCode::UNAUTHORIZED { Self::Token } else { Self::Busy }
    }

    const fn close(self) -> u16 {
        match self {
            Self::Id => close::NOT_FOUND,
            Self::Token => close::UNAUTHORIZED,
            Self::Origin | Self::Session => close::FORBIDDEN,
            Self::Busy => close::OVERLOADED,
        }
    }

    /// Returns the refusal for a client of the stream.
    #[must_use]
    pub const fn stream(self) -> StreamRefusal {
        let message = match self {
            Self::Id => return StreamRefusal::NOT_FOUND,
            Self::Origin => "Pages from this origin are not allowed to open a stream.",
            Self::Token => "The token is missing, wrong, expired or revoked.",
            Self::Session => "This token is not for this session.",
            Self::Busy => "The token is used too often, or cannot be checked now: try again later.",
        };
        let code = match self {
            Self::Busy => ErrorCode::Overloaded,
            _ => ErrorCode::Unauthorized,
        };
        StreamRefusal { close: self.close(), code, message }
    }

    /// Returns the refusal for a client of plain text.
    #[must_use]
    pub fn plain(self) -> PlainRefusal {
        let text = match self {
            Self::Id => INVALID_ID,
            _ => "Error: WebSocket connection failed\nPlease sign in and try again",
        };
        PlainRefusal { close: self.close(), text: text.to_owned() }
    }
}

impl PlainRefusal {
    /// Returns the refusal for a client that may only read a session that does not exist.
    #[must_use]
    pub fn missing() -> Self {
        let details = "The session does not exist, and this token is not allowed to start one.";
        Self::not_created(close::NOT_FOUND, details)
    }

    /// Returns the refusal for a socket whose session could not be started. `details` says why.
    #[must_use]
    pub fn not_created(close: u16, details: &str) -> Self {
        Self::not_started(close, None, details)
    }

    /// Like [`PlainRefusal::not_created`], for a session of this driver, if one was named: that a pod
    /// could not be started is told in the seed's words.
    #[must_use]
    pub fn not_started(close: u16, driver: Option<&str>, details: &str) -> Self {
        let what = match driver {
            Some(KUBERNETES_DRIVER) => "execution pod",
            _ => "session",
        };
        Self { close, text: format!("Error: Failed to create {what}\nDetails: {details}") }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_a_token_that_is_not_valid_is_refused_for_good() {
        let refusal = |error: &ApiError| Why::unidentified(error).stream();
        for error in [ApiError::no_token(), ApiError::wrong_token()] {
            assert_eq!(refusal(&error).close, close::UNAUTHORIZED);
        }
        let rate = ApiError::too_many_requests(Duration::from_secs(1));
        for error in [rate, ApiError::internal(&"the tokens cannot be read")] {
            let refusal = refusal(&error);
            assert_eq!((refusal.close, refusal.code), (close::OVERLOADED, ErrorCode::Overloaded));
        }
    }
}
