//! What only the system's package manager can provide.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;
use crate::setup::Purpose;
use crate::workspace::Workspace;

/// A program of the system.
pub(crate) struct Program {
    /// It goes by any of these names.
    names: &'static [&'static str],
    /// A variable that may hold its path instead.
    variable: Option<&'static str>,
    pub(crate) debian: &'static str,
    pub(crate) why: &'static str,
}

const COMPILER: Program =
    Program { names: &["cc"], variable: None, debian: "gcc", why: "links, and compiles SQLite" };
const NPM: Program = Program {
    names: &["npm"],
    variable: None,
    debian: "npm",
    why: "installs the browser's modules and wasm-opt",
};
const CXX: Program = Program {
    names: &["c++"],
    variable: Some("CXX"),
    debian: "g++",
    why: "compiles the fuzzing engine",
};
const CHROMIUM: Program = Program {
    names: &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    variable: Some("CHROME"),
    debian: "chromium",
    why: "runs the browser scenarios",
};
const CHROMEDRIVER: Program = Program {
    names: &["chromedriver"],
    variable: Some("CHROMEDRIVER"),
    debian: "chromium-driver",
    why: "runs the client's own tests",
};

const ZSH: Program =
    Program { names: &["zsh"], variable: None, debian: "zsh", why: "runs the shell tests" };
const FISH: Program =
    Program { names: &["fish"], variable: None, debian: "fish", why: "runs the shell tests" };

/// Every program of the system for a purpose.
pub(crate) fn needed(purpose: Purpose) -> Vec<Program> {
    match purpose {
        Purpose::Run => vec![COMPILER, NPM],
        Purpose::Test => vec![COMPILER, NPM, CXX, CHROMIUM, CHROMEDRIVER, ZSH, FISH],
    }
}

/// The browser of the scenarios.
pub(crate) fn chromium(workspace: &Workspace) -> Option<PathBuf> {
    CHROMIUM.find(workspace)
}

/// The driver of the client's own tests.
pub(crate) fn chromedriver(workspace: &Workspace) -> Option<PathBuf> {
    CHROMEDRIVER.find(workspace)
}

impl Program {
    /// Where it is.
    pub(crate) fn find(&self, workspace: &Workspace) -> Option<PathBuf> {
        let set = self.variable.and_then(std::env::var_os).map(PathBuf::from);
        let mut names = self.names.iter().map(PathBuf::from);
        set.or_else(|| names.find_map(|name| workspace.find(&name)))
    }
}

/// Installs Debian packages, as root or by sudo.
///
/// # Errors
/// Where the system has no apt, or apt fails.
pub(crate) fn install(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    if !workspace.has("apt-get") {
        bail!(
            "this system has no apt-get: install what Debian calls `{names}` by its own package manager"
        );
    }
    let is_root = process::answer(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    if !is_root && !workspace.has("sudo") {
        bail!("run `apt-get install {names}` as root: there is no sudo here");
    }
    let apt = |arguments: &[&str]| {
        let mut command = if is_root {
            workspace.command("env")
        } else {
            let mut command = workspace.command("sudo");
            command.arg("env");
            command
        };
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(arguments);
        process::run("Debian packages", &mut command)
    };
    apt(&["update"])?;
    apt(&[&["install", "--yes", "--no-install-recommends"], packages].concat())?;
    Ok(())
}
