//! Checks and builds the plugin for Obsidian.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::process;
use crate::workspace::Workspace;

const FOLDER: &str = "obsidian";
/// The files of a release.
const RELEASE: [&str; 3] = ["main.js", "manifest.json", "styles.css"];
/// Largest release, in bytes. Obsidian loads all of it when it starts, also on phones.
const BUDGET_BYTES: u64 = 100 * 1024;

/// The folder of the built plugin.
pub(crate) fn dist(workspace: &Workspace) -> PathBuf {
    workspace.root.join(FOLDER).join("dist")
}

/// Checks types and lints, builds the plugin, runs its unit tests, and returns its size. The npm packages must be there.
///
/// # Errors
/// If something is wrong with the plugin, or it is too large.
pub(crate) fn build(workspace: &Workspace) -> Result<String> {
    for script in ["check", "lint", "build", "unit"] {
        let mut npm = workspace.command("npm");
        npm.args(["run", "--silent", script]).current_dir(workspace.root.join(FOLDER));
        process::run(script, &mut npm)?;
    }
    let mut bytes = 0;
    for file in RELEASE {
        let path = dist(workspace).join(file);
        let size = path.metadata().with_context(|| format!("{} was not built", path.display()))?;
        bytes += size.len();
    }
    ensure!(bytes <= BUDGET_BYTES, "the plugin has {bytes} bytes, more than {BUDGET_BYTES}");
    Ok(format!("plugin for Obsidian: {} of {} KiB", bytes / 1024, BUDGET_BYTES / 1024))
}
