//! Errors of callers that ask for too much at a time.

use std::time::Duration;

use http::StatusCode;
use moorline_shared::limits::TOO_MANY_CONNECTIONS;

use super::ApiError;

/// The code for callers that exceed a rate or a number of connections.
const TOO_MANY: &str = "too_many_requests";
/// Time after which a connection may have become free.
const CONNECTION_WAIT: Duration = Duration::from_secs(5);

impl ApiError {
    /// Too many wrong tokens have come from the caller's address.
    #[must_use]
    pub fn too_many_wrong_tokens(wait: Duration) -> Self {
        let mut error =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "Too many wrong tokens")
                .with_message(format!(
                    "This token and many before it were wrong, expired or revoked. Try again in \
                     {} s.",
                    rounded_up(wait)
                ));
        error.retry_after = Some(wait);
        error
    }

    /// The caller's address or token sends too many requests.
    #[must_use]
    pub fn too_many_requests(wait: Duration) -> Self {
        let message =
            format!("Try again in {} s, and send fewer requests a second.", rounded_up(wait));
        Self::too_many("Too many requests", &message, wait)
    }

    /// Too many sessions are started with the caller's token.
    #[must_use]
    pub fn too_many_starts(wait: Duration) -> Self {
        let message = format!(
            "Try again in {} s: one session a second can be started with a token, and some more at \
             once.",
            rounded_up(wait)
        );
        Self::too_many("Too many new sessions", &message, wait)
    }

    /// The caller's address has too many connections.
    #[must_use]
    pub fn too_many_connections() -> Self {
        Self::too_many("Too many connections", TOO_MANY_CONNECTIONS, CONNECTION_WAIT)
    }

    fn too_many(error: &str, message: &str, wait: Duration) -> Self {
        let mut error =
            Self::new(StatusCode::TOO_MANY_REQUESTS, TOO_MANY, error).with_message(message);
        error.retry_after = Some(wait);
        error
    }
}

/// Returns whole seconds, rounded up.
pub(super) fn rounded_up(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
