//! Runs sessions.
//!
//! A [`driver`] runs one kind of session. [`driver::pty`] runs a program on a pseudo-terminal: it hands
//! out what the program writes in pieces that become log entries without another copy, takes input
//! and window sizes, and tells how the program ended.
//!
//! [`screen`] knows what a session's terminal shows. It is told of every entry, which costs next
//! to nothing, and works out the picture when somebody wants one: a client that connects gets a
//! snapshot instead of the session's whole history.
//!
//! [`marks`] finds what a shell says of itself within its output: whether it is at its prompt, in
//! which folder, what runs, and how the last command ended.
//!
//! [`queries`] finds what a program asks of its terminal, so that it is answered once.
//!
//! [`context`] finds the files that a session works with.
//!
//! [`publisher`] is the host's end of the link to a relay: it numbers the output, keeps what is
//! not durable yet, and takes each piece of input once.
//!
//! [`host`] puts these together: it runs sessions, and keeps them published to a relay that it
//! reaches by [`dial`]. [`daemon`] is a host as a process of its own, which [`signals`] end.

mod clock;
pub mod context;
pub mod daemon;
pub mod dial;
pub mod driver;
pub mod folder;
pub mod host;
pub mod limits;
pub mod lock;
pub mod marks;
pub mod publisher;
pub mod queries;
pub mod screen;
mod session;
pub mod signals;
