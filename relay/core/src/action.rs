//! The reasons for which a request to a session's agent is refused.

use moorline_shared::limits::ACTIONS_WAIT;

/// The reason why an action is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ActionRefused {
    /// The session is over.
    #[error("the session has ended")]
    Ended,
    /// The session was deleted.
    #[error("the session does not exist")]
    Deleted,
    /// Too many actions wait for the host.
    #[error("{}", ACTIONS_WAIT)]
    TooMuch,
    /// The relay cannot store it.
    #[error("the relay cannot store the request now: try again later")]
    NotStored,
}
