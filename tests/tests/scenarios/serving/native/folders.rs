//! Data folders of every kind, and who has them.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use moorline_shared::session::Lifecycle;
use moorline_tests::expected;
use moorline_tests::served::{Served, moorline, refusal, run, serve};
use moorline_tests::wait::wait_until;
use rustix::process::Signal;
use tempfile::TempDir;

const IN_PROCESS: &[&str] = &["--in-process"];

/// A relay serves from this folder, and its host runs sessions; other commands find both.
async fn serves_from(path: &Path, current: &Path) -> Result<()> {
    let data = current.join(path);
    let mut command = moorline()?;
    serve(&mut command, path).current_dir(current);
    let mut relay = Served::start(&mut command, &data).await?;
    relay.until_puts_out("echo it $((40+2))", "it 42").await?;
    let mut token = moorline()?;
    token.args(["token", "new", "--data-dir"]).arg(path).current_dir(current);
    let made = run(&mut token).await?;
    ensure!(made.status.success(), "{made:?}");
    ensure!(relay.end(Signal::TERM).await?.success());
    let mut stop = moorline()?;
    stop.args(["host", "stop", "--data-dir"]).arg(path).current_dir(current);
    let stopped = run(&mut stop).await?;
    ensure!(stopped.status.success(), "{stopped:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn any_folder_of_ones_own_will_do() -> Result<()> {
    let base = TempDir::new()?;
    let folder = base.path().join("folder");
    std::fs::create_dir(&folder)?;
    symlink(&folder, base.path().join("link"))?;
    let long = PathBuf::from("l".repeat(120)).join("o".repeat(120));
    let other = OsStr::from_bytes(b"not UTF-8 \xff\xfe");
    for path in [
        &base.path().join("link"),
        &base.path().join(other),
        &base.path().join("with spaces and 'quotes' $x"),
        &base.path().join(&long),
        &PathBuf::from("relative/folder"),
        &PathBuf::from("./link/../folder/"),
    ] {
        serves_from(path, base.path()).await.map_err(|error| error.context(format!("{path:?}")))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_used_is_refused_at_once() -> Result<()> {
    let base = TempDir::new()?;
    let (file, dangling, shared) =
        (base.path().join("file"), base.path().join("dangling"), base.path().join("shared"));
    std::fs::write(&file, "")?;
    symlink("nowhere", &dangling)?;
    std::fs::create_dir(&shared)?;
    std::fs::set_permissions(&shared, Permissions::from_mode(0o1777))?;
    let deep = base.path().join("d".repeat(250)).join("e".repeat(250));
    let damaged = base.path().join("damaged");
    std::fs::create_dir(&damaged)?;
    std::fs::write(damaged.join("moorline.sqlite3"), "no database ".repeat(1000))?;
    for (path, why) in [
        (&file, "it is a file"),
        (&dangling, "does not exist"),
        (&shared, "shared between users"),
        (&deep, "too long"),
        (&damaged, "not a Moorline database"),
    ] {
        for arguments in [&[], IN_PROCESS] {
            let said = refusal(serve(&mut moorline()?, path).args(arguments)).await?;
            ensure!(said.contains(why), "{path:?}: {said}");
            let reason = said.trim().rsplit_once(": ").map_or("", |(_, reason)| reason);
            ensure!(said.matches(reason).count() == 1, "it repeats itself: {said}");
        }
    }
    ensure!(shared.metadata()?.permissions().mode() & 0o7777 == 0o1777, "a shared folder changed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_others_could_enter_is_closed() -> Result<()> {
    for arguments in [&[], IN_PROCESS] {
        let data = TempDir::new()?;
        std::fs::set_permissions(data.path(), Permissions::from_mode(0o777))?;
        let mut command = moorline()?;
        let command = serve(&mut command, data.path()).args(arguments);
        let _relay = Served::start(command, data.path()).await?;
        let mode = data.path().metadata()?.permissions().mode();
        ensure!(mode & 0o777 == 0o700, "{mode:o} with {arguments:?}");
        for entry in std::fs::read_dir(data.path())? {
            let entry = entry?;
            let mode = entry.metadata()?.permissions().mode();
            let is_open = entry.file_type()?.is_file() && mode & 0o077 != 0;
            ensure!(!is_open, "{mode:o} of {:?} with {arguments:?}", entry.file_name());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_never_serve_from_one_folder() -> Result<()> {
    for first in [&[], IN_PROCESS] {
        let base = TempDir::new()?;
        let (data, link) = (base.path().join("data"), base.path().join("link"));
        let mut relay = Served::start(serve(&mut moorline()?, &data).args(first), &data).await?;
        let session = relay.api.run_ready(expected::counter()).await?;
        symlink(&data, &link)?;
        for second in [&[], IN_PROCESS] {
            for path in [&data, &link] {
                let said = refusal(serve(&mut moorline()?, path).args(second)).await?;
                let pid = format!("process {}", relay.pid()?);
                ensure!(said.contains("already") && said.contains(&pid), "{said}");
            }
        }
        // A host of one's own has no place in it either.
        let mut host = moorline()?;
        host.args(["host", "--relay", "http://127.0.0.1:1", "--state-dir"]).arg(&link);
        let said = refusal(&mut host).await?;
        ensure!(said.contains("a host already runs"), "{said}");
        let now = relay.api.status(&session).await?.summary;
        ensure!(now.lifecycle == Lifecycle::Live, "{now:?}");
        ensure!(relay.end(Signal::TERM).await?.success());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_process_does_not_take_the_place_of_a_host_that_runs() -> Result<()> {
    let data = TempDir::new()?;
    let data = data.path();
    let mut relay = Served::start(serve(&mut moorline()?, data), data).await?;
    let session = relay.api.run_ready(expected::counter()).await?;
    // Not dropped, which would end its host.
    ensure!(relay.end(Signal::TERM).await?.success());
    let said = refusal(serve(&mut moorline()?, data).args(IN_PROCESS)).await?;
    ensure!(said.contains("moorline host stop"), "{said}");
    let again = Served::start(serve(&mut moorline()?, data), data).await?;
    wait_until("the host to publish its session again", async || {
        let status = again.api.status(&session).await;
        status.is_ok_and(|status| status.summary.lifecycle == Lifecycle::Live)
    })
    .await?;
    again.type_line(session.as_str(), "on").await?;
    again.until_has(session.as_str(), "1:on").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_of_a_single_process_is_not_ended_by_itself() -> Result<()> {
    let data = TempDir::new()?;
    let data = data.path();
    let relay = Served::start(serve(&mut moorline()?, data).args(IN_PROCESS), data).await?;
    let said = refusal(moorline()?.args(["host", "stop", "--data-dir"]).arg(data)).await?;
    ensure!(said.contains(&format!("kill {}", relay.pid()?)), "{said}");
    relay.until_puts_out("echo it $((40+2))", "it 42").await?;
    Ok(())
}
