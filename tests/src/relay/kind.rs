//! Which relay a scenario runs against.

use anyhow::{Result, bail};

/// The ways to run a relay. What each does for clients is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `moorline serve`, with its host as a process of its own.
    Native,
    /// `moorline serve --in-process`.
    InProcess,
    /// The Worker in workerd, and `moorline host` beside it.
    Edge,
}

impl Kind {
    /// The kind that a run of the tests is for, by `$MOORLINE_TEST_RELAY`.
    ///
    /// # Errors
    /// Where it names no kind.
    pub fn of_run() -> Result<Self> {
        Ok(match std::env::var("MOORLINE_TEST_RELAY").as_deref() {
            Err(_) | Ok("native") => Self::Native,
            Ok("in-process") => Self::InProcess,
            Ok("edge") => Self::Edge,
            Ok(other) => {
                bail!("MOORLINE_TEST_RELAY={other}: it is `native`, `in-process` or `edge`")
            }
        })
    }
}
