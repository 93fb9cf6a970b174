//! The Worker in workerd, and a socket behind it that evicts objects and counts the rows they
//! wrote.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;

use super::local_address;
use crate::programs;
use crate::wait::within;

/// Rows that objects have written since workerd was started, as Cloudflare counts them.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Rows {
    /// Rows written by the objects of all sessions.
    pub session: u64,
    /// Rows written by the directory.
    pub directory: u64,
}

/// Program and files of a Worker in workerd.
#[derive(Debug)]
pub(super) struct Edge {
    program: PathBuf,
    /// The Worker, its assets and its configurations, as `cargo xtask edge --dist` makes them.
    built: PathBuf,
    storage: PathBuf,
    /// Address of the socket behind the Worker.
    behind: SocketAddr,
}

impl Edge {
    /// Locates everything, and creates the folder of the objects' storage.
    pub(super) fn prepare(data: &Path) -> Result<Self> {
        let storage = data.join("data/storage");
        std::fs::create_dir_all(&storage)?;
        let (program, built) = (programs::workerd()?, programs::edge()?);
        Ok(Self { program, built, storage, behind: local_address()? })
    }

    /// The command that serves the Worker at an address.
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
            // A variable that is named but not set would be null, which no Worker expects.
            .envs(variables(&content).map(|name| (name, "")));
        Ok(command)
    }

    /// Evicts all objects from memory.
    pub(super) async fn evict(&self) -> Result<()> {
        self.ask("evict").await.map(drop)
    }

    /// Rows that objects have written.
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

/// Names of the environment variables that a workerd configuration reads.
fn variables(config: &str) -> impl Iterator<Item = &str> {
    let after = config.split("fromEnvironment = \"").skip(1);
    after.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name)
}
