//! Coding agents.

pub mod catalogue;
