//! The words of agent sessions: prompts, turns, approvals and what an agent says and does.
//!
//! These are plain types, almost without behaviour. Three places use them:
//!
//! * [`crate::event`]: an agent session's log holds events whose fields are made of them. The host
//!   appends these events; each is an upsert by an id, so that a reader may begin anywhere.
//! * [`action`]: requests to a session, such as a prompt or a decision. A relay stores an action
//!   before it answers the request, and passes it to the host, which carries it out once.
//! * [`crate::fold`]: the current state, which follows from the events.
//!
//! The shape of messages and tool calls is that of version 2 of the Agent Client Protocol. See
//! <https://agentclientprotocol.com>.

pub mod action;
pub mod approval;
pub mod content;
pub mod fault;
pub mod image;
pub mod prompt;
pub mod rule;
pub mod spec;
pub mod words;
