//! The supervisors of pods: a static program for each kind of machine.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{process, progress, setup};

/// The kinds of machines, as `uname -m` names them, and the targets of their programs.
const MACHINES: [(&str, &str); 2] =
    [("x86_64", "x86_64-unknown-linux-musl"), ("aarch64", "aarch64-unknown-linux-musl")];
/// The supervisor's package, and its program.
const PROGRAM: &str = "moorline-supervisor";
/// The profile that it is built with.
const PROFILE: &str = "supervisor";

/// The folder with a supervisor for each kind of machine.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("supervisors")
}

/// Builds the supervisor for each kind of machine, and returns a line about their sizes.
///
/// # Errors
/// If it does not build.
pub(crate) fn build(workspace: &Workspace) -> Result<String> {
    progress::line("Building the supervisors of pods.");
    // Apart from the other builds, so that it can run beside them.
    let target = workspace.target.join("supervisor");
    let mut sizes = Vec::new();
    for (machine, triple) in MACHINES {
        // rust-toolchain.toml names it, but rustup does not add it to a toolchain that is there.
        if !setup::has_target(workspace, triple) {
            progress::line(&format!("  {triple}: installing Rust's standard library for it"));
            setup::add_target(workspace, triple)?;
        }
        let mut cargo = workspace.cargo(&["build", "--locked", "--profile", PROFILE]);
        cargo.args(["--package", PROGRAM, "--target", triple]).env("CARGO_TARGET_DIR", &target);
        process::run("supervisor", &mut cargo)?;
        let folder = folder(workspace).join(machine);
        fs::create_dir_all(&folder)?;
        let built = target.join(triple).join(PROFILE).join(PROGRAM);
        // A program that runs cannot be overwritten.
        let (new, program) = (folder.join("new"), folder.join(PROGRAM));
        let bytes = fs::copy(&built, &new).with_context(|| built.display().to_string())?;
        fs::rename(&new, &program)?;
        sizes.push(format!("{machine} {} KiB", bytes / 1024));
    }
    Ok(format!("supervisors: {}", sizes.join(", ")))
}
