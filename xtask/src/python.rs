//! The Python packages of the tests, by `tests/requirements.txt`, in an environment of their own that
//! is kept for the user. Some hold no Python but a program, built for this kind of machine.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{hash, link, process, system};

/// Each with its exact version, and everything that they depend on: made by `pip freeze`.
const REQUIREMENTS: &str = "tests/requirements.txt";

/// Written last, into a folder that is emptied first: what is not complete has none.
const STAMP: &str = "moorline-complete";

/// Whether what is installed is what the file names. Lets this checkout use it if it was installed
/// for another.
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

/// Makes the environment, anew, and fills it.
///
/// # Errors
/// If Python or pip fails.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    let python = system::python(workspace).context("there is no Python with its venv module")?;
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

/// A program that a package brings.
pub(crate) fn program(workspace: &Workspace, name: &str) -> PathBuf {
    environment(workspace).join("bin").join(name)
}

/// As this checkout names it.
fn environment(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("python")
}

/// Named by its requirements, so that checkouts with other ones don't disturb each other.
fn kept(workspace: &Workspace) -> Result<PathBuf> {
    let requirements = hash::of_paths(&workspace.root, &[REQUIREMENTS])?;
    Ok(workspace.kept().join(format!("python-{}", &requirements[..16])))
}
