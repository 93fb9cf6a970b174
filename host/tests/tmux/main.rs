//! Tests the `tmux` driver with a real tmux.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod layout;
mod life;
mod output;
mod processes;
mod server;
