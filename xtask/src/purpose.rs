//! Purposes of a setup.

/// The task that a setup is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Building and serving the native relay.
    Run,
    /// Building and serving the edge relay.
    Edge,
    /// Building everything, and every check.
    Test,
}
