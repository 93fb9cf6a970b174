//! The Python packages of the tests, from `tests/requirements.txt`, in an environment of their own
//! in the user's cache folder. Some hold only a program, built for this kind of machine.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{hash, link, process, system};

/// All packages and their dependencies with exact versions, as written by `pip freeze`.
const REQUIREMENTS: &str = "tests/requirements.txt";

/// File that is written last, into a folder that is emptied first: an incomplete environment lacks
/// it.
const STAMP: &str = "moorline-complete";

/// Returns true if the packages of the requirements file are installed. Also links them into this
/// checkout, in case they were installed for another.
///
/// # Errors
/// If the file can't be read, or the link can't be made.
pub(crate) fn are_there(workspace: &Workspace) -> Result<bool> {
    let kept = kept(workspace)?;
    let complete = kept.join(STAMP).is_file();
    if complete {
        link::replace(&kept, &environment(workspace))?;
    }
    Ok(complete)
}

/// Creates the environment from scratch, and installs the packages.
///
/// # Errors
/// If Python or pip fails.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    let python = system::python(workspace).context("Python with its venv module was not found")?;
    let kept = kept(workspace)?;
    let mut make = workspace.command(python);
    make.args(["-m", "venv", "--clear"]).arg(&kept);
    process::run("Python environment", &mut make)?;
    let mut fill = workspace.command(kept.join("bin/pip"));
    fill.args(["install", "--quiet", "--disable-pip-version-check"])
        .args(["--requirement", REQUIREMENTS]);
    process::run("Python packages", &mut fill)?;
    std::fs::write(kept.join(STAMP), "")?;
    link::replace(&kept, &environment(workspace))
}

/// Path of a program that a package brings.
pub(crate) fn program(workspace: &Workspace, name: &str) -> PathBuf {
    environment(workspace).join("bin").join(name)
}

/// Path of the environment within this checkout.
fn environment(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("python")
}

/// Path of the environment in the cache. It has a hash of the requirements, so that checkouts with
/// different ones don't disturb each other.
fn kept(workspace: &Workspace) -> Result<PathBuf> {
    let requirements = hash::of_paths(&workspace.root, &[REQUIREMENTS])?;
    Ok(workspace.kept().join(format!("python-{}", &requirements[..16])))
}
