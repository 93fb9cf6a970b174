//! What is known of a session besides its log.

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, Seq, SessionId};

/// Whether a session runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    /// Its process runs and its host is here.
    Live,
    /// Its host is away and may come back.
    Detached,
    /// Its process ended, with a code or a signal.
    Exited,
    /// Its host is gone for good, and the process with it.
    Lost,
    /// It was kept for its time and is going to be removed.
    Expired,
}

impl Lifecycle {
    /// Every lifecycle.
    pub const ALL: [Self; 5] =
        [Self::Live, Self::Detached, Self::Exited, Self::Lost, Self::Expired];

    /// The word for it on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Detached => "detached",
            Self::Exited => "exited",
            Self::Lost => "lost",
            Self::Expired => "expired",
        }
    }

    /// Whether nothing can be added to the log any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Exited | Self::Lost | Self::Expired)
    }
}

/// How a process ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// The exit code, where it ended by itself.
    pub code: Option<i32>,
    /// The signal's name, as `SIGKILL`, where it was killed.
    pub signal: Option<String>,
}

/// The point of a log that a fork begins at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ForkedFrom {
    /// The first session.
    pub session_id: SessionId,
    /// Its log's incarnation.
    pub epoch: Epoch,
    /// The last entry that both have.
    pub seq: Seq,
}

/// The size of a terminal in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

impl Default for Size {
    fn default() -> Self {
        Self { cols: 80, rows: 24 }
    }
}

impl Size {
    /// The size within the limits that is closest to this one.
    #[must_use]
    pub fn clamped(self) -> Self {
        use crate::limits::{COLUMNS, ROWS};
        Self {
            cols: self.cols.clamp(*COLUMNS.start(), *COLUMNS.end()),
            rows: self.rows.clamp(*ROWS.start(), *ROWS.end()),
        }
    }
}
