//! `cargo xtask bench`: the bench program of the tests, against the relay as it is released.

use anyhow::{Result, bail};

use crate::client::{self, Profile};
use crate::setup::{self, Purpose};
use crate::workspace::Workspace;
use crate::{process, progress};

/// Builds everything for release and hands the terminal to the bench program.
///
/// # Errors
/// Where something can't be built, or the program fails.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    setup::ensure(workspace, Purpose::Run)?;
    client::build(workspace, Profile::Release)?;
    progress::line("Building the relay and the bench program.");
    let packages = ["--package", "moorline-relay", "--package", "moorline-tests"];
    let mut build = workspace.cargo(&["build", "--release", "--bin", "moorline", "--bin", "bench"]);
    process::run("build", build.args(packages))?;
    let release = workspace.target.join("release");
    let status = workspace
        .command(release.join("bench"))
        .args(arguments)
        .env("MOORLINE_BIN", release.join("moorline"))
        .env("MOORLINE_DIST", workspace.dist())
        .status()?;
    if !status.success() {
        bail!("the bench program failed ({status})");
    }
    Ok(())
}
