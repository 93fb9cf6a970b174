//! Moorline's relay as a Cloudflare Worker.
//!
//! `gateway` answers every request first: it identifies the caller and picks the route from the core's
//! table. `directory` is one object that lists all sessions, hosts, projects and tokens; `session`
//! is one object per session, with its log. `internal` has the requests between them.

pub mod address;
pub mod files;
pub mod internal;

#[cfg(target_arch = "wasm32")]
mod abort_guard;
#[cfg(target_arch = "wasm32")]
mod caller;
#[cfg(target_arch = "wasm32")]
mod directory;
#[cfg(target_arch = "wasm32")]
mod gateway;
#[cfg(target_arch = "wasm32")]
mod object_client;
#[cfg(target_arch = "wasm32")]
mod reply;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(target_arch = "wasm32")]
mod settings;
#[cfg(target_arch = "wasm32")]
mod sql;
#[cfg(target_arch = "wasm32")]
mod workspace;
