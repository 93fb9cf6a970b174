//! The cluster of a run: a real one, if `MOORLINE_TEST_KUBECONFIG` names one, or else a fake one.
//!
//! `MOORLINE_TEST_POD_TEMPLATE` has the JSON of the template to use in a real one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::api::Api;
use crate::kubernetes::FakeCluster;
use crate::proxy::Proxy;
use crate::relay::Setup;

/// A cluster that sessions of a run have their pods in. The connections of hosts to its API server
/// pass by a proxy.
pub struct RunCluster {
    /// The proxy between hosts and the API server.
    pub proxy: Proxy,
    /// True if it is a real cluster.
    pub is_real: bool,
    kubeconfig: PathBuf,
    direct: PathBuf,
    _fake: Option<FakeCluster>,
    _folder: TempDir,
}

impl RunCluster {
    /// Finds the cluster, or starts it.
    ///
    /// # Errors
    /// If the kubeconfig cannot be understood, or the fake one does not start.
    pub async fn start() -> Result<Self> {
        let (direct, fake) = match std::env::var_os("MOORLINE_TEST_KUBECONFIG") {
            Some(path) => (PathBuf::from(path), None),
            None => {
                let fake = FakeCluster::start().await?;
                (fake.kubeconfig().to_owned(), Some(fake))
            }
        };
        let config = std::fs::read_to_string(&direct)?;
        let server = config.split_once("://").context("the kubeconfig has no server")?.1;
        let end = server.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
        let server = &server[..end.unwrap_or(server.len())];
        let proxy = Proxy::start(server.parse()?).await?;
        let folder = TempDir::with_prefix("kubeconfig-")?;
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, config.replace(server, &proxy.address().to_string()))?;
        let is_real = fake.is_none();
        Ok(Self { proxy, is_real, kubeconfig, direct, _fake: fake, _folder: folder })
    }

    /// A kubeconfig that does not lead through the proxy.
    #[must_use]
    pub fn direct(&self) -> &Path {
        &self.direct
    }

    /// The setup of a relay whose host has its pods here.
    #[must_use]
    pub fn setup(&self) -> Setup {
        let mut setup = Setup::default();
        let path = self.kubeconfig.to_string_lossy().into_owned();
        setup.variables.push(("KUBECONFIG".to_owned(), path));
        setup
    }

    /// Gives a relay's host the template of this run.
    ///
    /// # Errors
    /// If the relay or its host refuses.
    pub async fn prepare(&self, api: &Api) -> Result<()> {
        let Ok(template) = std::env::var("MOORLINE_TEST_POD_TEMPLATE") else { return Ok(()) };
        let hosts: Value = api.get("/api/hosts").await?;
        let host = hosts["hosts"][0]["hostId"].as_str().context("no host")?;
        let template = serde_json::from_str(&template)?;
        let (status, body) =
            api.call(Method::POST, &format!("/api/hosts/{host}/pods"), template).await?;
        ensure!(status == 200, "{status} {body}");
        Ok(())
    }
}
