//! What a relay does with a session, whatever it runs on: no sockets, no clock, no database.

mod answer;
mod claims;
mod input;
pub mod peer;
pub mod schema;
pub mod segment;
pub mod session;
#[cfg(test)]
mod tests;
