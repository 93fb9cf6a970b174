//! The Worker in workerd, with a socket behind it: it makes objects lose their memory, and tells what
//! they wrote.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;

use super::local_address;
use crate::programs;
use crate::wait::within;

/// Rows that objects wrote since workerd was started, as Cloudflare counts them.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Rows {
    /// Sessions' objects, all of them.
    pub session: u64,
    /// The directory.
    pub directory: u64,
}

/// What workerd runs, and where.
#[derive(Debug)]
pub(super) struct Edge {
    program: PathBuf,
    /// The Worker, its files and its configurations, as `cargo xtask edge --dist` makes them.
    built: PathBuf,
    storage: PathBuf,
    /// The socket behind the Worker.
    behind: SocketAddr,
}

impl Edge {
    /// Finds everything, and makes the folder of the objects' storage.
    pub(super) fn prepare(data: &Path) -> Result<Self> {
        let storage = data.join("data/storage");
        std::fs::create_dir_all(&storage)?;
        let (program, built) = (programs::workerd()?, programs::edge()?);
        Ok(Self { program, built, storage, behind: local_address()? })
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
            .arg(format!("--socket-addr=behind={}", self.behind))
            .arg(format!("--directory-path=assets={}", self.built.join("assets").display()))
            .arg(format!("--directory-path=storage={}", self.storage.display()))
            .arg(&config)
            // One that is named and not set would be null, and no Worker expects that.
            .envs(variables(&content).map(|name| (name, "")));
        Ok(command)
    }

    /// Takes the memory of all objects away.
    pub(super) async fn evict(&self) -> Result<()> {
        self.ask("evict").await.map(drop)
    }

    /// What objects wrote.
    pub(super) async fn rows(&self) -> Result<Rows> {
        Ok(self.ask("rows").await?.json().await?)
    }

    async fn ask(&self, what: &str) -> Result<reqwest::Response> {
        let answer = reqwest::get(format!("http://{}/{what}", self.behind));
        let answer = within("an answer from behind the Worker", answer).await??;
        ensure!(answer.status().is_success(), "{} to {what}", answer.status());
        Ok(answer)
    }
}

/// What a configuration of workerd takes from the environment.
fn variables(config: &str) -> impl Iterator<Item = &str> {
    let after = config.split("fromEnvironment = \"").skip(1);
    after.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name)
}
