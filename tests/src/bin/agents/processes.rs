//! The processes of sessions, found by their variables.

use std::path::Path;

use anyhow::{Context as _, Result};
use moorline_shared::id::SessionId;
use rustix::process::{Pid, Signal, kill_process};

/// The processes of a session's agent.
#[derive(Debug)]
pub(crate) struct SessionProcesses(Vec<Found>);

#[derive(Debug)]
struct Found {
    pid: Pid,
    parent: Option<Pid>,
}

impl SessionProcesses {
    /// Finds those that run now. A process that holds the agent's streams for the host is not one.
    pub(crate) fn of(session: &SessionId) -> Self {
        let variable = format!("MOORLINE_SESSION={session}");
        let is_of_session = |folder: &Path| {
            let variables = std::fs::read(folder.join("environ")).unwrap_or_default();
            variables.split(|byte| *byte == 0).any(|word| word == variable.as_bytes())
        };
        Self(all(|folder| is_of_session(folder) && !is_keeper(folder)))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Kills the agent's own process: the one that none of the others has started.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn kill_agent(&self) -> Result<()> {
        let is_started =
            |found: &&Found| self.0.iter().any(|other| found.parent == Some(other.pid));
        let agent = self.0.iter().find(|found| !is_started(found)).context("no agent runs")?;
        Ok(kill_process(agent.pid, Signal::KILL)?)
    }

    /// Kills all of them.
    pub(crate) fn kill_all(&self) {
        for found in &self.0 {
            // It may have ended already.
            _ = kill_process(found.pid, Signal::KILL);
        }
    }
}

fn is_keeper(folder: &Path) -> bool {
    let words = std::fs::read(folder.join("cmdline")).unwrap_or_default();
    words.split(|byte| *byte == 0).nth(1) == Some(b"keep")
}

/// Returns all processes whose folders in `/proc` pass a test, and that have not ended.
fn all(passes: impl Fn(&Path) -> bool) -> Vec<Found> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The second field, the name in brackets, may contain any character.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        if fields.next() == Some("Z") || !passes(&entry.path()) {
            return None;
        }
        let parent = Pid::from_raw(fields.next()?.parse().ok()?);
        Some(Found { pid: Pid::from_raw(pid)?, parent })
    });
    found.collect()
}
