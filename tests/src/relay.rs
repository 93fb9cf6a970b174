//! A real relay: the program as users run it, on a port and a data folder of its own.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::api::Api;
use crate::programs;
use crate::random::Random;
use crate::wait::{wait_until, within};

/// The administrator's token of every relay that is started here.
pub const TOKEN: &str = "a-token-for-the-scenarios-only-0123456789";

/// What a relay is started with besides an address and a data folder.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// More arguments of `moorline serve`.
    pub arguments: Vec<String>,
    /// More variables.
    pub variables: Vec<(String, String)>,
}

/// A relay. It ends, and its data folder goes, when this is dropped.
#[derive(Debug)]
pub struct Relay {
    program: PathBuf,
    setup: Setup,
    port: u16,
    data: TempDir,
    log: PathBuf,
    child: Option<Child>,
}

/// What a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Memory that it has now.
    pub rss_bytes: u64,
    /// Processor time since it began.
    pub cpu: Duration,
}

impl Relay {
    /// A relay that answers.
    ///
    /// # Errors
    /// Where there is no program, or it does not come up.
    pub async fn start() -> Result<Self> {
        Self::start_with(Setup::default()).await
    }

    /// The same with a set-up of its own.
    ///
    /// # Errors
    /// As [`Relay::start`].
    pub async fn start_with(setup: Setup) -> Result<Self> {
        let program = programs::moorline()?;
        let data = TempDir::with_prefix("moorline-test-")?;
        let log = data.path().join("stderr.log");
        let port = free_port()?;
        let mut relay = Self { program, setup, port, data, log, child: None };
        relay.launch().await?;
        Ok(relay)
    }

    /// Starts the program again after [`Relay::stop`] or [`Relay::kill`]: same port, same data.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn launch(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        command
            .arg("serve")
            .args(["--listen", &self.address().to_string()])
            .arg("--data-dir")
            .arg(self.data.path().join("data"))
            .args(&self.setup.arguments)
            .env("MOORLINE_TOKEN", TOKEN)
            .env("SHELL", "/bin/sh")
            .envs(self.setup.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        if let Ok(dist) = programs::dist() {
            command.env("MOORLINE_DIST", dist);
        }
        let child = command.spawn();
        self.child =
            Some(child.with_context(|| format!("cannot start {}", self.program.display()))?);
        self.answers().await
    }

    /// Ends it the way a service manager does, and waits until it is gone.
    ///
    /// # Errors
    /// Where it does not end.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        self.end(Signal::TERM).await
    }

    /// Kills it: it gets no chance to store anything.
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        self.end(Signal::KILL).await.map(|_| ())
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)
    }

    /// Its address for a browser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its REST API, with the administrator's token.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(self.url(), Some(TOKEN.to_owned()))
    }

    /// The program, its data folder and port, to run its other commands.
    #[must_use]
    pub fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.current_dir(self.data.path()).env("MOORLINE_DATA_DIR", self.data_dir());
        command
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Where it keeps its data.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// Waits until all of these are on disk, wherever: only then a kill cannot take them.
    ///
    /// # Errors
    /// Names what is not.
    pub async fn until_stored(&self, texts: &[&str]) -> Result<()> {
        for text in texts {
            let what = format!("{text:?} on disk");
            wait_until(&what, async || self.is_stored(text.as_bytes()).unwrap_or(false)).await?;
        }
        Ok(())
    }

    fn is_stored(&self, text: &[u8]) -> Result<bool> {
        for file in std::fs::read_dir(self.data_dir())? {
            // What is no file holds no text.
            let content = std::fs::read(file?.path()).unwrap_or_default();
            if content.windows(text.len()).any(|window| window == text) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What it wrote to its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What it has used since it was started last.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn usage(&self) -> Result<Usage> {
        usage(self.pid()?.as_raw_nonzero().get())
    }

    async fn answers(&mut self) -> Result<()> {
        let health = self.api().with_token(None);
        let mut ended = None;
        let up = wait_until("the relay to answer /healthz", async || {
            ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            let answer = health.request(reqwest::Method::GET, "/healthz").send().await;
            ended.is_some() || answer.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        if let Some(status) = ended {
            bail!("the relay ended with {status}:\n{}", self.log());
        }
        up.with_context(|| self.log())
    }

    async fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        kill_process(self.pid()?, signal)?;
        let mut child = self.child.take().context("the relay does not run")?;
        within("the relay to end", child.wait()).await?.context("it cannot be waited for")
    }

    fn pid(&self) -> Result<Pid> {
        let id = self.child.as_ref().and_then(Child::id).context("the relay does not run")?;
        Pid::from_raw(i32::try_from(id)?).context("a process has a number above 0")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            drop(child.start_kill());
        }
        let name = std::thread::current().name().unwrap_or("relay").replace(':', "-");
        if let Ok(folder) = programs::artifacts() {
            drop(std::fs::copy(&self.log, folder.join(format!("{name}.relay.log"))));
        }
    }
}

/// What a process has used, from `/proc`.
///
/// # Errors
/// Where there is no such process.
pub fn usage(pid: i32) -> Result<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: u64 =
        rss.and_then(|rss| rss.split_whitespace().next()).context("no VmRSS")?.parse()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field, the name in brackets, may contain anything.
    let fields = stat.rsplit_once(')').context("no name in stat")?.1;
    let times: Vec<u64> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    let ticks = rustix::param::clock_ticks_per_second();
    let cpu = Duration::from_millis(times.iter().sum::<u64>() * 1000 / ticks);
    Ok(Usage { rss_bytes: kibibytes * 1024, cpu })
}

/// An address that nothing listens on.
///
/// # Errors
/// Where no port is free.
pub fn local_address() -> Result<SocketAddr> {
    Ok((Ipv4Addr::LOCALHOST, free_port()?).into())
}

/// A port that nothing listens on, below those that the system gives to outgoing connections: a
/// relay that is restarted finds it free.
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
