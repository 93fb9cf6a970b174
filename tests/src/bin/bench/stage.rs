//! The relay that is measured, and the amount of work.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use moorline_shared::id::SessionId;
use moorline_shared::rest::CreateSession;
use moorline_tests::crowd::Shape;
use moorline_tests::relay::{Relay, Setup, Usage};
use tokio::runtime::Runtime;

/// Amount of work of each measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Number of repetitions of a noisy measurement.
    pub(crate) runs: usize,
    /// Bytes of a flood for one viewer.
    pub(crate) flood_bytes: u64,
    /// Bytes of a flood for a hundred viewers.
    pub(crate) crowd_bytes: u64,
    /// Number of keys that are typed.
    pub(crate) keystrokes: usize,
    /// Number of idle clients, and of idle sessions.
    pub(crate) idle: usize,
    /// Number of an agent's events.
    pub(crate) agent_events: u64,
    /// Number of decisions about an agent's questions.
    pub(crate) decisions: u64,
    /// Number of parts of a message that grows on a page.
    pub(crate) page_parts: u64,
    /// Number of idle agent sessions.
    pub(crate) agent_sessions: usize,
    /// Size of the crowd that reads events.
    pub(crate) crowd: Shape,
}

impl Scale {
    /// Full runs, whose figures are for the record.
    pub(crate) const FULL: Self = Self {
        runs: 5,
        flood_bytes: 200_000_000,
        crowd_bytes: 50_000_000,
        keystrokes: 10_000,
        idle: 500,
        agent_events: 50_000,
        decisions: 1000,
        page_parts: 400,
        agent_sessions: 50,
        crowd: Shape { sessions: 100, clients: 1000, rounds: 120, pause_ms: 500 },
    };
    /// Short runs, for a first impression.
    pub(crate) const QUICK: Self = Self {
        runs: 3,
        flood_bytes: 100_000_000,
        crowd_bytes: 20_000_000,
        keystrokes: 2_000,
        idle: 200,
        agent_events: 10_000,
        decisions: 200,
        page_parts: 200,
        agent_sessions: 20,
        crowd: Shape { sessions: 20, clients: 200, rounds: 20, pause_ms: 500 },
    };
}

/// A running relay, and the runtime that talks to it.
pub(crate) struct Stage {
    pub(crate) scale: Scale,
    pub(crate) relay: Relay,
    runtime: Runtime,
}

impl Stage {
    pub(crate) fn new(scale: Scale) -> Result<Self> {
        let runtime = Runtime::new()?;
        let relay = start(&runtime)?;
        Ok(Self { scale, relay, runtime })
    }

    /// Replaces the relay by a new one, which has done nothing yet.
    pub(crate) fn renew(&mut self) -> Result<()> {
        self.relay = start(&self.runtime)?;
        Ok(())
    }

    /// Runs a future on the stage's runtime.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Describes the program, the machine and the scale of the figures.
    pub(crate) fn describe(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
        let Scale { runs, flood_bytes, .. } = self.scale;
        format!(
            "{} against this bench ({profile}), {cores} cores, medians of {runs} runs, floods of \
             {} MB\n",
            self.relay.program().display(),
            flood_bytes / 1_000_000
        )
    }

    /// Starts a session on the stage's relay.
    pub(crate) fn run(&self, command: Vec<String>) -> Result<SessionId> {
        self.run_on(&self.relay, command)
    }

    /// Starts a session on another relay.
    pub(crate) fn run_on(&self, relay: &Relay, command: Vec<String>) -> Result<SessionId> {
        let wish = CreateSession {
            command: Some(command),
            cols: Some(80),
            rows: Some(24),
            ..CreateSession::default()
        };
        self.create_on(relay, &wish)
    }

    /// Starts a session as described.
    pub(crate) fn create(&self, wish: &CreateSession) -> Result<SessionId> {
        self.create_on(&self.relay, wish)
    }

    fn create_on(&self, relay: &Relay, wish: &CreateSession) -> Result<SessionId> {
        Ok(self.runtime.block_on(relay.api().create(wish))?.session_id)
    }

    /// Starts a session that puts out this many bytes once it gets input.
    pub(crate) fn run_flood(&self, bytes: u64) -> Result<SessionId> {
        let program = itself()?.to_string_lossy().into_owned();
        self.run(vec![program, "emit".to_owned(), bytes.to_string()])
    }

    /// Ends and removes a session.
    pub(crate) fn remove(&self, session: &SessionId) -> Result<()> {
        self.remove_from(&self.relay, session)
    }

    /// Ends and removes a session of another relay.
    pub(crate) fn remove_from(&self, relay: &Relay, session: &SessionId) -> Result<()> {
        self.runtime.block_on(relay.api().delete(session))
    }

    /// Waits until the relay has finished earlier work, and returns its usage.
    pub(crate) fn settle(&self) -> Result<Usage> {
        settle(|| self.relay.usage())
    }

    /// The same as [`Stage::settle`], for the relay's host.
    pub(crate) fn settle_host(&self) -> Result<Usage> {
        settle(|| self.relay.host_usage())
    }
}

/// Waits until a process uses almost no processor time, for up to 30 seconds.
pub(crate) fn settle(usage: impl Fn() -> Result<Usage>) -> Result<Usage> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut before = usage()?;
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
        let now = usage()?;
        if now.cpu.saturating_sub(before.cpu) <= Duration::from_millis(10) {
            return Ok(now);
        }
        before = now;
    }
    bail!("the relay does not come to rest")
}

/// Setup of a relay that logs only warnings and errors.
pub(crate) fn quiet() -> Setup {
    let variables = vec![("MOORLINE_LOG".to_owned(), "warn".to_owned())];
    Setup { variables, ..Setup::default() }
}

fn start(runtime: &Runtime) -> Result<Relay> {
    runtime.block_on(Relay::start_with(quiet()))
}

/// Path of this program's executable.
pub(crate) fn itself() -> Result<PathBuf> {
    std::env::current_exe().context("this program does not know where it is")
}

/// Rate in megabytes a second.
pub(crate) fn rate(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

/// Seconds of processor time per gigabyte.
pub(crate) fn per_gigabyte(bytes: u64, cpu: Duration) -> f64 {
    cpu.as_secs_f64() * 1e9 / bytes as f64
}
