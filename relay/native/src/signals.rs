//! Signals that shut a relay or a host down.

use std::io;

use moorline_host::signals::unblock_endings;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for the signals that end a program.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// `None` if the program was started with `SIGHUP` ignored, as by `nohup`.
    hang_up: Option<Signal>,
    /// True if the program has no terminal: it then survives `SIGHUP`.
    detached: bool,
}

impl Signals {
    /// Installs the handlers. A `detached` program keeps running when its terminal hangs up. Call
    /// this on the main thread: it unblocks signals there that were blocked when the program was
    /// started.
    ///
    /// # Errors
    /// The system does not accept signal handlers.
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

    /// Waits for the next signal that ends the program, and returns its name.
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

/// Returns true if this process ignores the signal. Installing a handler would undo that for good.
fn is_ignored(number: u32) -> bool {
    // Only Linux provides this file; elsewhere no signal counts as ignored.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status) & (1 << (number - 1)) != 0
}

/// Parses the mask of ignored signals from `/proc/self/status`; the lowest bit is signal 1.
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
