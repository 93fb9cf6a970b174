//! `cargo xtask run`: from a checkout to a served page.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::client::{self, BuildProfile};
use crate::purpose::Purpose;
use crate::setup;
use crate::workspace::Workspace;
use crate::{process, progress};

const BUILD: [&str; 5] = ["build", "--package", "moorline-relay", "--bin", "moorline"];

/// Builds the client and the relay, and becomes `moorline serve`.
///
/// # Errors
/// If something can't be installed or built.
pub(crate) fn run(workspace: &Workspace, debug: bool, arguments: &[String]) -> Result<()> {
    setup::ensure(workspace, Purpose::Run)?;
    let binary = if debug { debug_build(workspace) } else { release_build(workspace) }?;
    let mut serve = workspace.command(&binary);
    serve.arg("serve").args(arguments);
    if debug {
        serve.env("MOORLINE_DIST", workspace.dist());
    }
    // The relay replaces this process, so that signals reach it alone.
    Err(serve.exec()).with_context(|| format!("can't start {}", binary.display()))
}

/// Builds client and relay side by side: a debug relay serves `dist/` and does not contain it.
fn debug_build(workspace: &Workspace) -> Result<PathBuf> {
    let client = || client::build(workspace, BuildProfile::Debug);
    let relay = || build_relay(workspace, &[]);
    beside(client, relay)?;
    Ok(workspace.target.join("debug/moorline"))
}

/// Builds the release program, from the client on. It contains the client's files, so it is linked
/// after they are built.
pub(crate) fn release_build(workspace: &Workspace) -> Result<PathBuf> {
    let binary = workspace.target.join("release/moorline");
    let client = || client::build(workspace, BuildProfile::Release);
    if binary.exists() {
        client()?;
    } else {
        // The relay's dependencies take longest, and do not need the client.
        let ahead = || {
            let mut library =
                workspace.cargo(&["build", "--release", "--package", "moorline-relay", "--lib"]);
            process::run("relay's dependencies", &mut library).map(drop)
        };
        beside(client, ahead)?;
    }
    build_relay(workspace, &["--release"])?;
    Ok(binary)
}

fn build_relay(workspace: &Workspace, extra: &[&str]) -> Result<()> {
    progress::line("Building the relay.");
    let mut build = workspace.cargo(&BUILD);
    process::run("relay", build.args(extra)).map(drop)
}

/// Does two things at the same time.
fn beside(
    one: impl FnOnce() -> Result<()> + Send,
    other: impl FnOnce() -> Result<()> + Send,
) -> Result<()> {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        one.join().map_err(|_| anyhow::anyhow!("a build panicked"))??;
        other
    })
}
