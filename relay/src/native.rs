//! The relay of one machine.

pub mod store;
