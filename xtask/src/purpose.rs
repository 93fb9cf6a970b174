//! Reasons for a set-up.

/// What a set-up is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Building and serving.
    Run,
    /// The same for the relay at the edge.
    Edge,
    /// Building and every check.
    Test,
}
