//! Whole connections of the Agent Client Protocol: clients, a session and its host.

mod bench;
mod opening;
mod random;
mod requests;
mod working;
