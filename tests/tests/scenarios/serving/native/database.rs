//! Other programs that look into the database while the relay serves.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Result, ensure};
use moorline_tests::expected;
use moorline_tests::served::{Served, moorline, run, serve};
use moorline_tests::wait::wait_until;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::process::Command;

/// Whether a process has a lock on a file, as the kernel lists them.
fn is_locked(file: &Path, pid: i32) -> Result<bool> {
    let (pid, inode) = (pid.to_string(), format!(":{}", std::fs::metadata(file)?.ino()));
    let locks = std::fs::read_to_string("/proc/locks")?;
    Ok(locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|fields| {
        fields.get(1) == Some(&"POSIX")
            && fields.get(4) == Some(&pid.as_str())
            && fields.get(5).is_some_and(|device| device.ends_with(&inode))
    }))
}

/// Does something with a database as a program that knows nothing of Moorline.
async fn sqlite(database: &Path, what: &str) -> Result<()> {
    let said = run(Command::new("sqlite3").arg(database).arg(what)).await?;
    ensure!(said.status.success(), "sqlite3 {what}: {said:?}");
    Ok(())
}

async fn looked_into(arguments: &[&str]) -> Result<()> {
    let base = TempDir::new()?;
    let data = base.path().join("data");
    let database = data.join("moorline.sqlite3");
    let mut relay = Served::start(serve(&mut moorline()?, &data).args(arguments), &data).await?;
    let session = relay.api.run_ready(expected::counter()).await?;
    relay.type_line(session.as_str(), "before").await?;
    relay.until_has(session.as_str(), "1:before").await?;
    ensure!(is_locked(&database, relay.pid()?)?, "the relay has no lock on its database");

    let listed = run(moorline()?.args(["token", "list", "--data-dir"]).arg(&data)).await?;
    ensure!(listed.status.success(), "{listed:?}");
    let copy = base.path().join("copy.sqlite3");
    sqlite(&database, &format!(".backup '{}'", copy.display())).await?;
    sqlite(&database, "SELECT count(*) FROM sessions").await?;
    ensure!(copy.metadata()?.len() > 0, "no copy was made");
    ensure!(is_locked(&database, relay.pid()?)?, "the relay has lost its lock");
    ensure!(data.join("moorline.sqlite3-wal").exists(), "the write-ahead log is gone");

    relay.type_line(session.as_str(), "after").await?;
    relay.until_has(session.as_str(), "2:after").await?;
    wait_until("what was put out on disk", async || {
        let stored = std::fs::read(data.join("moorline.sqlite3-wal")).unwrap_or_default();
        stored.windows(7).any(|window| window == b"2:after")
    })
    .await?;
    // Whatever a host might still have is gone with it.
    let host = relay.host_pid()?;
    relay.end(Signal::KILL).await?;
    drop(relay);
    wait_until("the host to end", async || !Path::new(&format!("/proc/{host}")).exists()).await?;
    let relay = Served::start(serve(&mut moorline()?, &data).args(arguments), &data).await?;
    relay.until_has(session.as_str(), "2:after").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_by_another_program_takes_nothing_from_the_log() -> Result<()> {
    looked_into(&[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_takes_nothing_from_the_log_of_a_single_process() -> Result<()> {
    looked_into(&["--in-process"]).await
}
