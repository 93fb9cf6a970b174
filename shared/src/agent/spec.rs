//! The agent that a session is started with.

use serde::{Deserialize, Serialize};

/// The agent of a session, and its first settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct AgentSpec {
    /// The id of an agent that the host knows, such as `claude-code`. Without it, the session's
    /// command is started, and must speak the Agent Client Protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The mode to begin in, by the agent's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The model to begin with, by the agent's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Absolute paths of folders that the agent may work in besides the session's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<String>,
}

/// An agent that a host knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct KnownAgent {
    /// Its id: see [`AgentSpec::agent`].
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// The command that would start it; `None` if it is not installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The version that is installed, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The command that installs it.
    pub install: String,
    /// The way to log in, in a sentence.
    pub login: String,
    /// False if this version was seen to change files or run commands without asking; `None` if
    /// that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asks: Option<bool>,
}
