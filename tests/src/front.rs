//! A web server in front of a relay, with its configuration from `deploy/`. Only the addresses are
//! replaced.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::api::Api;
use crate::programs;
use crate::relay::{TOKEN, local_address};
use crate::wait::wait_until;

/// Configuration around the deployed file: without root, without the system's folders, and in a
/// single process that ends when it is killed.
const NGINX: &str = "daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include moorline.conf;
}
";

/// A running web server. Dropping it ends the server.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    _child: Child,
    folder: TempDir,
}

impl Front {
    /// Starts nginx in front of the relay at `upstream`.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn nginx(upstream: SocketAddr) -> Result<Self> {
        let (address, folder) = (local_address()?, TempDir::with_prefix("moorline-nginx-")?);
        let config = deployed(
            "nginx.conf",
            &[
                ("    listen 80;\n    listen [::]:80;\n", &format!("    listen {address};\n")),
                ("    server 127.0.0.1:3010;\n", &format!("    server {upstream};\n")),
            ],
        )?;
        std::fs::write(folder.path().join("moorline.conf"), config)?;
        std::fs::write(folder.path().join("nginx.conf"), NGINX)?;
        let mut command = Command::new(programs::nginx()?);
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
        Self::start(command, address, folder).await
    }

    /// Starts Caddy in front of the relay at `upstream`.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn caddy(upstream: SocketAddr) -> Result<Self> {
        let (address, folder) = (local_address()?, TempDir::with_prefix("moorline-caddy-")?);
        let config = deployed(
            "caddy/Caddyfile",
            &[
                // Any host name, so that a scenario may choose one.
                (
                    "\nmoorline.example.org {",
                    &format!("\nhttp://:{} {{\n\tbind 127.0.0.1", address.port()),
                ),
                ("127.0.0.1:3010", &upstream.to_string()),
            ],
        )?;
        let config = format!("{{\n\tadmin off\n}}\n{config}");
        std::fs::write(folder.path().join("Caddyfile"), config)?;
        let mut command = Command::new(programs::caddy()?);
        command.args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"]);
        command.env("XDG_DATA_HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
        Self::start(command, address, folder).await
    }

    async fn start(mut command: Command, address: SocketAddr, folder: TempDir) -> Result<Self> {
        let log = folder.path().join("stderr.log");
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .kill_on_drop(true);
        let mut child = command.spawn().context("the web server cannot be started")?;
        let front = Api::new(format!("http://{address}"), None);
        let mut ended = None;
        let up = wait_until("the web server to answer", async || {
            ended = child.try_wait().ok().flatten();
            ended.is_some() || front.request(Method::GET, "/healthz").send().await.is_ok()
        })
        .await;
        if let Some(status) = ended {
            bail!("the web server ended with {status}:\n{}", std::fs::read_to_string(log)?);
        }
        up?;
        Ok(Self { address, _child: child, folder })
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL for a browser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The REST API through the web server, with the administrator's token.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(self.url(), Some(TOKEN.to_owned()))
    }

    /// Everything in its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr.log")).unwrap_or_default()
    }
}

/// Returns a file of `deploy/` with some of its text replaced.
///
/// # Errors
/// If the file cannot be read, or a text does not occur exactly once.
pub fn deployed(name: &str, replacements: &[(&str, &str)]) -> Result<String> {
    let path = deploy().join(name);
    let mut content = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    for (old, new) in replacements {
        ensure!(content.matches(old).count() == 1, "{old:?} must be in {name} once");
        content = content.replace(old, new);
    }
    Ok(content)
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}
