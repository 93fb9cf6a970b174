//! The scripted ACP agent `moorline-acp-peer`, driven over pipes as a client does. It needs no relay.

mod faults;
mod pipes;
mod questions;
mod sessions;
mod turns;
mod version_2;
