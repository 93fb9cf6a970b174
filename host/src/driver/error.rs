//! Why a driver did not start a session.

use std::error::Error;

/// Why a driver did not start a session. The text is that of the driver's own error, and is for people.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// What was asked for cannot be done.
    #[error(transparent)]
    Refused(Box<dyn Error + Send + Sync>),
    /// The machine, or whatever runs the session, has no room for another.
    #[error(transparent)]
    Exhausted(Box<dyn Error + Send + Sync>),
    /// Something failed that has nothing to do with what was asked for.
    #[error(transparent)]
    Internal(Box<dyn Error + Send + Sync>),
}

impl DriverError {
    /// A stable code, as in [`ToRelay::Failed`](moorline_shared::control::ToRelay::Failed).
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "bad_request",
            Self::Exhausted(_) => "exhausted",
            Self::Internal(_) => "internal",
        }
    }
}

/// Runs work that blocks where that is allowed.
///
/// # Errors
/// The work panicked, or the runtime shuts down.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DriverError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| DriverError::Internal(error.into()))
}
