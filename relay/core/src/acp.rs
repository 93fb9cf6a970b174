//! Agent sessions for clients of the [Agent Client Protocol](https://agentclientprotocol.com): here
//! Moorline is the agent.
//!
//! [`AcpServer`] is the agent's end of one connection, as a sans-IO machine. It follows sessions by
//! the stream protocol, with the link machine that every client uses, and translates both ways. So
//! it runs anywhere between a client and a relay: in `moorline acp`, which dials a relay and whose
//! client outlives the relay's restarts, and on both relays behind `GET /acp`.
//!
//! * `updates`: events of a session, as `session/update`s;
//! * `difference`: the updates that lead from one state of a conversation to another;
//! * `prompts`, `questions` and `settings`: what is open between a client and a session;
//! * `session`: one session that a connection is attached to.

mod call;
mod content;
mod context;
mod difference;
mod failure;
mod link;
mod list;
mod opening;
mod outbox;
mod prompts;
mod questions;
mod server;
mod session;
mod settings;
mod updates;
mod view;

pub use call::ApiAnswer;
pub use link::StreamNews;
pub use outbox::{AcpOutput, ApiCall};
pub use server::{AcpInput, AcpServer, AcpTerms, admit};
