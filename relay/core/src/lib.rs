//! Every decision that a Moorline relay makes, on any platform: no sockets, no clock, no database.
//!
//! `moorline-relay` runs it on one machine, `moorline-edge` on Cloudflare.

pub mod acp;
pub mod action;
mod answer;
pub mod api;
pub mod audit;
pub mod auth;
mod client_table;
pub mod decision;
pub mod directory;
mod encoded;
pub mod event_socket;
pub mod events;
pub mod fork;
pub mod hosts;
mod input;
mod last_status;
pub mod legacy;
pub mod named;
pub mod naming;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod overview;
pub mod passkey;
pub mod peer;
mod pending;
pub mod plain;
pub mod plan;
pub mod profile;
pub mod push;
pub mod reader;
pub mod reconciliation;
pub mod record;
pub mod refusal;
pub mod replies;
mod requests;
mod rfc3339;
pub mod routes;
pub mod schema;
pub mod segment;
pub mod session;
pub mod stored;
pub mod subprotocol;
#[cfg(test)]
mod tests;
pub mod workspace;

pub use last_status::LastStatus;
pub use rfc3339::rfc3339;
