//! `cargo xtask agents`: real coding agents from npm against a stand-in for their models.
//!
//! They are installed into `target/agents`, each by its lock file in `tests/agents`. What they are
//! told of this machine is only where programs are: their homes are folders of the job.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::purpose::Purpose;
use crate::workspace::Workspace;
use crate::{hash, packages, process, progress, setup};

/// The files that say what is installed.
const LOCK: [&str; 2] = ["package.json", "package-lock.json"];
/// The folder of recordings.
const RECORDINGS: &str = "host/tests/recordings/agents";
/// Seconds after which the installation of an agent has failed.
const INSTALL_SECONDS: u32 = 900;
/// Seconds for all trials.
const TRIAL_SECONDS: u32 = 3600;
/// Variables that the trials get. All others are left out, because they may lead an agent to an
/// account, or tell it of circumstances that the homes of the job do not have.
const VARIABLES: [&str; 5] = ["PATH", "HOME", "LANG", "TERM", "TMPDIR"];

/// Installs agents, builds the relay, and tries them: all of them if there are no names.
///
/// # Errors
/// If something can't be installed or built, or an agent does not do what it should.
pub(crate) fn run(workspace: &Workspace, names: &[String], record: bool) -> Result<()> {
    setup::ensure(workspace, Purpose::Run)?;
    let known = known(workspace)?;
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        bail!("the agent {unknown} does not exist; choose from {}", known.join(", "));
    }
    let chosen = if names.is_empty() { &known } else { names };
    for name in chosen {
        install(workspace, name)?;
    }
    progress::line("Building the relay and the trials.");
    let mut build = workspace.cargo(&["build", "--locked"]);
    build.args(["--package", "moorline-relay", "--package", "moorline-tests", "--bins"]);
    process::run("build", &mut build)?;
    let built = workspace.target.join("debug");
    let mut trials = workspace.command(built.join("agents"));
    trials.args(names).arg("--packages").arg(folder(workspace));
    if record {
        trials.arg("--record").arg(workspace.root.join(RECORDINGS));
    }
    let mut trials = process::limited(&trials, TRIAL_SECONDS);
    trials.current_dir(&workspace.root).env_clear();
    for name in VARIABLES {
        trials.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    trials.env("MOORLINE_BIN", built.join("moorline"));
    let status = trials.status().context("can't start the trials")?;
    if !status.success() {
        bail!("an agent did not do what it should ({status})");
    }
    Ok(())
}

/// The names of all agents, which are the folders of `tests/agents`.
fn known(workspace: &Workspace) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(workspace.root.join("tests/agents"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("agents")
}

/// Installs an agent, unless its lock file has not changed since.
fn install(workspace: &Workspace, name: &str) -> Result<()> {
    let (lock, folder) =
        (workspace.root.join("tests/agents").join(name), folder(workspace).join(name));
    let wanted = hash::of_paths(&lock, &LOCK)?;
    let stamp = folder.join("node_modules/.moorline-lock-hash");
    if std::fs::read_to_string(&stamp).unwrap_or_default() == wanted {
        return Ok(());
    }
    progress::line(&format!("Installing {name} from npm, which takes up to 600 MB."));
    std::fs::create_dir_all(&folder)?;
    for file in LOCK {
        std::fs::copy(lock.join(file), folder.join(file))?;
    }
    let mut npm = packages::npm_ci(workspace);
    let mut npm = process::limited(npm.current_dir(&folder), INSTALL_SECONDS);
    process::run(name, &mut npm)?;
    Ok(std::fs::write(stamp, wanted)?)
}
