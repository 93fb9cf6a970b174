//! Keepers: the processes that hold the streams of agents and shells, so that they outlive the host.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// Kills the keepers of a host with its state in this folder. A host that was killed leaves them to
/// the next one, and here there is none.
pub(super) fn kill(state: &Path) {
    let state = state.to_string_lossy();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words);
        let is_keeper = words.split('\0').nth(1) == Some("keep");
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = number.and_then(Pid::from_raw)
            && is_keeper
            && words.contains(&*state)
        {
            // It may have ended already.
            _ = kill_process(pid, Signal::KILL);
        }
    }
}
