//! The error of a driver that cannot start a session.

use std::error::Error;

/// The error of a driver that cannot start a session. Its text is that of the driver's own error,
/// and is meant for the user.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The request cannot be carried out.
    #[error(transparent)]
    Refused(Box<dyn Error + Send + Sync>),
    /// The machine, or whatever runs the session, has no room for another.
    #[error(transparent)]
    Exhausted(Box<dyn Error + Send + Sync>),
    /// A failure that is unrelated to the request.
    #[error(transparent)]
    Internal(Box<dyn Error + Send + Sync>),
}

impl DriverError {
    /// Returns a stable code, as in [`ToRelay::Failed`](moorline_shared::control::ToRelay::Failed).
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "bad_request",
            Self::Exhausted(_) => "exhausted",
            Self::Internal(_) => "internal",
        }
    }
}

/// Runs blocking work on a thread where blocking is allowed.
///
/// # Errors
/// [`DriverError::Internal`] if the work panics, or the runtime shuts down.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DriverError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| DriverError::Internal(error.into()))
}
