//! Builds the client's files into `dist/` if they are out of date.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::setup::WASM;
use crate::workspace::Workspace;
use crate::{hash, process, progress};

/// All inputs of the client's build.
const INPUTS: &[&str] = &[
    "client",
    "shared",
    "index.html",
    "Trunk.toml",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
];

/// The profile of the client's build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuildProfile {
    /// Quick to build, but large.
    Debug,
    /// Small, but slow to build.
    Release,
}

/// Returns true if `dist/` is what the current inputs and this profile make.
///
/// # Errors
/// If a file can't be read.
pub(crate) fn is_fresh(workspace: &Workspace, profile: BuildProfile) -> Result<bool> {
    let stamp = std::fs::read_to_string(stamp(workspace)).unwrap_or_default();
    Ok(stamp == content(&inputs(workspace, profile)?, &outputs(workspace)?))
}

/// Builds the client unless `dist/` is fresh.
///
/// # Errors
/// If the build fails.
pub(crate) fn build(workspace: &Workspace, profile: BuildProfile) -> Result<()> {
    if is_fresh(workspace, profile)? {
        return Ok(());
    }
    // Hashed first, so that a change during the build leads to a rebuild next time.
    let inputs = inputs(workspace, profile)?;
    let mut fetch = workspace.cargo(&["fetch", "--target", WASM]);
    process::run("crates", &mut fetch)?;
    progress::line("Building the client.");
    // Trunk would copy scripts that only an earlier build needed.
    let earlier = workspace.web_target().join("wasm-bindgen");
    if earlier.exists() {
        std::fs::remove_dir_all(&earlier).context("can't clear the last build")?;
    }
    let mut trunk = workspace.command("trunk");
    let made = workspace.web_target().join("dist");
    trunk.args(["build", "--dist"]).arg(&made).env("CARGO_TARGET_DIR", workspace.web_target());
    // Some environments set NO_COLOR=1, which trunk rejects as a malformed flag.
    trunk.env_remove("NO_COLOR");
    if profile == BuildProfile::Release {
        trunk.args(["--release", "--features", "split"]);
        trunk.env("PATH", workspace.path_behind(&workspace.root.join("client/split"))?);
        trunk.env("MOORLINE_SPLIT_DIR", workspace.web_target().join("split"));
    }
    process::run("client", &mut trunk)?;
    replace(&made, &workspace.dist()).context("can't put the built client into dist/")?;
    std::fs::write(stamp(workspace), content(&inputs, &outputs(workspace)?))
        .context("can't note what was built")
}

/// Replaces a folder by another one. A relay that serves from it never sees half a build, nor
/// does a `trunk serve` that uses the same folder.
pub(crate) fn replace(new: &Path, old: &Path) -> std::io::Result<()> {
    if old.exists() {
        std::fs::remove_dir_all(old)?;
    }
    std::fs::rename(new, old)
}

fn stamp(workspace: &Workspace) -> PathBuf {
    workspace.web_target().join("dist-stamp")
}

fn content(inputs: &str, outputs: &str) -> String {
    format!("from {inputs}\nmade {outputs}\n")
}

fn inputs(workspace: &Workspace, profile: BuildProfile) -> Result<String> {
    Ok(format!("{profile:?} {}", hash::of_paths(&workspace.root, INPUTS)?))
}

/// The hash of `dist/`, because `trunk serve` writes to the same folder.
fn outputs(workspace: &Workspace) -> Result<String> {
    hash::of_paths(&workspace.dist(), &["."])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_new_build_leaves_nothing_of_the_old_one() {
        let root = tempfile::tempdir().unwrap();
        let (new, old) = (root.path().join("new"), root.path().join("old"));
        for folder in [&new, &old] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(old.join("stale"), "1").unwrap();
        fs::write(new.join("fresh"), "2").unwrap();
        replace(&new, &old).unwrap();
        assert!(old.join("fresh").exists() && !old.join("stale").exists() && !new.exists());
    }
}
