//! A host on another machine: `moorline host`, as a user starts it there.

use anyhow::{Context as _, Result};
use moorline_shared::id::HostId;
use moorline_shared::rest::HostList;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::relay::{Relay, TOKEN};
use crate::wait::wait_until;

/// A running `moorline host`. Dropping it ends the host and its sessions.
#[derive(Debug)]
pub struct Elsewhere {
    id: HostId,
    /// Address of the relay, or of a proxy before it.
    url: String,
    token: String,
    folder: TempDir,
    child: Child,
}

impl Elsewhere {
    /// Starts a host that reaches the relay at `url`, and waits until it is connected.
    ///
    /// # Errors
    /// If the host does not connect.
    pub async fn start(relay: &Relay, url: String, id: &str) -> Result<Self> {
        Self::start_with(relay, url, id, TOKEN.to_owned()).await
    }

    /// Like [`Elsewhere::start`], with a token of its own.
    ///
    /// # Errors
    /// If the host does not connect.
    pub async fn start_with(relay: &Relay, url: String, id: &str, token: String) -> Result<Self> {
        let (folder, id) = (TempDir::with_prefix("moorline-host-")?, id.parse()?);
        let child = launch(relay, &url, &id, &token, &folder)?;
        let elsewhere = Self { id, url, token, folder, child };
        elsewhere.until_connected(relay, true).await?;
        Ok(elsewhere)
    }

    /// Starts the host again after [`Elsewhere::kill`], without waiting for it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn launch(&mut self, relay: &Relay) -> Result<()> {
        self.child = launch(relay, &self.url, &self.id, &self.token, &self.folder)?;
        Ok(())
    }

    /// Kills the host, so that everything it has not sent is lost.
    ///
    /// # Errors
    /// If the host does not run.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits until the relay lists the host as connected, or as away.
    ///
    /// # Errors
    /// If it does not in time.
    pub async fn until_connected(&self, relay: &Relay, connected: bool) -> Result<()> {
        let api = relay.api();
        wait_until(
            &format!("the host to be {}", if connected { "here" } else { "away" }),
            async || {
                let list = api.get::<HostList>("/api/hosts").await.unwrap_or_default();
                list.hosts.iter().any(|it| it.host_id == self.id && it.connected == connected)
            },
        )
        .await
    }
}

fn launch(relay: &Relay, url: &str, id: &HostId, token: &str, folder: &TempDir) -> Result<Child> {
    let file = folder.path().join("token");
    std::fs::write(&file, token)?;
    let mut command = Command::new(relay.program());
    command
        .args(["host", "--relay", url, "--id", id.as_str(), "--token-file"])
        .arg(file)
        .arg("--state-dir")
        .arg(folder.path())
        .kill_on_drop(true);
    command.spawn().context("moorline host cannot be started")
}
