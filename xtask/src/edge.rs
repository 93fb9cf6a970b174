//! The edge relay: the Worker, the files that it serves, and their configuration for workerd.

mod serve;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use walkdir::WalkDir;

use crate::client;
use crate::purpose::Purpose;
use crate::setup;
use crate::workspace::Workspace;
use crate::{budget, hash, packages, process, progress, run};
pub(crate) use serve::serve;

/// All inputs of the Worker's build.
const INPUTS: &[&str] = &[
    ".cargo",
    "shared",
    "relay",
    "deploy/edge/package-lock.json",
    "client/package-lock.json",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
];

/// Files with the REST API's description, with and without the deprecated routes, and the arguments
/// that make each.
const DESCRIPTIONS: [(&str, &[&str]); 2] =
    [("openapi.json", &[]), ("openapi-current.json", &["--no-legacy"])];

/// Files of the Worker itself, which are uploaded.
const WORKER: &[&str] = &["index.js", MODULE];
const MODULE: &str = "index_bg.wasm";
/// Features of wasm that the module uses. wasm-opt assumes none.
const FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-exception-handling",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Files copied beside it. The configurations name all files relative to themselves.
const BESIDE: &[&str] = &[
    "deploy/edge/workerd.capnp",
    "tests/edge/tests.capnp",
    "tests/edge/tests.js",
    "tests/edge/ratelimit.js",
];

/// `cargo xtask edge --dist`: builds what `wrangler deploy` uploads.
///
/// # Errors
/// If something can't be installed or built.
pub(crate) fn make(workspace: &Workspace) -> Result<()> {
    prepare(workspace)?;
    progress::line(&format!("The Worker and its files are in {}.", folder(workspace).display()));
    Ok(())
}

/// Sets up and builds everything for release, and returns the program for hosts.
fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    setup::ensure(workspace, Purpose::Edge)?;
    let program = run::release_build(workspace)?;
    build(workspace, &program)?;
    Ok(program)
}

/// Builds the Worker if it is out of date, and puts everything beside it. The client's files must
/// be in `dist/`. The program describes the REST API, which both relays share.
///
/// # Errors
/// If the build fails.
pub(crate) fn build(workspace: &Workspace, program: &Path) -> Result<()> {
    let folder = folder(workspace);
    std::fs::create_dir_all(&folder)?;
    build_worker(workspace)?;
    gather_assets(workspace, program)?;
    for file in BESIDE.iter().map(|file| workspace.root.join(file)) {
        let name = file.file_name().context("each has a name")?;
        std::fs::copy(&file, folder.join(name))
            .with_context(|| format!("can't copy {}", file.display()))?;
    }
    Ok(())
}

/// Checks the Worker's size against its budget, and describes it.
///
/// # Errors
/// If it is over budget.
pub(crate) fn check_size(workspace: &Workspace) -> Result<String> {
    let worker = folder(workspace).join("worker");
    budget::check_worker(WORKER.iter().map(|name| worker.join(name)))
}

/// The folder of the built Worker and its files.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("edge")
}

fn build_worker(workspace: &Workspace) -> Result<()> {
    let stamp = folder(workspace).join("worker-stamp");
    let worker = folder(workspace).join("worker");
    let inputs = hash::of_paths(&workspace.root, INPUTS)?;
    let content = |outputs: &str| format!("from {inputs}\nmade {outputs}\n");
    let noted = std::fs::read_to_string(&stamp).unwrap_or_default();
    if noted == content(&hash::of_paths(&worker, WORKER)?) {
        return Ok(());
    }
    progress::line("Building the Worker.");
    let made = workspace.web_target().join("worker/made");
    process::run("Worker", &mut worker_build(workspace, &made)?)?;
    strip(workspace, &made.join(MODULE))?;
    std::fs::create_dir_all(&worker)?;
    for name in WORKER {
        std::fs::copy(made.join(name), worker.join(name))
            .with_context(|| format!("worker-build did not make {name}"))?;
    }
    std::fs::write(stamp, content(&hash::of_paths(&worker, WORKER)?))
        .context("can't note what was built")
}

/// Removes the names of functions, which worker-build keeps and which are a quarter of the upload.
fn strip(workspace: &Workspace, module: &Path) -> Result<()> {
    let mut strip = workspace.command("wasm-opt");
    strip.arg(module).arg("-o").arg(module).args(FEATURES);
    process::run("Worker's names", strip.args(["--strip-debug", "--strip-producers"])).map(drop)
}

/// The command that builds the Worker. worker-build finds its tools by variables, and downloads
/// those that none names. It has a target folder of its own, because it makes wasm-bindgen's macros
/// write other code, and cargo would not notice.
fn worker_build(workspace: &Workspace, made: &Path) -> Result<Command> {
    let found = |name: &str| {
        let there = workspace.find(Path::new(name));
        there.with_context(|| format!("{name} is missing: run `cargo xtask setup`"))
    };
    let mut command = workspace.command("worker-build");
    command
        .args(["--profile", "wasm-release", "--out-dir"])
        .arg(made)
        .arg(workspace.root.join("relay/edge"))
        .arg("--locked")
        .env("WASM_BINDGEN_BIN", found("wasm-bindgen")?)
        .env("WASM_OPT_BIN", found("wasm-opt")?)
        .env("ESBUILD_BIN", packages::esbuild(workspace)?)
        .env("CARGO_TARGET_DIR", workspace.web_target().join("worker"));
    Ok(command)
}

/// Collects the client's files and the REST API's descriptions into `assets`.
fn gather_assets(workspace: &Workspace, program: &Path) -> Result<()> {
    let (new, assets) = (folder(workspace).join("assets.new"), folder(workspace).join("assets"));
    if new.exists() {
        std::fs::remove_dir_all(&new)?;
    }
    copy_all(&workspace.dist(), &new).context("can't copy the client's files")?;
    for (name, arguments) in DESCRIPTIONS {
        let mut describe = workspace.command(program);
        let description = process::answer(describe.arg("openapi").args(arguments))
            .with_context(|| format!("`{} openapi` failed", program.display()))?;
        std::fs::write(new.join(name), description)?;
    }
    client::replace(&new, &assets).context("can't replace the files that are served")
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// workerd with a configuration of [`folder`], which takes the Worker's variables from workerd's
/// own environment. A variable that is named but not set would be null, which no Worker expects.
fn workerd(workspace: &Workspace, config: &str) -> Result<Command> {
    let mut command = workspace.command(packages::workerd(workspace)?);
    let path = folder(workspace).join(config);
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    for name in variables(&text).filter(|name| std::env::var_os(name).is_none()) {
        command.env(name, OsStr::new(""));
    }
    command.arg("serve").arg(path);
    Ok(command)
}

/// Names of the environment variables that a configuration reads.
fn variables(config: &str) -> impl Iterator<Item = &str> {
    let after = config.split("fromEnvironment = \"").skip(1);
    after.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPLOYED: &str = include_str!("../../deploy/edge/wrangler.toml");
    const LOCAL: &str = include_str!("../../deploy/edge/workerd.capnp");
    const TESTED: &str = include_str!("../../tests/edge/tests.capnp");

    #[test]
    fn a_copy_has_the_folders_too() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        std::fs::create_dir_all(from.join("a/b")).unwrap();
        std::fs::write(from.join("a/b/c"), "1").unwrap();
        copy_all(&from, &to).unwrap();
        assert_eq!(std::fs::read_to_string(to.join("a/b/c")).unwrap(), "1");
    }

    #[test]
    fn every_variable_of_the_deployment_is_known_here() {
        let names: Vec<&str> = variables(LOCAL).collect();
        assert!(names.contains(&"MOORLINE_TOKEN"), "{names:?}");
        // Variables other than the secret have their default in the deployment's configuration.
        for name in names.iter().filter(|&&name| name != "MOORLINE_TOKEN") {
            assert!(DEPLOYED.contains(&format!("{name} = ")), "{name}");
        }
    }

    #[test]
    fn what_the_worker_asks_for_is_there() {
        let known: Vec<&str> = variables(TESTED).collect();
        assert!(variables(LOCAL).all(|name| known.contains(&name)), "{known:?}");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../relay/edge/src");
        let mut asked = 0;
        for file in WalkDir::new(source) {
            let file = file.unwrap();
            let text = std::fs::read_to_string(file.path()).unwrap_or_default();
            for rest in text.split("\"MOORLINE_").skip(1) {
                let name = format!("MOORLINE_{}", rest.split('"').next().unwrap());
                assert!(known.contains(&name.as_str()), "{name} of {}", file.path().display());
                asked += 1;
            }
        }
        assert!(asked > 0, "there is no such source");
    }

    #[test]
    fn what_runs_here_behaves_as_what_is_deployed() {
        let date = |config: &str, name: &str| {
            let (_, rest) = config.split_once(&format!("{name} = \"")).unwrap();
            rest.split_once('"').unwrap().0.to_owned()
        };
        let deployed = date(DEPLOYED, "compatibility_date");
        assert_eq!(date(LOCAL, "compatibilityDate"), deployed);
        assert_eq!(date(TESTED, "compatibilityDate"), deployed);
        let flags = |config: &str, name: &str| -> Vec<String> {
            let (_, rest) = config.split_once(&format!("{name} = [")).unwrap();
            let list = rest.split_once(']').unwrap().0;
            list.split(',').map(|flag| flag.trim().trim_matches('"').to_owned()).collect()
        };
        let deployed = flags(DEPLOYED, "compatibility_flags");
        assert_eq!(flags(LOCAL, "compatibilityFlags"), deployed);
        let tested = flags(TESTED, "compatibilityFlags");
        assert!(deployed.iter().all(|flag| tested.contains(flag)), "{tested:?}");
    }
}
