//! Drivers: how a host runs one kind of session.

pub mod pty;
