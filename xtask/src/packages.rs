//! What npm installs, by lock files: no package's own scripts are run.

use std::path::PathBuf;

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

/// Every such folder for a purpose.
pub(crate) fn needed(purpose: Purpose) -> &'static [Packages] {
    match purpose {
        Purpose::Run => &[CLIENT],
        Purpose::Edge | Purpose::Test => &[CLIENT, EDGE],
    }
}

/// The program that runs Workers.
pub(crate) fn workerd(workspace: &Workspace) -> Result<PathBuf> {
    EDGE.program(workspace, "node_modules/@cloudflare", "bin/workerd")
}

/// The bundler.
pub(crate) fn esbuild(workspace: &Workspace) -> Result<PathBuf> {
    EDGE.program(workspace, "node_modules/@esbuild", "bin/esbuild")
}

impl Packages {
    /// Whether what is installed is what the lock file names.
    pub(crate) fn are_there(self, workspace: &Workspace) -> Result<bool> {
        let installed = std::fs::read_to_string(self.stamp(workspace)).unwrap_or_default();
        Ok(installed == self.lock_hash(workspace)?)
    }

    /// Installs them.
    ///
    /// # Errors
    /// Where npm fails.
    pub(crate) fn install(self, workspace: &Workspace) -> Result<()> {
        let mut command = workspace.command("npm");
        command
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(workspace.root.join(self.folder));
        process::run("npm packages", &mut command)?;
        std::fs::write(self.stamp(workspace), self.lock_hash(workspace)?)?;
        Ok(())
    }

    /// The program itself: npm installs a package of it for this machine's system alone.
    fn program(self, workspace: &Workspace, scope: &str, path: &str) -> Result<PathBuf> {
        let scope = workspace.root.join(self.folder).join(scope);
        for package in std::fs::read_dir(&scope).into_iter().flatten() {
            let program = package?.path().join(path);
            if program.is_file() {
                return Ok(program);
            }
        }
        anyhow::bail!("npm has installed no {path} for this system into {}", scope.display())
    }

    /// In the folder that npm empties first, so that it can't outlive what it speaks of.
    fn stamp(self, workspace: &Workspace) -> PathBuf {
        workspace.root.join(self.folder).join("node_modules/.moorline-lock-hash")
    }

    fn lock_hash(self, workspace: &Workspace) -> Result<String> {
        let folder = workspace.root.join(self.folder);
        hash::of_paths(&folder, &["package.json", "package-lock.json"])
    }
}
