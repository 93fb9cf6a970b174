//! Actions: what users ask of a session, beyond input to its terminal.

use serde::{Deserialize, Serialize};

use super::approval::ApprovalDecision;
use super::prompt::Prompt;
use crate::id::{ApprovalId, TurnId};

/// The number of an action within its session, from 1. A relay numbers them; a host carries out
/// each number once, in order.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ActionNumber(pub u64);

/// A request to a session. It is stored by the relay before the user hears of it, and carried out
/// once, by a host that may have been away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum SessionAction {
    /// Queues a prompt.
    Prompt {
        /// The id of the new turn.
        turn_id: TurnId,
        /// The prompt.
        prompt: Prompt,
        /// Who sends it: the label of a token.
        by: String,
        /// True if the prompt is for the turn that runs now, if the agent can take it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        steer: bool,
    },
    /// Replaces a prompt that is queued.
    EditPrompt {
        /// Its turn.
        turn_id: TurnId,
        /// The new prompt. An image without data stands for the one that the prompt has at the same
        /// place, of the same type.
        prompt: Prompt,
    },
    /// Takes back a prompt that is queued.
    Withdraw {
        /// Its turn.
        turn_id: TurnId,
    },
    /// Changes the order of the queued prompts. Those that are not named keep their order, after
    /// the others.
    Reorder {
        /// Their turns, in the new order.
        order: Vec<TurnId>,
    },
    /// Queues the prompt of a turn that was cut off or stopped once more, in a new turn.
    Retry {
        /// The turn to retry.
        turn_id: TurnId,
        /// The id of the new turn.
        new_turn_id: TurnId,
        /// Who asks for it.
        by: String,
    },
    /// Stops the turn that runs.
    Stop {
        /// The turn to stop; `None` for whichever runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn_id: Option<TurnId>,
        /// True to end the agent's process, if it does not stop by itself.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        force: bool,
    },
    /// Delivers a decision.
    Decide {
        /// The approval that it is about.
        approval_id: ApprovalId,
        /// The decision.
        decision: ApprovalDecision,
    },
    /// Changes a setting of the agent.
    Configure {
        /// The setting's id.
        option: String,
        /// Its new value.
        value: String,
    },
    /// Logs in to the agent.
    LogIn {
        /// The id of the way to log in.
        method: String,
    },
    /// An action that this version does not know. A host skips it.
    #[serde(other)]
    Unknown,
}

impl SessionAction {
    /// Returns true if the action only answers a question, or takes something back. Such actions have
    /// room of their own, so that a user can always say "no".
    #[must_use]
    pub const fn is_control(&self) -> bool {
        matches!(self, Self::Decide { .. } | Self::Stop { .. } | Self::Withdraw { .. })
    }
}
