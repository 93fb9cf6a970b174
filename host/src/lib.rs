//! Runs sessions on a machine, and publishes them to a relay.
//!
//! A [`driver`] runs one kind of session. [`driver::pty`] runs a program on a pseudo-terminal: it
//! yields the program's output in pieces that become log entries without another copy, takes input
//! and window sizes, and reports the exit status.
//!
//! [`screen`] knows what a session's terminal shows. Feeding it an entry costs next to nothing; it
//! only computes the screen when a snapshot is requested. A client that connects gets that snapshot
//! instead of the session's whole history.
//!
//! [`marks`] finds the marks with which a shell describes itself in its output: whether it is at
//! its prompt, in which folder, what runs, and how the last command ended.
//!
//! [`queries`] finds the queries of a program to its terminal, so that each is answered once.
//!
//! [`context`] finds the files that a session works with.
//!
//! `file_search` finds the files of a session's folder by what a person types.
//!
//! [`operations`] previews and executes the changes of files that an agent's text contains.
//!
//! `changes` knows what an agent's turns have done to the files of its session, so that each change
//! can be kept or reverted.
//!
//! [`approvals`] keeps track of the questions that wait for a person's decision, and of the rules
//! that decide without one. On the socket of [`ask`], programs of sessions ask such questions.
//!
//! [`publisher`] is the host's end of the link to a relay: it numbers the output, keeps everything
//! that is not durable yet, and takes each piece of input once.
//!
//! [`journal`] keeps what a host needs to continue sessions after its own process has died.
//! [`keeper`] holds a program's standard streams in a process of its own, so that the program
//! outlives the host.
//!
//! [`host`] combines these: it runs sessions, and keeps them published to a relay that it reaches
//! by [`dial`]. [`daemon`] runs a host as a process of its own, which [`signals`] end.
//!
//! Without the feature `host`, there is only what a [`supervisor`] needs, in pure Rust: its
//! program must be built without C libraries, for every machine that a pod may run on.

#![cfg_attr(
    not(feature = "host"),
    expect(dead_code, reason = "a supervisor does not use all of the shared parts")
)]

#[cfg(feature = "host")]
pub mod approvals;
#[cfg(feature = "host")]
pub mod ask;
#[cfg(feature = "host")]
mod changes;
mod clock;
#[cfg(feature = "host")]
pub mod context;
pub mod daemon;
#[cfg(feature = "host")]
pub mod dial;
pub mod driver;
#[cfg(feature = "host")]
mod file_search;
pub mod folder;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "host")]
pub mod journal;
pub mod keeper;
pub mod limits;
pub mod lock;
pub mod marks;
#[cfg(feature = "host")]
pub mod operations;
pub mod publisher;
pub mod queries;
pub mod screen;
#[cfg(feature = "host")]
mod session;
pub mod signals;
mod state_file;
pub mod supervisor;
pub mod workspace;
