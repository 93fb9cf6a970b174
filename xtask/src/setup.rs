//! Setup on first use: finds what is missing, says why it is needed, and installs it.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::progress;
use crate::purpose::Purpose;
use crate::workspace::Workspace;
use crate::{packages, process, python, system, tools};

/// The target that the client is built for.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// A missing part that is to be installed.
struct MissingPart<'a> {
    what: String,
    why: String,
    install: Box<dyn FnOnce() -> Result<()> + Send + 'a>,
}

/// Installs what is missing for a purpose; does nothing if nothing is missing.
///
/// # Errors
/// If something can't be installed; the error says what to do.
pub(crate) fn ensure(workspace: &Workspace, purpose: Purpose) -> Result<()> {
    let tools = tools::needed(workspace, purpose)?;
    system::link(workspace)?;
    for tool in &tools {
        tool.link(workspace)?;
    }
    let system = system::needed(purpose);
    // Tools are built in sequence, because each build uses every core and they share dependencies.
    // Downloads run beside them.
    let lanes = [builds(workspace, &tools), downloads(workspace, purpose, &system)?];
    let count: usize = lanes.iter().map(Vec::len).sum();
    if count == 0 {
        return Ok(());
    }
    progress::line("Set-up. Missing:");
    for part in lanes.iter().flatten() {
        progress::line(&format!("  {}: {}", part.what, part.why));
    }
    let started = Instant::now();
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for lane in lanes {
            scope.spawn(|| perform(lane, &failed));
        }
    });
    if failed.into_inner() {
        bail!("the set-up is not complete; see above for what is missing");
    }
    progress::line(&format!("Set-up done in {}.", progress::spoken(started.elapsed())));
    Ok(())
}

/// Installs parts in sequence, until one fails here or in another lane.
fn perform(lane: Vec<MissingPart<'_>>, failed: &AtomicBool) {
    for part in lane {
        if failed.load(Ordering::Relaxed) {
            return;
        }
        progress::line(&format!("  {}: installing", part.what));
        let started = Instant::now();
        let outcome = match (part.install)() {
            Ok(()) => format!("done in {}", progress::spoken(started.elapsed())),
            Err(error) => {
                failed.store(true, Ordering::Relaxed);
                format!("FAILED: {error:#}")
            }
        };
        progress::line(&format!("  {}: {outcome}", part.what));
    }
}

fn builds<'a>(workspace: &'a Workspace, tools: &'a [tools::Tool]) -> Vec<MissingPart<'a>> {
    let mut parts = Vec::new();
    if !has_target(workspace, WASM) {
        parts.push(MissingPart {
            what: WASM.to_owned(),
            why: "what the browser runs is compiled for it; by rustup".to_owned(),
            install: Box::new(|| add_target(workspace, WASM)),
        });
    }
    for tool in tools.iter().filter(|tool| !tool.is_there(workspace)) {
        parts.push(MissingPart {
            what: format!("{} {}", tool.package, tool.installs),
            why: format!("{}; into {}", tool.why, workspace.kept().display()),
            install: Box::new(|| tool.install(workspace)),
        });
    }
    parts
}

fn downloads<'a>(
    workspace: &'a Workspace,
    purpose: Purpose,
    system: &'a [system::Program],
) -> Result<Vec<MissingPart<'a>>> {
    let missing: Vec<&system::Program> =
        system.iter().filter(|program| program.find(workspace).is_none()).collect();
    let mut parts = Vec::new();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|program| program.debian).collect();
        let reasons: Vec<String> =
            missing.iter().map(|program| format!("{} {}", program.debian, program.why)).collect();
        parts.push(MissingPart {
            what: format!("Debian packages {}", names.join(" ")),
            why: reasons.join("; "),
            install: Box::new(move || system::install(workspace, &missing)),
        });
    }
    for packages in packages::needed(purpose) {
        if !packages.are_there(workspace)? {
            parts.push(MissingPart {
                what: "npm packages".to_owned(),
                why: format!("{}, by {}/package-lock.json", packages.why, packages.folder),
                install: Box::new(|| packages.install(workspace)),
            });
        }
    }
    if purpose == Purpose::Test && !python::are_there(workspace)? {
        parts.push(MissingPart {
            what: "Python packages".to_owned(),
            why: "tests of the API and of editors, and cargo's plugins, by tests/requirements.txt"
                .to_owned(),
            install: Box::new(|| python::install(workspace)),
        });
    }
    Ok(parts)
}

/// Returns true if Rust's standard library for this target is installed.
pub(crate) fn has_target(workspace: &Workspace, target: &str) -> bool {
    let sysroot = process::answer(workspace.command("rustc").args(["--print", "sysroot"]));
    sysroot.is_some_and(|sysroot| {
        Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib").is_dir()
    })
}

/// Installs Rust's standard library for this target.
///
/// # Errors
/// If rustup is missing or fails.
pub(crate) fn add_target(workspace: &Workspace, target: &str) -> Result<()> {
    if !workspace.has("rustup") {
        bail!("install the Rust standard library for {target}: rustup was not found");
    }
    let command: &mut Command = &mut workspace.command("rustup");
    process::run(target, command.args(["target", "add", target])).map(drop)
}
