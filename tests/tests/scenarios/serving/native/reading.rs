//! Nobody reads what the relay and its host write.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use moorline_tests::expected;
use moorline_tests::served::{Served, moorline, run, serve};
use moorline_tests::wait::wait_until;
use rustix::process::Signal;
use tempfile::TempDir;

/// Both streams of a relay.
enum Streams {
    /// Pipes that nobody has open to read.
    Closed,
    /// Pipes that are open, and that nobody reads.
    Unread,
    /// What takes nothing, as a full disk.
    Full,
}

async fn serves_on(streams: Streams, arguments: &[&str]) -> Result<()> {
    let data = TempDir::new()?;
    let data = data.path();
    let mut command = moorline()?;
    // Far more than a pipe takes.
    serve(&mut command, data).args(arguments).args(["--log", "trace"]);
    let (out, err, kept) = match streams {
        Streams::Closed => {
            let (reader, writer) = std::io::pipe()?;
            drop(reader);
            (Stdio::from(writer.try_clone()?), Stdio::from(writer), None)
        }
        Streams::Unread => {
            let (reader, writer) = std::io::pipe()?;
            (Stdio::from(writer.try_clone()?), Stdio::from(writer), Some(reader))
        }
        Streams::Full => {
            let full = OpenOptions::new().write(true).open("/dev/full")?;
            (Stdio::from(full.try_clone()?), Stdio::from(full), None)
        }
    };
    command.stdout(out).stderr(err);
    let mut relay = Served::start(&mut command, data).await?;
    drop(command);
    for _ in 0..5 {
        relay.until_puts_out("echo it $((40+2))", "it 42").await?;
    }
    let status = relay.end(Signal::TERM).await?;
    ensure!(status.success(), "{status}");
    drop(kept);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_log_nobody_has_open_serves_on() -> Result<()> {
    serves_on(Streams::Closed, &[]).await?;
    serves_on(Streams::Closed, &["--in-process"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_log_nobody_reads_serves_on() -> Result<()> {
    serves_on(Streams::Unread, &[]).await?;
    serves_on(Streams::Unread, &["--in-process"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_log_is_on_a_full_disk_serves_on() -> Result<()> {
    serves_on(Streams::Full, &[]).await?;
    serves_on(Streams::Full, &["--in-process"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_can_write_nothing_runs_its_sessions() -> Result<()> {
    let base = TempDir::new()?;
    let (data, state) = (base.path().join("data"), base.path().join("state"));
    let relay = Served::start(serve(&mut moorline()?, &data), &data).await?;
    let mut host = moorline()?;
    let full = OpenOptions::new().write(true).open("/dev/full")?;
    host.args(["host", "--relay", relay.api.base(), "--state-dir"]).arg(&state);
    host.args(["--", "sh", "-c", "echo it $((40+2)); read end"]);
    host.stdout(full.try_clone()?).stderr(full);
    let _host = host.spawn()?;
    let mut found = None;
    wait_until("the host's session", async || {
        let list = relay.api.list().await.unwrap_or_default();
        found = list.first().map(|session| session.session_id.clone());
        found.is_some()
    })
    .await?;
    let id = found.context("it was there")?;
    relay.until_has(id.as_str(), "it 42").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_of_the_host_is_put_aside_while_it_runs() -> Result<()> {
    let data = TempDir::new()?;
    let data = data.path();
    let relay = Served::start(serve(&mut moorline()?, data), data).await?;
    let (log, old) = (data.join("host.log"), data.join("host.log.1"));
    let len = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    for _ in 0..2 {
        let full = 5 * 1024 * 1024;
        OpenOptions::new().append(true).open(&log)?.set_len(full)?;
        let session = relay.api.run_ready(expected::counter()).await?;
        wait_until("the next log", async || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            text.contains(session.as_str()) && len(&log) < full
        })
        .await?;
        ensure!(len(&old) == full, "{} bytes were put aside", len(&old));
    }
    let logs = std::fs::read_dir(data)?.filter_map(Result::ok);
    let logs = logs.filter(|entry| entry.file_name().to_string_lossy().starts_with("host.log"));
    ensure!(logs.count() == 2, "more than one old log is kept");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_ends_quietly_when_nobody_reads_what_it_prints() -> Result<()> {
    let data = TempDir::new()?;
    let data = data.path();
    for arguments in [&["token", "new"][..], &["token", "list"], &["openapi"]] {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let mut command = moorline()?;
        command
            .args(arguments)
            .env("MOORLINE_DATA_DIR", data)
            .stdout(writer)
            .stderr(Stdio::piped());
        let said = command.spawn()?.wait_with_output().await?;
        ensure!(said.status.success() && said.stderr.is_empty(), "{arguments:?}: {said:?}");
        // A full disk is another matter, and so is not being able to say so.
        let full = || OpenOptions::new().write(true).open("/dev/full");
        let mut command = moorline()?;
        command.args(arguments).env("MOORLINE_DATA_DIR", data).stdout(full()?).stderr(full()?);
        let status = command.spawn()?.wait().await?;
        ensure!(status.code() == Some(1), "{arguments:?}: {status}");
    }
    let listed = run(moorline()?.args(["token", "list"]).env("MOORLINE_DATA_DIR", data)).await?;
    ensure!(listed.status.success(), "{listed:?}");
    Ok(())
}
