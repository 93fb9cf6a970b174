//! Moorline's relay as a Cloudflare Worker.
//!
//! `door` answers every request first: who asks, and where it goes. `directory` is one object that
//! knows all sessions, hosts, projects and tokens; `session` is an object for each session, with its
//! log. What they say to each other is in `internal`.

pub mod internal;

#[cfg(target_arch = "wasm32")]
mod directory;
#[cfg(target_arch = "wasm32")]
mod door;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(target_arch = "wasm32")]
mod sql;
