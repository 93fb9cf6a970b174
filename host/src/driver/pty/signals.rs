//! Signals as a session's program gets them: each at its default, none blocked.
//!
//! A program keeps ignoring what its parent ignored, and most never change that: a shell script
//! starts what it puts into the background with `SIGINT` and `SIGQUIT` ignored, `nohup` ignores
//! `SIGHUP`. What a process *handles* is at its default in a program that it executes, though. So a
//! signal that this process was started to ignore is handled here, by doing nothing: to this
//! process that is the same. Blocked signals and `SIGPIPE` are set back by the standard library.

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::process::{has, ignored_here};

/// Sees to it that no program which is started from now on ignores a signal because this process
/// does. Must be called within a tokio runtime. Does nothing where the system does not tell what
/// is ignored.
pub(super) fn stop_inheritance() {
    let ignored = ignored_here();
    // Rust ignores SIGPIPE in this process, and gives each child the default.
    let is_due = |number: &i32| *number != Signal::SIGPIPE as i32 && has(ignored, *number);
    for number in (1..=64).filter(is_due) {
        // Once handled it stays so, after this listener is dropped too.
        if let Err(error) = signal(SignalKind::from_raw(number)) {
            tracing::debug!(number, %error, "an ignored signal stays ignored in sessions");
        }
    }
}
