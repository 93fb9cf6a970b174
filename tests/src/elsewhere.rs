//! A host on another machine: `moorline host`, as a user there starts it.

use anyhow::{Context as _, Result};
use moorline_shared::id::HostId;
use moorline_shared::rest::HostList;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::relay::{Relay, TOKEN};
use crate::wait::wait_until;

/// See the module. It ends when this is dropped, and its sessions with it.
#[derive(Debug)]
pub struct Elsewhere {
    id: HostId,
    /// The relay's address, or that of a proxy before it.
    url: String,
    folder: TempDir,
    child: Child,
}

impl Elsewhere {
    /// Starts one that reaches the relay at `url`, and waits until the relay has it.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn start(relay: &Relay, url: String, id: &str) -> Result<Self> {
        let (folder, id) = (TempDir::with_prefix("moorline-host-")?, id.parse()?);
        let child = launch(relay, &url, &id, &folder)?;
        let elsewhere = Self { id, url, folder, child };
        elsewhere.until_connected(relay, true).await?;
        Ok(elsewhere)
    }

    /// Starts it again after [`Elsewhere::kill`], and waits for nothing.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn launch(&mut self, relay: &Relay) -> Result<()> {
        self.child = launch(relay, &self.url, &self.id, &self.folder)?;
        Ok(())
    }

    /// Kills it, with all that it has not sent.
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits until the relay says that it is here, or away.
    ///
    /// # Errors
    /// Where it does not.
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

fn launch(relay: &Relay, url: &str, id: &HostId, folder: &TempDir) -> Result<Child> {
    let token = folder.path().join("token");
    std::fs::write(&token, TOKEN)?;
    let mut command = Command::new(relay.program());
    command
        .args(["host", "--relay", url, "--id", id.as_str(), "--token-file"])
        .arg(token)
        .arg("--state-dir")
        .arg(folder.path())
        .kill_on_drop(true);
    command.spawn().context("moorline host cannot be started")
}
