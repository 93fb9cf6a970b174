//! The link: one resumable hop, built from sans-IO machines.
//!
//! The receiver opens with its cursor. The sender answers once, then sends each entry after the
//! cursor, and the receiver acknowledges the entries that it has applied. [`Connection`] keeps a
//! socket open; [`Sender`] reads a log at a peer's cursor within its credit; [`Receiver`] applies
//! each entry once. [`Client`] combines all three in the client's role.
//!
//! Both sides of every hop detect a dead connection by [`Liveness`], and every side that dials
//! waits by [`Redial`].
//!
//! # Example
//!
//! A client that dials, resumes, applies one entry and types. The owner of a machine passes in time
//! and events, and carries out the outputs; `examples/follow.rs` does so over a WebSocket.
//!
//! ```
//! use moorline_shared::id::{Epoch, Seq};
//! use moorline_shared::link::{Client, Input, Output, SavedInput, ClientStatus, Verdict};
//! use moorline_shared::message::{ClientMessage, Outcome, Resumed, ServerMessage};
//! use moorline_shared::time::Time;
//!
//! let now = Time::from_ms(0);
//! let mut client = Client::new("client_1".parse()?, 42, &SavedInput::default());
//!
//! // The client says when to open a socket, and is told when it is open.
//! client.handle(now, Input::Dial);
//! let Some(Output::Dial(socket)) = client.poll_output(now) else { panic!("it dials first") };
//! client.handle(now, Input::Opened(socket));
//!
//! // It opens with its cursor, and the relay answers: its log has one entry.
//! let Some(Output::Send(ClientMessage::Resume(resume))) = client.poll_output(now) else {
//!     panic!("it resumes next")
//! };
//! assert_eq!(resume.last_seq, None);
//! let resumed = Resumed {
//!     outcome: Outcome::Continue,
//!     epoch: Epoch(1),
//!     from: Seq::ZERO,
//!     head: Seq(1),
//!     input_seq: Some(Seq::ZERO),
//!     input_given: None,
//! };
//! client.handle(now, Input::Message(socket, ServerMessage::Resumed(resumed)));
//! assert_eq!(client.status(), ClientStatus::CatchingUp { done: 0, total: 1 });
//!
//! // An entry is applied once, however often it arrives.
//! assert_eq!(client.frame(now, socket, Seq(1)), Verdict::Apply);
//! client.applied(now, Seq(1), b"$ ".len());
//! assert_eq!(client.frame(now, socket, Seq(1)), Verdict::Duplicate);
//! assert_eq!(client.status(), ClientStatus::Live);
//!
//! // Input is numbered, and kept until the relay acknowledges it.
//! client.type_input(b"ls\r")?;
//! let Some(Output::SendFrame(piece)) = client.poll_output(now) else { panic!("it sends input") };
//! assert_eq!((piece.seq(), piece.data()), (Seq(1), &b"ls\r"[..]));
//! assert_eq!(client.pending_input().count(), 1);
//! client.handle(now, Input::Message(socket, ServerMessage::InputAck { seq: Seq(1) }));
//! assert_eq!(client.pending_input().count(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod connection;
mod credit;
mod input;
mod liveness;
mod receiver;
mod redial;
mod requests;
mod sender;
mod status;

pub use client::{Client, Input, Output};
pub use connection::{Connection, ConnectionOutput, Generation, Phase};
pub use credit::Credit;
pub use input::{InputFull, InputQueue, SavedInput, SavedPiece};
pub use liveness::Liveness;
pub use receiver::{Receiver, Verdict};
pub use redial::Redial;
pub use requests::StreamRequests;
pub use sender::{Next, Sender};
pub use status::{ClientStatus, Refusal};
