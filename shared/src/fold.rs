//! The current state of an agent session, which follows from the events of its log.
//!
//! Two folds, both driven by `apply(seq, event)` for each event in order. An event that was applied
//! already changes nothing, so a fold may be restored from a snapshot and continue anywhere after.
//!
//! * [`AgentSummary`]: the state, the queue and the approvals. It stays small, and relays store it.
//! * [`Conversation`]: everything that was said and done. The host sends it as the session's
//!   snapshot, and pages show it.

mod approvals;
mod conversation;
mod items;
mod summary;
#[cfg(test)]
mod tests;
mod turns;

pub use approvals::{ApprovalEntry, ApprovalList, DecisionRefused};
pub use conversation::Conversation;
pub use items::{ConversationItem, MessageItem, ToolItem};
pub use summary::{AgentSummary, FORKED_APPROVAL, FORKED_TURN, ReportedState};
pub use turns::{TurnEntry, TurnList};
