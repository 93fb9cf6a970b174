//! The reason why a host could not answer a question.

use serde::{Deserialize, Serialize};

/// The reason why a question to a session's host was not answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFailure {
    /// A stable code: `no_folder`, `not_an_agent`, `session_ended`, `host_offline`, `internal`.
    pub code: String,
    /// A sentence for the user that says what to do.
    pub message: String,
}

impl HostFailure {
    /// Returns the failure with this code.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }

    /// Returns the failure of a host that was asked and did not answer.
    #[must_use]
    pub fn silent(message: impl Into<String>) -> Self {
        Self::new("host_offline", message)
    }
}
