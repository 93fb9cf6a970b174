//! The browser modules and wasm-opt, by `client/package-lock.json`.

use std::path::PathBuf;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{hash, process};

/// Whether what is installed is what the lock file names.
pub(crate) fn are_there(workspace: &Workspace) -> Result<bool> {
    let installed = std::fs::read_to_string(stamp(workspace)).unwrap_or_default();
    Ok(installed == lock_hash(workspace)?)
}

/// Installs them. No package's own scripts are run.
///
/// # Errors
/// Where npm fails.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.command("npm");
    command
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(workspace.root.join("client"));
    process::run("npm packages", &mut command)?;
    std::fs::write(stamp(workspace), lock_hash(workspace)?)?;
    Ok(())
}

/// In the folder that npm empties first, so that it can't outlive what it speaks of.
fn stamp(workspace: &Workspace) -> PathBuf {
    workspace.root.join("client/node_modules/.moorline-lock-hash")
}

fn lock_hash(workspace: &Workspace) -> Result<String> {
    hash::of_paths(&workspace.root.join("client"), &["package.json", "package-lock.json"])
}
