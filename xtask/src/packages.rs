//! npm packages, installed from lock files without running their scripts.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::purpose::Purpose;
use crate::workspace::Workspace;
use crate::{hash, process};

/// A folder with a lock file of npm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packages {
    pub(crate) folder: &'static str,
    pub(crate) why: &'static str,
}

const CLIENT: Packages = Packages { folder: "client", why: "the browser's terminal, and wasm-opt" };
const EDGE: Packages = Packages {
    folder: "deploy/edge",
    why: "workerd, which runs Workers, and the Worker's bundler",
};
const OBSIDIAN: Packages =
    Packages { folder: "obsidian", why: "compiler, linter and bundler of the plugin for Obsidian" };

/// The folders with npm packages that a purpose needs.
pub(crate) fn needed(purpose: Purpose) -> &'static [Packages] {
    match purpose {
        Purpose::Run => &[CLIENT],
        Purpose::Edge => &[CLIENT, EDGE],
        Purpose::Test => &[CLIENT, EDGE, OBSIDIAN],
    }
}

/// Path of workerd, which runs Workers.
pub(crate) fn workerd(workspace: &Workspace) -> Result<PathBuf> {
    EDGE.program(workspace, "node_modules/@cloudflare", "bin/workerd")
}

/// Path of esbuild, the Worker's bundler.
pub(crate) fn esbuild(workspace: &Workspace) -> Result<PathBuf> {
    EDGE.program(workspace, "node_modules/@esbuild", "bin/esbuild")
}

/// Returns the command that installs the packages of the lock file in its current folder.
pub(crate) fn npm_ci(workspace: &Workspace) -> Command {
    let mut command = workspace.command("npm");
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    command
}

impl Packages {
    /// Returns true if the lock file has not changed since the packages were installed.
    pub(crate) fn are_there(self, workspace: &Workspace) -> Result<bool> {
        let installed = std::fs::read_to_string(self.stamp(workspace)).unwrap_or_default();
        Ok(installed == self.lock_hash(workspace)?)
    }

    /// Installs the packages.
    ///
    /// # Errors
    /// If npm fails.
    pub(crate) fn install(self, workspace: &Workspace) -> Result<()> {
        let mut command = npm_ci(workspace);
        command.current_dir(workspace.root.join(self.folder));
        process::run("npm packages", &mut command)?;
        std::fs::write(self.stamp(workspace), self.lock_hash(workspace)?)?;
        Ok(())
    }

    /// Path of a native program. npm installs a package of it for this machine's system only.
    fn program(self, workspace: &Workspace, scope: &str, path: &str) -> Result<PathBuf> {
        let scope = workspace.root.join(self.folder).join(scope);
        for package in std::fs::read_dir(&scope).into_iter().flatten() {
            let program = package?.path().join(path);
            if program.is_file() {
                return Ok(program);
            }
        }
        anyhow::bail!("npm did not install {path} for this system into {}", scope.display())
    }

    /// File with the installed lock's hash. npm empties its folder first, so it can't outlast the
    /// packages.
    fn stamp(self, workspace: &Workspace) -> PathBuf {
        workspace.root.join(self.folder).join("node_modules/.moorline-lock-hash")
    }

    fn lock_hash(self, workspace: &Workspace) -> Result<String> {
        let folder = workspace.root.join(self.folder);
        hash::of_paths(&folder, &["package.json", "package-lock.json"])
    }
}
