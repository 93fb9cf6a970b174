//! A tmux server of a test.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// A tmux server of its own, which ends when this is dropped.
#[derive(Debug)]
pub struct TmuxServer {
    folder: TempDir,
}

impl TmuxServer {
    /// Starts a server with a session `work` of 80 × 24, which runs a shell with the prompt `$ `.
    ///
    /// # Errors
    /// If tmux does not start.
    pub fn start() -> Result<Self> {
        let server = Self { folder: TempDir::with_prefix("moorline-tmux-")? };
        let shell = "env PS1='$ ' sh";
        let size = ["-x", "80", "-y", "24"];
        let new = ["-f", "/dev/null", "new-session", "-d", "-s", "work"];
        server.run(&[&new[..], &size[..], &[shell]].concat())?;
        server.run(&["set-option", "-g", "default-command", shell])?;
        Ok(server)
    }

    /// The path of its socket.
    #[must_use]
    pub fn socket(&self) -> String {
        self.folder.path().join("socket").to_string_lossy().into_owned()
    }

    /// Runs a command of tmux, and returns what it prints.
    ///
    /// # Errors
    /// If it fails.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command().args(arguments).output().context("tmux cannot be run")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.folder.path().join("socket")).env_remove("TMUX");
        command
    }
}

impl Drop for TmuxServer {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.command().arg("kill-server").output();
    }
}
