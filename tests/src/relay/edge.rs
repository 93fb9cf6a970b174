//! The Worker in workerd, with a socket that makes its objects lose their memory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::local_address;
use crate::programs;
use crate::wait::within;

/// What workerd runs, and where.
#[derive(Debug)]
pub(super) struct Edge {
    program: PathBuf,
    /// The Worker, its files and its configurations, as `cargo xtask edge --dist` makes them.
    built: PathBuf,
    storage: PathBuf,
    /// Whatever comes here takes the memory of all objects away.
    evicting: SocketAddr,
}

impl Edge {
    /// Finds everything, and makes the folder of the objects' storage.
    pub(super) fn prepare(data: &Path) -> Result<Self> {
        let storage = data.join("data/storage");
        std::fs::create_dir_all(&storage)?;
        let (program, built) = (programs::workerd()?, programs::edge()?);
        Ok(Self { program, built, storage, evicting: local_address()? })
    }

    /// Serves the Worker at an address.
    pub(super) fn command(&self, address: SocketAddr) -> Result<Command> {
        let config = self.built.join("tests.capnp");
        let content =
            std::fs::read_to_string(&config).context("there is no configuration of the Worker")?;
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--experimental"])
            .arg(format!("--socket-addr=http={address}"))
            .arg(format!("--socket-addr=evict={}", self.evicting))
            .arg(format!("--directory-path=assets={}", self.built.join("assets").display()))
            .arg(format!("--directory-path=storage={}", self.storage.display()))
            .arg(&config)
            // One that is named and not set would be null, and no Worker expects that.
            .envs(variables(&content).map(|name| (name, "")));
        Ok(command)
    }

    /// Takes the memory of all objects away.
    pub(super) async fn evict(&self) -> Result<()> {
        let answer = reqwest::get(format!("http://{}", self.evicting));
        let status = within("the eviction of all objects", answer).await??.status();
        ensure!(status.is_success(), "{status} instead of an eviction");
        Ok(())
    }
}

/// What a configuration of workerd takes from the environment.
fn variables(config: &str) -> impl Iterator<Item = &str> {
    let after = config.split("fromEnvironment = \"").skip(1);
    after.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name)
}
