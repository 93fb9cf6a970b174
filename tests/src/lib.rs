//! What the scenarios and the bench are made of: a real relay, real sockets, a network that can be
//! cut. The real browser is beside the scenarios, so that the bench is built without it.
//!
//! The same scenarios run against each kind of relay: [`relay::Kind::of_run`] says which. What only one
//! kind has stands in a module of its own, at any depth, and asks for its kind itself by
//! [`relay::Relay::start_as`], so that it is right in every run:
//!
//! * `native`: the command line, the log and the files of `moorline serve`; servers in front of it;
//! * `in_process`: `moorline serve --in-process`;
//! * `edge`: the Worker and its objects.
//!
//! A module `look` has what pages look like and how they are handled: that is the client's alone, whatever
//! relay serves it.
//!
//! `cargo xtask test` runs all but `edge` against the native relay, and then all but `native`, `in_process`
//! and `look` with `MOORLINE_TEST_RELAY=edge`. No scenario skips itself.
//!
//! Nothing here sleeps to let something happen: [`wait`] asks until a condition holds, and gives up
//! after a while with what it saw last.

pub mod api;
pub mod attach;
pub mod crowd;
pub mod digest;
pub mod elsewhere;
pub mod expected;
pub mod follower;
pub mod front;
pub mod plain;
pub mod programs;
pub mod proxy;
pub mod random;
pub mod relay;
pub mod screen;
pub mod served;
pub mod sse;
pub mod stand_in;
pub mod wait;
pub mod wire;
