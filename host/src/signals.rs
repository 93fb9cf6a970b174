//! The names of signals, and the signals that end a program in good order, which the parent process
//! may have blocked.

use nix::sys::signal::{SigSet, Signal};

/// The signals that a relay and a host handle.
const ENDINGS: [Signal; 3] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];

/// Unblocks the signals that end a program for this thread. A program that was started with them
/// blocked keeps them blocked, even with a handler, so that only SIGKILL would end it. It is enough
/// that one thread receives them: call it on one that stays, such as the main thread.
pub fn unblock_endings() {
    let endings: SigSet = ENDINGS.into_iter().collect();
    // This only fails for a malformed set.
    if let Err(error) = endings.thread_unblock() {
        tracing::warn!(%error, "signals that are blocked stay blocked");
    }
}

/// Returns the name of a signal, such as `SIGKILL`; one without a name is named by its number.
pub(crate) fn signal_name(number: i32) -> String {
    Signal::try_from(number)
        .map_or_else(|_| format!("SIG{number}"), |signal| signal.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_started_with_signals_blocked_gets_those_that_end_it() {
        let mut blocked: SigSet = ENDINGS.into_iter().collect();
        blocked.add(Signal::SIGUSR1);
        blocked.thread_block().unwrap();
        unblock_endings();
        let now = SigSet::thread_get_mask().unwrap();
        assert!(ENDINGS.into_iter().all(|signal| !now.contains(signal)));
        assert!(now.contains(Signal::SIGUSR1), "which ends nothing");
        blocked.thread_unblock().unwrap();
    }
}
