//! The Python packages of the tests, by `tests/requirements.txt`, in an environment of their own.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{hash, process, system};

/// Each with its exact version, and everything that they depend on: made by `pip freeze`.
const REQUIREMENTS: &str = "tests/requirements.txt";

/// Whether what is installed is what the file names.
///
/// # Errors
/// Where the file can't be read.
pub(crate) fn are_there(workspace: &Workspace) -> Result<bool> {
    let installed = std::fs::read_to_string(stamp(workspace)).unwrap_or_default();
    Ok(installed == requirements_hash(workspace)?)
}

/// Makes the environment, anew, and fills it.
///
/// # Errors
/// Where Python or pip fails.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    let python = system::python(workspace).context("there is no Python with its venv module")?;
    let mut make = workspace.command(python);
    make.args(["-m", "venv", "--clear"]).arg(environment(workspace));
    process::run("Python environment", &mut make)?;
    let mut fill = workspace.command(program(workspace, "pip"));
    fill.args(["install", "--quiet", "--disable-pip-version-check"])
        .args(["--requirement", REQUIREMENTS]);
    process::run("Python packages", &mut fill)?;
    std::fs::write(stamp(workspace), requirements_hash(workspace)?)?;
    Ok(())
}

/// A program that a package brings.
pub(crate) fn program(workspace: &Workspace, name: &str) -> PathBuf {
    environment(workspace).join("bin").join(name)
}

fn environment(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("python")
}

/// In the folder that is emptied first, so that it can't outlive what it speaks of.
fn stamp(workspace: &Workspace) -> PathBuf {
    environment(workspace).join("moorline-requirements-hash")
}

fn requirements_hash(workspace: &Workspace) -> Result<String> {
    hash::of_paths(&workspace.root, &[REQUIREMENTS])
}
