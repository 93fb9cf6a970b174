//! Gives a session's program the default action for every signal, and blocks none.
//!
//! A program keeps ignoring the signals that its parent ignored, and most programs never change
//! that: a shell script starts background commands with `SIGINT` and `SIGQUIT` ignored, and `nohup`
//! ignores `SIGHUP`. Signals that a process *handles*, however, return to their default in a
//! program that it executes. So if this process was started with a signal ignored, it handles that
//! signal here by doing nothing, which is equivalent for this process. The standard library resets
//! blocked signals and `SIGPIPE`.

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::process::{has, ignored_here};

/// Ensures that programs which are started from now on do not ignore signals because this process
/// does. Must be called within a tokio runtime. Does nothing if the system does not report which
/// signals are ignored.
pub(super) fn stop_inheritance() {
    let ignored = ignored_here();
    // Rust ignores SIGPIPE in this process, and restores the default in each child.
    let is_due = |number: &i32| *number != Signal::SIGPIPE as i32 && has(ignored, *number);
    for number in (1..=64).filter(is_due) {
        // The signal stays handled even after this listener is dropped.
        if let Err(error) = signal(SignalKind::from_raw(number)) {
            tracing::debug!(number, %error, "an ignored signal stays ignored in sessions");
        }
    }
}
