//! The `agent` driver: a coding agent that speaks the Agent Client Protocol, as a process of this
//! machine or in a pod.
//!
//! [`AgentMachine`] decides everything, without I/O: prompts and turns, approvals, settings, the
//! agent's start, its end and its next start. Around it are the agent's process, the files and
//! commands that it asks for, and the two halves of a session. The protocol's words are in one
//! module, which translates both of its versions into the events of `moorline_shared`.
//!
//! A session ends only when it is closed. An agent that ends before is started again with the next
//! prompt, and goes on with its conversation if it can.

mod acp;
mod ask_records;
pub mod catalogue;
mod clock;
mod files;
mod history;
mod kept_output;
mod launch;
pub mod machine;
mod pod;
mod process;
mod rpc;
mod session;
mod shared;
#[cfg(test)]
pub(crate) mod simulated;
mod task;
mod terminals;
mod transcript;
mod transport;
mod turn_watch;
mod wire;

pub use acp::{ServiceAnswer, ServiceRequest};
pub use machine::{AgentInput, AgentMachine, AgentOutput, AgentSettings};
pub use rpc::{LINE_BYTES, RpcError};
pub use session::{AgentDriver, NAME};
pub use transport::AgentKeeper;
