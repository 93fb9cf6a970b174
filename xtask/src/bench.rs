//! `cargo xtask bench`: runs the bench program of the tests against the release build of the relay.

use anyhow::{Result, bail};

use crate::client::{self, BuildProfile};
use crate::purpose::Purpose;
use crate::setup;
use crate::workspace::Workspace;
use crate::{edge, packages, process, progress, supervisors};

/// The parts of the bench that measure the edge relay.
const EDGE: [&str; 2] = ["agents", "edge"];

/// Makes the release builds, and hands the terminal to the bench program.
///
/// # Errors
/// If a build or the program fails.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    // Without names of parts, everything is measured.
    let mut parts = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    let with_edge = parts.peek().is_none() || parts.any(|part| EDGE.contains(&&**part));
    setup::ensure(workspace, if with_edge { Purpose::Edge } else { Purpose::Run })?;
    client::build(workspace, BuildProfile::Release)?;
    progress::line("Building the relay and the bench program.");
    let packages = ["--package", "moorline-relay", "--package", "moorline-tests"];
    let mut build = workspace.cargo(&["build", "--release", "--bin", "moorline", "--bin", "bench"]);
    process::run("build", build.args(packages))?;
    let release = workspace.target.join("release");
    let relay = release.join("moorline");
    let mut bench = workspace.command(release.join("bench"));
    if with_edge {
        edge::build(workspace, &relay)?;
        bench.env("MOORLINE_EDGE", edge::folder(workspace));
        bench.env("WORKERD", packages::workerd(workspace)?);
    }
    progress::line(&supervisors::build(workspace)?);
    bench.env("MOORLINE_SUPERVISORS", supervisors::folder(workspace));
    bench.args(arguments).env("MOORLINE_BIN", relay).env("MOORLINE_DIST", workspace.dist());
    let status = bench.status()?;
    if !status.success() {
        bail!("the bench program failed ({status})");
    }
    Ok(())
}
