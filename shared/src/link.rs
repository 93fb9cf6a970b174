//! The link: one resumable hop, as sans-IO machines.
//!
//! The receiver opens with its cursor, the sender answers once, sends each entry after it, and the
//! receiver acknowledges what it has applied. [`Connection`] dials, watches and backs off;
//! [`Sender`] reads a log at a peer's cursor within its credit; [`Receiver`] applies each entry
//! once. [`Client`] is all three in the client's role.

mod backoff;
mod client;
mod connection;
mod credit;
mod input;
mod receiver;
mod sender;
mod status;

pub use backoff::Backoff;
pub use client::{Client, Input, Output};
pub use connection::{Connection, ConnectionOutput, Generation, Phase};
pub use credit::Credit;
pub use input::{InputFull, InputQueue, SavedInput, SavedPiece};
pub use receiver::{Receiver, Verdict};
pub use sender::{Next, Sender};
pub use status::{Refusal, Status};
