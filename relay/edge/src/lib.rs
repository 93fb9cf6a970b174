//! Moorline's relay as a Cloudflare Worker.
//!
//! `door` answers every request first: who asks, and where it goes, by the core's table of routes. `directory` is one
//! object that knows all sessions, hosts, projects and tokens; `session` is an object for each
//! session, with its log. What they say to each other is in `internal`.

pub mod address;
pub mod files;
pub mod internal;

#[cfg(target_arch = "wasm32")]
mod asking;
#[cfg(target_arch = "wasm32")]
mod directory;
#[cfg(target_arch = "wasm32")]
mod door;
#[cfg(target_arch = "wasm32")]
mod leaving;
#[cfg(target_arch = "wasm32")]
mod reply;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(target_arch = "wasm32")]
mod sql;
