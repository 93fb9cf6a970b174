//! The kinds of relay that scenarios run against.

use anyhow::{Result, bail};

/// A way to run a relay. Clients see no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `moorline serve`, with its host as a process of its own.
    Native,
    /// `moorline serve --in-process`, with its host in the same process.
    InProcess,
    /// The Worker in workerd, and `moorline host` beside it.
    Edge,
}

impl Kind {
    /// The kind that this run of the tests is for, from `$MOORLINE_TEST_RELAY`.
    ///
    /// # Errors
    /// If the variable names an unknown kind.
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
