//! A real relay: the programs as users run them, with a port and a data folder of their own.

mod edge;
mod host;
mod keepers;
mod kind;
mod process;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail, ensure};
use moorline_shared::rest::HostList;
use reqwest::Method;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::process::Command;

use crate::api::Api;
use crate::programs;
use crate::random::Random;
use crate::wait::{wait_until, within};
use edge::Edge;
pub use edge::Rows;
use host::Host;
pub use kind::Kind;
use process::Process;
pub use process::{Usage, usage};

/// Administrator's token of every relay that is started here.
pub const TOKEN: &str = "a-token-for-the-scenarios-only-0123456789";

/// Additional arguments and variables of a relay.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// More arguments of `moorline serve`. Must be empty for a Worker.
    pub arguments: Vec<String>,
    /// More environment variables, of the relay and of its host.
    pub variables: Vec<(String, String)>,
}

/// A relay and its host. Dropping it ends both and deletes their data folder.
#[derive(Debug)]
pub struct Relay {
    kind: Kind,
    program: PathBuf,
    setup: Setup,
    port: u16,
    relay: Process,
    host: Host,
    edge: Option<Edge>,
    data: TempDir,
}

impl Relay {
    /// Starts a relay of the kind that this run of the tests is for, and waits until it has a host.
    ///
    /// # Errors
    /// If a program is missing or does not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(Setup::default()).await
    }

    /// The same with additional arguments or variables.
    ///
    /// # Errors
    /// As [`Relay::start`].
    pub async fn start_with(setup: Setup) -> Result<Self> {
        Self::start_as(Kind::of_run()?, setup).await
    }

    /// The same with a given kind, for features that only that kind has.
    ///
    /// # Errors
    /// As [`Relay::start`].
    pub async fn start_as(kind: Kind, setup: Setup) -> Result<Self> {
        let program = programs::moorline()?;
        let data = TempDir::with_prefix("moorline-test-")?;
        let log = data.path().join("stderr.log");
        let port = free_port()?;
        let edge = (kind == Kind::Edge).then(|| Edge::prepare(data.path())).transpose()?;
        let host = Host::new(kind, &program, data.path(), port)?;
        let relay = Process::new("relay", log);
        let mut relay = Self { kind, program, setup, port, relay, host, edge, data };
        relay.launch().await?;
        if kind == Kind::Edge {
            relay.launch_host().await?;
        }
        Ok(relay)
    }

    /// Starts the relay again after [`Relay::stop`] or [`Relay::kill`], with the same port and
    /// data, and waits for its host if one runs.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn launch(&mut self) -> Result<()> {
        let mut command = match &self.edge {
            Some(edge) => {
                ensure!(self.setup.arguments.is_empty(), "a Worker has no arguments");
                edge.command(self.address())?
            }
            None => self.serve(),
        };
        command
            .env("MOORLINE_TOKEN", TOKEN)
            .envs(self.setup.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.data.path());
        self.relay.start(&mut command)?;
        self.answers().await?;
        if self.kind != Kind::Edge || self.host.is_launched() {
            self.until_host(true).await?;
        }
        Ok(())
    }

    fn serve(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("serve")
            .args(["--listen", &self.address().to_string()])
            .arg("--data-dir")
            .arg(self.data_dir())
            .args((self.kind == Kind::InProcess).then_some("--in-process"))
            .args(&self.setup.arguments)
            .env("SHELL", "/bin/sh");
        if let Ok(dist) = programs::dist() {
            command.env("MOORLINE_DIST", dist);
        }
        command
    }

    /// Ends the relay but not its host, as a service manager does, and waits until it is gone. A
    /// Worker cannot be ended that way: a deployment does to its objects what [`Relay::kill`] does.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        // On SIGTERM, workerd waits for open sockets for ever.
        let signal = if self.kind == Kind::Edge { Signal::KILL } else { Signal::TERM };
        self.relay.end(signal).await
    }

    /// Kills the relay but not its host, so that it cannot store anything more.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        self.relay.end(Signal::KILL).await.map(|_| ())
    }

    /// Starts the host again, and waits until it is connected.
    ///
    /// # Errors
    /// If it does not connect.
    pub async fn launch_host(&mut self) -> Result<()> {
        self.host.launch(&self.setup.variables)?;
        self.until_host(true).await
    }

    /// Kills the host, so that everything it has not sent is lost, and waits until the relay
    /// notices.
    ///
    /// # Errors
    /// If no host runs.
    pub async fn kill_host(&mut self) -> Result<()> {
        self.host.kill().await?;
        self.until_host(false).await
    }

    /// Ends the host and its sessions on purpose, and waits until the relay notices.
    ///
    /// # Errors
    /// If no host runs.
    pub async fn stop_host(&mut self) -> Result<()> {
        self.host.stop().await?;
        self.until_host(false).await
    }

    /// Evicts all objects from memory but keeps their sockets, as the edge may at any time.
    ///
    /// # Errors
    /// If the relay is not a Worker.
    pub async fn evict(&self) -> Result<()> {
        self.edge.as_ref().context("only a Worker is evicted")?.evict().await
    }

    /// Rows that the edge's objects have written since the relay was last started.
    ///
    /// # Errors
    /// If the relay is not a Worker.
    pub async fn rows(&self) -> Result<Rows> {
        self.edge.as_ref().context("only a Worker's rows are counted")?.rows().await
    }

    /// The kind of this relay.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)
    }

    /// Its URL for a browser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its REST API, with the administrator's token.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(self.url(), Some(TOKEN.to_owned()))
    }

    /// A command of the program in this relay's folder, for the other subcommands.
    #[must_use]
    pub fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.current_dir(self.data.path()).env("MOORLINE_DATA_DIR", self.data_dir());
        command
    }

    /// Path of the `moorline` program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The folder with the relay's data.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// Waits until all of these texts are in files of the data folder, so that a kill cannot lose
    /// them.
    ///
    /// # Errors
    /// If one is not there in time; names it.
    pub async fn until_stored(&self, texts: &[&str]) -> Result<()> {
        for text in texts {
            let what = format!("{text:?} on disk");
            let stored = async || is_stored(&self.data_dir(), text.as_bytes()).unwrap_or(false);
            wait_until(&what, stored).await?;
        }
        Ok(())
    }

    /// Everything in its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.relay.log()
    }

    /// Resources used since the relay was last started. Its host counts only for
    /// [`Kind::InProcess`]; otherwise it is another process.
    ///
    /// # Errors
    /// If it does not run.
    pub fn usage(&self) -> Result<Usage> {
        self.relay.usage()
    }

    /// Resources used by its host.
    ///
    /// # Errors
    /// If no host runs.
    pub fn host_usage(&self) -> Result<Usage> {
        usage(self.host.pid()?.as_raw_nonzero().get())
    }

    async fn answers(&mut self) -> Result<()> {
        let health = self.api().with_token(None);
        let mut ended = None;
        let up = wait_until("the relay to answer /healthz", async || {
            ended = self.relay.has_ended();
            let answer = health.request(Method::GET, "/healthz").send().await;
            ended.is_some() || answer.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        if let Some(status) = ended {
            bail!("the relay ended with {status}:\n{}", self.log());
        }
        up.with_context(|| self.log())
    }

    async fn until_host(&self, connected: bool) -> Result<()> {
        let api = self.api();
        let known = wait_until("the relay to know its host", async || {
            let list = within("the hosts", api.get::<HostList>("/api/hosts")).await;
            let hosts = list.and_then(|list| list).unwrap_or_default().hosts;
            // A host that never connected is not listed at all.
            !hosts.is_empty() && hosts.iter().any(|host| host.connected) == connected
        });
        known.await.with_context(|| format!("{}\n{}", self.log(), self.host.log()))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The relay first: it would start a new host if it had none.
        self.relay.kill();
        self.host.end();
        keepers::kill(self.data.path());
        let name = std::thread::current().name().unwrap_or("relay").replace(':', "-");
        if let Ok(folder) = programs::artifacts() {
            drop(std::fs::write(folder.join(format!("{name}.relay.log")), self.log()));
            drop(std::fs::write(folder.join(format!("{name}.host.log")), self.host.log()));
        }
    }
}

fn is_stored(folder: &Path, text: &[u8]) -> Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        // A folder cannot be read as a file, and counts as empty.
        let content = std::fs::read(&path).unwrap_or_default();
        let found = content.windows(text.len()).any(|window| window == text);
        if found || (path.is_dir() && is_stored(&path, text)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A local address that nothing listens on.
///
/// # Errors
/// If no port is free.
pub fn local_address() -> Result<SocketAddr> {
    Ok((Ipv4Addr::LOCALHOST, free_port()?).into())
}

/// A port that nothing listens on. It is below the range for outgoing connections, so that a
/// restarted relay finds it free.
fn free_port() -> Result<u16> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos() as u64;
    let seed = time ^ (u64::from(std::process::id()) << 32) ^ LAST.fetch_add(1, Ordering::Relaxed);
    let mut random = Random::new(seed);
    for _ in 0..1000 {
        let port = u16::try_from(random.between(10_000, 32_000))?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}
