//! What the scenarios and the bench are made of: a real relay, real sockets, a network that can be
//! cut. The real browser is beside the scenarios, so that the bench is built without it.
//!
//! Nothing here sleeps to let something happen: [`wait`] asks until a condition holds, and gives up
//! after a while with what it saw last.

pub mod api;
pub mod attach;
pub mod crowd;
pub mod digest;
pub mod expected;
pub mod follower;
pub mod front;
pub mod plain;
pub mod programs;
pub mod proxy;
pub mod random;
pub mod relay;
pub mod screen;
pub mod sse;
pub mod wait;
pub mod wire;
