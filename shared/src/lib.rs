//! The types and protocols that every part of Moorline shares.
//!
//! This crate does no I/O, reads no clock and draws no random numbers. The link machines take time
//! and randomness as arguments, so the same code runs in the relay, at the edge, in the browser and
//! under a seeded simulation.

pub mod agent;
mod base64_bytes;
pub mod change;
pub mod control;
pub mod embed;
pub mod event;
pub mod failure;
pub mod file_search;
pub mod fold;
pub mod frame;
pub mod id;
pub mod keyboard;
pub mod limits;
pub mod link;
pub mod log;
pub mod message;
pub mod name;
pub mod operation;
pub mod packet;
pub mod pod;
pub mod publish;
pub mod rest;
pub mod rpc;
pub mod session;
pub mod sse;
mod tagged;
pub mod terminal;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
pub mod tmux;
pub mod workspace;
