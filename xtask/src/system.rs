//! Programs that only the system's package manager can provide.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::purpose::Purpose;
use crate::workspace::Workspace;
use crate::{link, process};

/// A program of the system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    /// The program's possible names.
    names: &'static [&'static str],
    /// A variable that may hold its path instead.
    variable: Option<&'static str>,
    /// Arguments with which it must succeed to be accepted.
    proof: &'static [&'static str],
    pub(crate) debian: &'static str,
    pub(crate) why: &'static str,
    source: PackageSource,
}

/// Treatment of a Debian package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PackageSource {
    /// Installed by apt-get, as root.
    Installed,
    /// Unpacked among the user's tools, because installing it would start a server on this machine.
    Unpacked,
}

const COMPILER: Program = program(&["cc"], "gcc", "links, and compiles SQLite");
const NPM: Program = program(&["npm"], "npm", "installs the browser's modules and wasm-opt");
const CXX: Program =
    Program { variable: Some("CXX"), ..program(&["c++"], "g++", "compiles the fuzzing engine") };
const CHROMIUM: Program = Program {
    variable: Some("CHROME"),
    ..program(
        &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
        "chromium",
        "runs the browser scenarios",
    )
};
const FIREFOX: Program = Program {
    variable: Some("FIREFOX"),
    ..program(&["firefox-esr", "firefox"], "firefox-esr", "runs the main browser scenarios")
};
const CHROMEDRIVER: Program = Program {
    variable: Some("CHROMEDRIVER"),
    ..program(&["chromedriver"], "chromium-driver", "runs the client's own tests")
};
const ZSH: Program = program(&["zsh"], "zsh", "runs the shell tests");
const SQLITE: Program = program(&["sqlite3"], "sqlite3", "looks into a relay's database");
const CURL: Program = program(&["curl"], "curl", "runs the walk-through of docs/API.md");
const FISH: Program = program(&["fish"], "fish", "runs the shell tests");
const NGINX: Program = Program {
    variable: Some("NGINX"),
    source: PackageSource::Unpacked,
    ..program(&["nginx"], "nginx", "runs deploy/nginx.conf")
};
const CADDY: Program = Program {
    variable: Some("CADDY"),
    source: PackageSource::Unpacked,
    ..program(&["caddy"], "caddy", "runs deploy/caddy/Caddyfile")
};
const TMUX: Program = program(&["tmux"], "tmux", "has the panes of the tmux tests");
const VIM: Program = program(&["vim"], "vim", "draws on the panes of the tmux tests");
const HTOP: Program = program(&["htop"], "htop", "draws on the panes of the tmux tests");
const SYSTEMD_ANALYZE: Program =
    program(&["systemd-analyze"], "systemd", "verifies the units of deploy/systemd");
const PYTHON: Program = Program {
    proof: &["-c", "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))"],
    ..program(&["python3", "/usr/bin/python3"], "python3-venv", "runs the test of the REST API")
};

/// The programs of the system that a purpose needs.
pub(crate) fn needed(purpose: Purpose) -> Vec<Program> {
    let run = [COMPILER, NPM];
    let test = [
        CXX,
        CHROMIUM,
        FIREFOX,
        CHROMEDRIVER,
        ZSH,
        FISH,
        CURL,
        SQLITE,
        TMUX,
        VIM,
        HTOP,
        NGINX,
        CADDY,
        SYSTEMD_ANALYZE,
        PYTHON,
    ];
    match purpose {
        Purpose::Run | Purpose::Edge => run.to_vec(),
        Purpose::Test => [&run[..], &test].concat(),
    }
}

/// Programs that the scenarios run besides the relay, each with the variable that holds its path.
///
/// # Errors
/// If a program is missing.
pub(crate) fn for_scenarios(workspace: &Workspace) -> Result<Vec<(&'static str, PathBuf)>> {
    let programs = [("CHROME", CHROMIUM), ("FIREFOX", FIREFOX), ("NGINX", NGINX), ("CADDY", CADDY)];
    let there = programs.into_iter().map(|(variable, program)| {
        let path = program.find(workspace);
        Ok((variable, path.with_context(|| format!("{} was not found", program.debian))?))
    });
    there.collect()
}

/// Path of the browser driver for the client's own tests.
pub(crate) fn chromedriver(workspace: &Workspace) -> Option<PathBuf> {
    CHROMEDRIVER.find(workspace)
}

/// Path of a Python that can create environments for packages.
pub(crate) fn python(workspace: &Workspace) -> Option<PathBuf> {
    PYTHON.find(workspace)
}

const fn program(
    names: &'static [&'static str],
    debian: &'static str,
    why: &'static str,
) -> Program {
    Program { names, variable: None, proof: &[], debian, why, source: PackageSource::Installed }
}

impl Program {
    /// Path of the program: from its variable, its names on PATH, or the unpacked packages.
    pub(crate) fn find(&self, workspace: &Workspace) -> Option<PathBuf> {
        let set = self.variable.and_then(std::env::var_os).map(PathBuf::from);
        let mut names = self.names.iter().map(Path::new);
        let there = || names.find_map(|name| workspace.find(name).filter(|path| self.proves(path)));
        set.or_else(there).or_else(|| self.unpacked(workspace))
    }

    fn proves(&self, path: &Path) -> bool {
        self.proof.is_empty() || process::answer(Command::new(path).args(self.proof)).is_some()
    }

    fn unpacked(&self, workspace: &Workspace) -> Option<PathBuf> {
        // A system's own server is often only on root's PATH.
        let roots = [PathBuf::from("/"), unpacked(workspace)];
        let wanted = self.source == PackageSource::Unpacked;
        let folders = roots.iter().flat_map(|root| [root.join("usr/sbin"), root.join("usr/bin")]);
        let mut files = folders.map(|folder| folder.join(self.names[0]));
        files.find(|file| wanted && file.is_file())
    }
}

fn unpacked(workspace: &Workspace) -> PathBuf {
    workspace.kept().join("debian")
}

/// Links the unpacked packages of all checkouts into this one.
///
/// # Errors
/// If the link can't be made.
pub(crate) fn link(workspace: &Workspace) -> Result<()> {
    link::replace(&unpacked(workspace), &workspace.tools().join("debian"))
}

/// Installs or unpacks the packages of these programs.
///
/// # Errors
/// If the system has no apt-get, or it fails.
pub(crate) fn install(workspace: &Workspace, programs: &[&Program]) -> Result<()> {
    let of = |source: PackageSource| -> Vec<&str> {
        let from = programs.iter().filter(|program| program.source == source);
        from.map(|program| program.debian).collect()
    };
    let (installed, servers) = (of(PackageSource::Installed), of(PackageSource::Unpacked));
    if !workspace.has("apt-get") {
        let names = [installed, servers].concat().join(" ");
        bail!(
            "this system has no apt-get: install what Debian calls `{names}` with its own package \
             manager"
        );
    }
    // Unpacking needs a list of packages too: if it fails, the list is fetched first.
    if !installed.is_empty() || unpack(workspace, &servers).is_err() {
        let apt = as_root(workspace, &installed)?;
        apt(&["update"])?;
        if !installed.is_empty() {
            apt(&[&["install", "--yes", "--no-install-recommends"], &installed[..]].concat())?;
        }
        unpack(workspace, &servers)?;
    }
    Ok(())
}

/// Returns a function that runs apt-get as root, through sudo if necessary.
fn as_root<'a>(
    workspace: &'a Workspace,
    packages: &[&str],
) -> Result<impl Fn(&[&str]) -> Result<()> + 'a> {
    let is_root = process::answer(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    if !is_root && !workspace.has("sudo") {
        let names = packages.join(" ");
        bail!("run `apt-get update` and `apt-get install {names}` as root: sudo was not found");
    }
    Ok(move |arguments: &[&str]| {
        let mut command = workspace.command(if is_root { "env" } else { "sudo" });
        if !is_root {
            command.arg("env");
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(arguments);
        process::run("Debian packages", &mut command).map(drop)
    })
}

/// Downloads packages and unpacks them among the user's tools; neither needs root.
fn unpack(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let folder = workspace.kept().join("debian-packages");
    std::fs::create_dir_all(&folder)?;
    for package in packages {
        let mut download = workspace.command("apt-get");
        download.args(["download", package]).current_dir(&folder);
        process::run(package, &mut download)?;
    }
    for file in std::fs::read_dir(&folder)? {
        let file = file?.path();
        let mut unpack = workspace.command("dpkg-deb");
        process::run("unpacking", unpack.arg("--extract").arg(&file).arg(unpacked(workspace)))?;
        std::fs::remove_file(file)?;
    }
    Ok(())
}
