//! The lifecycle, exit status and terminal size of a session.

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, Seq, SessionId};

/// The state of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    /// Its process runs, and its host is connected.
    Live,
    /// Its host is away and may come back.
    Detached,
    /// Its process ended, with an exit code or by a signal.
    Exited,
    /// Its host is gone for good, and its process with it.
    Lost,
    /// Its retention time is over, and it is about to be removed.
    Expired,
}

impl Lifecycle {
    /// Every lifecycle, in the order of the enum.
    pub const ALL: [Self; 5] =
        [Self::Live, Self::Detached, Self::Exited, Self::Lost, Self::Expired];

    /// Returns the name on the wire.
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

    /// Returns true if nothing can be added to the log any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Exited | Self::Lost | Self::Expired)
    }
}

/// The status with which a process ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// The exit code, if the process exited by itself.
    pub code: Option<i32>,
    /// The signal's name, such as `SIGKILL`, if the process was killed.
    pub signal: Option<String>,
    /// The reason of an end of which neither is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ExitReason>,
}

/// The reason why a session is over whose process is not the host's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ExitReason {
    /// The pane was closed in tmux: its program has ended, or a user closed it.
    PaneClosed,
    /// The tmux server has ended, with all of its panes.
    ServerEnded,
    /// The pod has not become ready.
    PodFailed,
    /// A reason that this version does not know.
    #[serde(other)]
    Unknown,
}

impl From<ExitReason> for ExitStatus {
    fn from(reason: ExitReason) -> Self {
        Self { reason: Some(reason), ..Self::default() }
    }
}

/// The point of a log at which a fork begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ForkedFrom {
    /// The session that was forked.
    pub session_id: SessionId,
    /// The epoch of its log.
    pub epoch: Epoch,
    /// The last entry that both logs have.
    pub seq: Seq,
}

/// The driver of a session that names none: a program in a terminal of its own.
pub const DEFAULT_DRIVER: &str = "pty";
/// The driver of a session that runs a coding agent.
pub const AGENT_DRIVER: &str = "agent";
/// The driver of a session that shows a pane of tmux.
pub const TMUX_DRIVER: &str = "tmux";
/// The driver of a session that runs in a pod of a Kubernetes cluster.
pub const KUBERNETES_DRIVER: &str = "kubernetes";

/// The size of a terminal in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// The number of columns.
    pub cols: u16,
    /// The number of rows.
    pub rows: u16,
}

impl Default for Size {
    fn default() -> Self {
        Self { cols: 80, rows: 24 }
    }
}

impl Size {
    /// Returns the closest size within the limits.
    #[must_use]
    pub fn clamped(self) -> Self {
        use crate::limits::{COLUMNS, ROWS};
        Self {
            cols: self.cols.clamp(*COLUMNS.start(), *COLUMNS.end()),
            rows: self.rows.clamp(*ROWS.start(), *ROWS.end()),
        }
    }
}
