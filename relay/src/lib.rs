//! Moorline's relay: keeps each session's log and serves it.
//!
//! `core` is what a relay does with a session, whatever it runs on; `native` is the relay of one
//! machine, on tokio, axum and SQLite.

pub mod core;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
