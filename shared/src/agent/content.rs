//! What an agent says and does: messages, tool calls, plans, options.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The speaker of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageRole {
    /// A user.
    User,
    /// The agent.
    Agent,
    /// The agent, thinking aloud.
    Thought,
    /// A role that this version does not know.
    #[default]
    #[serde(other)]
    Other,
}

/// A piece of content, as the Agent Client Protocol has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ContentBlock {
    /// A piece of a known type.
    Known(KnownContent),
    /// A piece of a type that this version does not know; kept as it is.
    Other(Value),
}

/// A piece of content of a known type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum KnownContent {
    /// Text, usually Markdown.
    Text {
        /// The text.
        text: String,
    },
    /// An image.
    Image {
        /// Its media type.
        mime_type: String,
        /// The image in base64; empty if it is not recorded.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        data: String,
        /// Its address, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uri: Option<String>,
    },
    /// A reference to a file or page.
    ResourceLink {
        /// Its address.
        uri: String,
        /// Its name, for people.
        name: String,
        /// Its media type.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mime_type: Option<String>,
    },
}

impl ContentBlock {
    /// Returns a piece of text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Known(KnownContent::Text { text: text.into() })
    }

    /// Returns the text, if this is some.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Known(KnownContent::Text { text }) => Some(text),
            _ => None,
        }
    }
}

/// The progress of a tool call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolStatus {
    /// It has not begun: its input is incomplete, or it waits for an approval.
    #[default]
    Pending,
    /// It runs.
    InProgress,
    /// It has succeeded.
    Completed,
    /// It has failed, or was not allowed.
    Failed,
    /// It was stopped, or its turn was over before it was.
    Cancelled,
    /// A status that this version does not know.
    #[serde(other)]
    Other,
}

impl ToolStatus {
    /// Returns true if nothing more follows.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A place in a file that a tool works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolLocation {
    /// The file's absolute path.
    pub path: String,
    /// The line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// A piece of what a tool has produced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ToolContent {
    /// A piece of a known type.
    Known(KnownToolContent),
    /// A piece of a type that this version does not know; kept as it is.
    Other(Value),
}

/// A piece of what a tool has produced, of a known type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum KnownToolContent {
    /// Content like that of a message.
    Content {
        /// The content.
        content: ContentBlock,
    },
    /// A change of a file.
    Diff {
        /// The file's absolute path.
        path: String,
        /// Its text before; absent for a new file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        old_text: Option<String>,
        /// Its text after.
        new_text: String,
    },
    /// A terminal, which is a session of its own.
    Terminal {
        /// The id of that session.
        session_id: String,
    },
}

/// One step of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanEntry {
    /// The step, in a sentence.
    pub content: String,
    /// `high`, `medium` or `low`.
    pub priority: String,
    /// `pending`, `in_progress` or `completed`.
    pub status: String,
}

/// A setting that an agent offers, such as its mode or model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct AgentOption {
    /// The id by which it is set.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// A sentence about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its meaning: `mode`, `model`, `thought_level`, or the agent's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The current choice.
    pub value: String,
    /// The possible choices.
    pub choices: Vec<AgentChoice>,
}

/// A choice of a setting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct AgentChoice {
    /// The value to set.
    pub value: String,
    /// Its name, for people.
    pub name: String,
    /// A sentence about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The heading under which to list it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// A command of an agent: a prompt that begins with `/` and its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentCommand {
    /// The name, without the slash.
    pub name: String,
    /// A sentence about it.
    pub description: String,
    /// What to type after the name, as a hint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A way to log in to an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginMethod {
    /// The id by which it is chosen.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// What to do, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The command with which a user logs in on a terminal first; `None` if the agent needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}
