//! The host of a relay: a process that the relay has started, one of the test's own, or none.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use moorline_shared::control::local_host;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::process::Command;

use super::process::Process;
use super::{Kind, TOKEN};
use crate::wait::wait_until;

/// Content of the file that a host holds locked.
#[derive(Deserialize)]
struct Running {
    pid: i32,
}

/// The host of a relay, whether it runs or not.
#[derive(Debug)]
pub(super) struct Host {
    kind: Kind,
    program: PathBuf,
    /// The host's state folder; for a native relay its data folder.
    state: PathBuf,
    /// The relay's address, as `moorline host` takes it.
    relay: String,
    token: PathBuf,
    process: Process,
}

impl Host {
    /// The host of a relay of this kind and port, with its data in `data`. Starts nothing.
    pub(super) fn new(kind: Kind, program: &Path, data: &Path, port: u16) -> Result<Self> {
        let token = data.join("token");
        std::fs::write(&token, TOKEN)?;
        let (state, relay) = if kind == Kind::Edge {
            (data.join("host"), format!("http://127.0.0.1:{port}"))
        } else {
            let state = data.join("data");
            let relay = format!("unix:{}", state.join("relay.sock").display());
            (state, relay)
        };
        let process = Process::new("host", data.join("host.log"));
        Ok(Self { kind, program: program.to_owned(), state, relay, token, process })
    }

    /// Starts the host as a child of the test.
    pub(super) fn launch(&mut self, variables: &[(String, String)]) -> Result<()> {
        ensure!(self.kind != Kind::InProcess, "its host runs in the relay's process");
        std::fs::create_dir_all(&self.state)?;
        let mut command = Command::new(&self.program);
        command
            .args(["host", "--relay", &self.relay, "--token-file"])
            .arg(&self.token)
            .arg("--state-dir")
            .arg(&self.state)
            .env("SHELL", "/bin/sh")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.state.parent().unwrap_or(&self.state));
        if self.kind == Kind::Native {
            // Uses the id of the host that the relay itself would have started.
            command.args(["--id", local_host().as_str()]);
        }
        self.process.start(&mut command)
    }

    /// Kills the host, even if the relay has started it, and waits until it is gone.
    pub(super) async fn kill(&mut self) -> Result<()> {
        if self.process.is_launched() {
            return self.process.end(Signal::KILL).await.map(|_| ());
        }
        let pid = self.pid()?;
        kill_process(pid, Signal::KILL)?;
        gone(pid).await
    }

    /// Ends the host and its sessions, as a user does.
    pub(super) async fn stop(&mut self) -> Result<()> {
        let pid = self.pid()?;
        let mut command = Command::new(&self.program);
        command.args(["host", "stop", "--state-dir"]).arg(&self.state);
        let output = command.output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`moorline host stop` says {said}");
        if self.process.is_launched() {
            return self.process.ended().await.map(|_| ());
        }
        gone(pid).await
    }

    /// Kills the host if it runs, without waiting for its end.
    pub(super) fn end(&mut self) {
        if self.kind == Kind::InProcess {
            return;
        }
        if !self.process.is_launched()
            && let Ok(pid) = self.pid()
        {
            // It may have ended already.
            let _ = kill_process(pid, Signal::KILL);
        }
        self.process.kill();
    }

    /// Returns true if the test has started the host and not ended it.
    pub(super) const fn is_launched(&self) -> bool {
        self.process.is_launched()
    }

    /// The log of a host that the test has started, followed by that of the relay's own host.
    pub(super) fn log(&self) -> String {
        let own = std::fs::read_to_string(self.state.join("host.log")).unwrap_or_default();
        self.process.log() + &own
    }

    /// The host's process id; for a native relay, from the file that the host holds locked.
    pub(super) fn pid(&self) -> Result<Pid> {
        match self.kind {
            Kind::InProcess => bail!("its host runs in the relay's process"),
            Kind::Edge => self.process.pid(),
            Kind::Native => {
                let lock = std::fs::read_to_string(self.state.join("host.lock"));
                let lock = lock.context("no host runs")?;
                let running: Running = serde_json::from_str(&lock).context("no host runs")?;
                Pid::from_raw(running.pid).context("a process has a number above 0")
            }
        }
    }
}

/// Waits until a process that is not a child of the test has ended.
async fn gone(pid: Pid) -> Result<()> {
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    wait_until("the host to end", async || {
        // A process that has ended and was not waited for is a zombie.
        let stat = std::fs::read_to_string(&path).unwrap_or_default();
        stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
    })
    .await
}
