//! Runs sessions.
//!
//! A driver runs one kind of session. [`pty`] runs a program on a pseudo-terminal: it hands out
//! what the program writes in pieces that become log entries without another copy, takes input
//! and window sizes, and tells how the program ended.

pub mod pty;
