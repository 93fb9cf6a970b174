//! Building blocks of the scenarios and the bench: a real relay, real sockets, a network that can
//! be cut. The real browser is beside the scenarios, so that the bench is built without it.
//!
//! The same scenarios run against each kind of relay: [`relay::Kind::of_run`] says which. Scenarios
//! for a single kind are in modules of their own, at any depth. They ask for their kind by
//! [`relay::Relay::start_as`], so they are right in every run:
//!
//! * `native`: the command line, the log and the files of `moorline serve`; servers in front of it;
//! * `in_process`: `moorline serve --in-process`;
//! * `edge`: the Worker and its objects.
//!
//! A module `look` has the appearance and handling of pages, which depend on the client alone and
//! not on the kind of relay.
//!
//! `cargo xtask test` runs all but `edge` against the native relay, and then all but `native`,
//! `in_process` and `look` with `MOORLINE_TEST_RELAY=edge`. No scenario skips itself.
//!
//! Nothing here sleeps to let something happen: [`wait`] polls until a condition holds. After a
//! while it gives up and says what it saw last.

pub mod acp;
pub mod api;
pub mod attach;
pub mod crowd;
pub mod digest;
pub mod elsewhere;
pub mod expected;
pub mod follower;
pub mod front;
pub mod host_page;
pub mod kubernetes;
pub mod plain;
pub mod programs;
pub mod proxy;
pub mod push_service;
pub mod random;
pub mod relay;
pub mod run_cluster;
pub mod screen;
pub mod secure;
pub mod served;
pub mod sse;
pub mod stand_in;
pub mod tmux;
pub mod vault_page;
pub mod wait;
pub mod wire;
pub mod workspaces;
