//! How a relay and a host end.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::expected;
use moorline_tests::served::{Served, by, moorline, run, serve};
use moorline_tests::wait::within;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_hangs_up_ends_the_relay_in_good_order() -> Result<()> {
    for arguments in [&[][..], &["--in-process"]] {
        let data = TempDir::new()?;
        let data = data.path();
        let mut relay = Served::start(serve(&mut moorline()?, data).args(arguments), data).await?;
        relay.api.run_ready(expected::counter()).await?;
        let status = relay.end(Signal::HUP).await?;
        ensure!(status.success(), "{status} with {arguments:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_ignores_the_hang_up_serves_on() -> Result<()> {
    let data = TempDir::new()?;
    let data = data.path();
    let starter = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"];
    let mut relay = Served::start(serve(&mut by(&starter)?, data), data).await?;
    let pid = Pid::from_raw(relay.pid()?).context("it runs")?;
    kill_process(pid, Signal::HUP)?;
    relay.until_puts_out("echo it $((40+2))", "it 42").await?;
    ensure!(relay.end(Signal::TERM).await?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_its_relay_ends_soon_and_says_what_it_waits_for() -> Result<()> {
    let data = TempDir::new()?;
    let data = data.path();
    let mut relay = Served::start(serve(&mut moorline()?, data), data).await?;
    relay.api.run_ready(expected::counter()).await?;
    relay.end(Signal::KILL).await?;
    let since = Instant::now();
    let stopped = run(moorline()?.args(["host", "stop", "--data-dir"]).arg(data)).await?;
    ensure!(stopped.status.success(), "{stopped:?}");
    ensure!(since.elapsed() < Duration::from_secs(9), "it took {:?}", since.elapsed());
    let said = String::from_utf8_lossy(&stopped.stderr);
    ensure!(said.contains("waits for its relay"), "{said:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_ones_own_prints_its_session_and_ends_by_a_signal() -> Result<()> {
    let data = TempDir::new()?;
    let mut command = moorline()?;
    command.args(["host", "--relay", "http://127.0.0.1:1", "--shell", "--state-dir"]);
    command.arg(data.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut host = command.spawn()?;
    let out = host.stdout.take().context("it is piped")?;
    let mut lines = BufReader::new(out).lines();
    let id = within("the session's id", lines.next_line()).await??.context("it printed nothing")?;
    id.parse::<SessionId>()?;
    let pid = i32::try_from(host.id().context("it runs")?)?;
    kill_process(Pid::from_raw(pid).context("a process has a number above 0")?, Signal::TERM)?;
    let status = within("the host to end", host.wait()).await??;
    ensure!(status.success(), "{status}");
    Ok(())
}
