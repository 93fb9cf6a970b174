//! Sockets of clients that are not let in, and what they are told.
//!
//! A browser shows its page no HTTP error of a WebSocket, so the socket is opened, and closed with a code and a message.
//! Other programs get the HTTP error.

use moorline_shared::message::{ErrorCode, close};

/// Why a caller may not open a socket of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Pages of this origin may not.
    Origin,
    /// The token is missing, or opens nothing.
    Token,
    /// The id is not one.
    Id,
    /// The token is for something else.
    Session,
}

/// What a client of the stream is told: an `error` message, then the close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamRefusal {
    /// The close code.
    pub close: u16,
    /// The code of the message.
    pub code: ErrorCode,
    /// The text of the message.
    pub message: &'static str,
}

/// There is no session with the id.
pub const NOT_FOUND: StreamRefusal = StreamRefusal {
    close: close::NOT_FOUND,
    code: ErrorCode::NotFound,
    message: "There is no session with this id.",
};

/// Text that a client of plain text is told, as seed 001's server did, before the close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainRefusal {
    /// The close code.
    pub close: u16,
    /// The text.
    pub text: String,
}

/// The reason of the close that follows the text of a [`PlainRefusal`].
pub const SEE_TEXT: &str = "see the message before";

impl Why {
    const fn close(self) -> u16 {
        match self {
            Self::Id => close::NOT_FOUND,
            Self::Token => close::UNAUTHORIZED,
            Self::Origin | Self::Session => close::FORBIDDEN,
        }
    }

    /// What a client of the stream is told.
    #[must_use]
    pub const fn stream(self) -> StreamRefusal {
        let message = match self {
            Self::Id => return NOT_FOUND,
            Self::Origin => "Pages of this origin may not open a stream.",
            Self::Token => "The token is missing, wrong, expired or revoked.",
            Self::Session => "This token is not for this session.",
        };
        StreamRefusal { close: self.close(), code: ErrorCode::Unauthorized, message }
    }

    /// What a client of plain text is told.
    #[must_use]
    pub fn plain(self) -> PlainRefusal {
        let text = match self {
            Self::Id => {
                "Error: Invalid session ID format\n\
                Details: A session id has 8 to 128 letters, digits, '_' or '-'."
            }
            _ => "Error: WebSocket connection failed\nPlease sign in and try again",
        };
        PlainRefusal { close: self.close(), text: text.to_owned() }
    }
}

impl PlainRefusal {
    /// The session that was to begin with the socket has not begun.
    #[must_use]
    pub fn not_created(close: u16, details: &str) -> Self {
        let text = format!("Error: Failed to create session\nDetails: {details}");
        Self { close, text }
    }
}
