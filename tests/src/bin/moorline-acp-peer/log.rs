//! The log of what went over the wire, for assertions about what reached the agent.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

/// The mark of a line that the peer received.
pub(crate) const RECEIVED: &str = "in";
/// The mark of a line that the peer sent.
pub(crate) const SENT: &str = "out";

/// A file to which every line is appended after a mark and a space. Processes of the same log,
/// one after the other, append to the same file.
pub(crate) struct TrafficLog {
    file: Mutex<File>,
}

impl TrafficLog {
    /// Opens the log, and notes in it that a process has started.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        let log = Self { file: Mutex::new(file) };
        log.write("pid", &std::process::id().to_string());
        Ok(log)
    }

    /// Appends a line with one call, so that a kill leaves no half of it. A failure goes to standard
    /// error.
    pub(crate) fn write(&self, mark: &str, line: &str) {
        let line = format!("{mark} {line}\n");
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            eprintln!("moorline-acp-peer: cannot write the log: {error}");
        }
    }
}
