//! The signals that end a relay or a host in good order.

use std::io;

use moorline_host::signals::unblock_endings;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for the signals that end a program.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Absent if the program was started so that it ignores it, as `nohup` does.
    hang_up: Option<Signal>,
    /// Whether it runs without a terminal: then nothing hangs up.
    detached: bool,
}

impl Signals {
    /// Begins to wait. One that is `detached` goes on when its terminal hangs up. Call it on the
    /// main thread: signals that were blocked when the program was started are unblocked there.
    ///
    /// # Errors
    /// The system takes no signal handlers.
    pub fn new(detached: bool) -> io::Result<Self> {
        let hang_up = (!is_ignored(1)).then(|| signal(SignalKind::hangup())).transpose()?;
        unblock_endings();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up,
            detached,
        })
    }

    /// The name of the next signal that asks for the end.
    pub async fn next(&mut self) -> &'static str {
        loop {
            let hung_up = async {
                match &mut self.hang_up {
                    Some(hang_up) => hang_up.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = hung_up => if !self.detached { return "SIGHUP" },
            }
        }
    }
}

/// Whether this process ignores a signal. A handler would change that for good.
fn is_ignored(number: u32) -> bool {
    // Elsewhere than on Linux it is not known.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status) & (1 << (number - 1)) != 0
}

/// The signals that a process ignores, as its status lists them, from the lowest bit on.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        assert_eq!(ignored("SigBlk:\t00\nSigIgn:\t0000000000001001\nSigCgt:\t01\n"), 0x1001);
        assert_eq!(ignored("no such line"), 0);
    }
}
