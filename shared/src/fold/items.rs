//! The items of a conversation.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::content::{ContentBlock, MessageRole, ToolContent, ToolLocation, ToolStatus};
use crate::event::{AgentMessage, AgentTool};
use crate::id::{ApprovalId, Seq, TurnId};
use crate::limits::CONVERSATION_MESSAGE_BYTES;

/// One item of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "item", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum ConversationItem {
    /// A turn begins here: see the summary for its state.
    Turn {
        /// The turn.
        turn_id: TurnId,
        /// The entry with which the images of its prompt begin. The log has them; the conversation
        /// does not, because a few would fill it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        images: Option<Seq>,
    },
    /// A message.
    Message(MessageItem),
    /// A tool call.
    Tool(Box<ToolItem>),
    /// An approval was asked for here: see the summary for its state.
    Approval {
        /// The approval.
        approval_id: ApprovalId,
    },
    /// An update that this version does not know.
    Update {
        /// The update, as the agent sent it.
        update: Value,
    },
}

/// A message, as far as it was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageItem {
    /// Its id.
    pub message_id: String,
    /// The turn that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<TurnId>,
    /// Who speaks.
    pub role: MessageRole,
    /// Its content.
    pub content: Vec<ContentBlock>,
    /// The tool call of the sub-agent that speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub at: u64,
    /// The entry in which it begins. `None` in a snapshot of an earlier version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seq: Option<Seq>,
    /// The last entry that has changed it; likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// True if content is missing, because it was too large.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A tool call, as far as it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ToolItem {
    /// Its id.
    pub tool_call_id: String,
    /// The turn that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<TurnId>,
    /// What it does, in one line.
    pub title: String,
    /// The kind of tool.
    pub kind: String,
    /// Its progress.
    pub status: ToolStatus,
    /// The places in files that it works on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<ToolLocation>,
    /// What it has produced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<ToolContent>,
    /// Its input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Its output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The tool call of the sub-agent that makes this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub at: u64,
    /// When it last changed, in milliseconds since 1970.
    pub changed_at: u64,
    /// True if parts are missing, because they were too large.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// Bytes of an item besides its content.
const ITEM_BYTES: usize = 128;

impl ConversationItem {
    /// Returns about the bytes of its JSON.
    pub(super) fn bytes(&self) -> usize {
        use crate::agent::content::KnownContent::Text;
        let block = |block: &ContentBlock| match block {
            ContentBlock::Known(Text { text }) => text.len(),
            other => json_bytes(other),
        };
        ITEM_BYTES
            + match self {
                Self::Turn { .. } | Self::Approval { .. } => 0,
                Self::Message(message) => message.content.iter().map(block).sum(),
                Self::Tool(tool) => json_bytes(tool),
                Self::Update { update } => json_bytes(update),
            }
    }
}

fn json_bytes(value: &impl Serialize) -> usize {
    // Texts, numbers and JSON values always encode.
    serde_json::to_vec(value).map_or(0, |json| json.len())
}

impl MessageItem {
    /// Takes over the fields of the event of the entry `seq` that it has.
    pub(super) fn update(&mut self, event: AgentMessage, seq: Seq) {
        // Of a message that was begun before entries were counted, the beginning is unknown.
        self.seq = Some(seq);
        let AgentMessage { message_id: _, turn_id, role, delta, content, parent, truncated } =
            event;
        self.turn_id = turn_id.or(self.turn_id.take());
        self.parent = parent.or(self.parent.take());
        if role != MessageRole::Other {
            self.role = role;
        }
        self.truncated |= truncated;
        if let Some(content) = content {
            self.content = content;
        }
        if let Some(delta) = delta {
            self.append(&delta);
        }
    }

    fn append(&mut self, delta: &str) {
        use crate::agent::content::KnownContent::Text;
        match self.content.last_mut() {
            Some(ContentBlock::Known(Text { text })) => {
                let room = CONVERSATION_MESSAGE_BYTES.saturating_sub(text.len());
                self.truncated |= room < delta.len();
                text.push_str(&delta[..delta.floor_char_boundary(room)]);
            }
            _ => self.content.push(ContentBlock::text(delta)),
        }
    }
}

impl ToolItem {
    /// Takes over the fields of an event that it has.
    pub(super) fn update(&mut self, event: AgentTool, timestamp: u64) {
        let AgentTool { tool_call_id: _, turn_id, title, kind, status, .. } = event;
        let AgentTool { locations, content, input, output, parent, truncated, .. } = event;
        self.turn_id = turn_id.or(self.turn_id.take());
        self.parent = parent.or(self.parent.take());
        self.title = title.unwrap_or_else(|| std::mem::take(&mut self.title));
        self.kind = kind.unwrap_or_else(|| std::mem::take(&mut self.kind));
        self.status = status.unwrap_or(self.status);
        self.locations = locations.unwrap_or_else(|| std::mem::take(&mut self.locations));
        self.content = content.unwrap_or_else(|| std::mem::take(&mut self.content));
        self.input = input.or(self.input.take());
        self.output = output.or(self.output.take());
        self.truncated |= truncated;
        self.changed_at = timestamp;
    }
}
