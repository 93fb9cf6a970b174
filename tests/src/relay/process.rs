//! A running program and the resources that it has used.

use std::fs::File;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::wait::within;

/// Resources that a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Resident memory now, in bytes.
    pub rss_bytes: u64,
    /// Peak resident memory, in bytes.
    pub peak_rss_bytes: u64,
    /// Processor time since the process started.
    pub cpu: Duration,
}

/// A program that may be started several times, always with the same log.
#[derive(Debug)]
pub(super) struct Process {
    what: &'static str,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// A program that does not run yet.
    pub(super) const fn new(what: &'static str, log: PathBuf) -> Self {
        Self { what, log, child: None }
    }

    /// Starts the program.
    pub(super) fn start(&mut self, command: &mut Command) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("the {} cannot be started", self.what));
        self.child = Some(child?);
        Ok(())
    }

    /// Sends the program a signal, and waits until it is gone.
    pub(super) async fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        kill_process(self.pid()?, signal)?;
        self.ended().await
    }

    /// Waits until the program has ended by itself.
    pub(super) async fn ended(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().with_context(|| format!("no {} runs", self.what))?;
        let ended = within(&format!("the {} to end", self.what), child.wait()).await?;
        ended.context("it cannot be waited for")
    }

    /// The exit status of the program; `None` if it runs or was not started.
    pub(super) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// Kills the program if it runs, without waiting for its end.
    pub(super) fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            drop(child.start_kill());
        }
    }

    /// Returns true if the program was started and its end was not waited for.
    pub(super) const fn is_launched(&self) -> bool {
        self.child.is_some()
    }

    /// Everything in its log so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Resources used since the program was last started.
    pub(super) fn usage(&self) -> Result<Usage> {
        usage(self.pid()?.as_raw_nonzero().get())
    }

    /// Process id of the program.
    pub(super) fn pid(&self) -> Result<Pid> {
        let id = self.child.as_ref().and_then(Child::id);
        let id = id.with_context(|| format!("no {} runs", self.what))?;
        Pid::from_raw(i32::try_from(id)?).context("a process has a number above 0")
    }
}

/// Resources that a process has used, from `/proc`.
///
/// # Errors
/// If the process does not exist.
pub fn usage(pid: i32) -> Result<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field, the name in brackets, may contain any character.
    let fields = stat.rsplit_once(')').context("no name in stat")?.1;
    let times: Vec<u64> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    let ticks = rustix::param::clock_ticks_per_second();
    let cpu = Duration::from_millis(times.iter().sum::<u64>() * 1000 / ticks);
    let (rss_bytes, peak_rss_bytes) = (bytes(&status, "VmRSS:")?, bytes(&status, "VmHWM:")?);
    Ok(Usage { rss_bytes, peak_rss_bytes, cpu })
}

/// Bytes of a field of `/proc/PID/status` that is given in KiB.
fn bytes(status: &str, name: &str) -> Result<u64> {
    let field = status.lines().find_map(|line| line.strip_prefix(name));
    let number = field.and_then(|field| field.split_whitespace().next());
    let kibibytes: u64 = number.with_context(|| format!("no {name}"))?.parse()?;
    Ok(kibibytes * 1024)
}
