//! Paths of the programs and files that the scenarios use.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The `moorline` program: `$MOORLINE_BIN`, or the newest build in this workspace.
///
/// # Errors
/// If there is none, with the command that builds it.
pub fn moorline() -> Result<PathBuf> {
    if let Some(named) = named("MOORLINE_BIN")? {
        return Ok(named);
    }
    let built = ["release", "debug"].map(|profile| workspace().join("target").join(profile));
    let newest = built
        .into_iter()
        .map(|folder| folder.join("moorline"))
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .max();
    newest.map(|(_, path)| path).context(
        "there is no target/debug/moorline: run `cargo build -p moorline-relay`, or \
         `cargo xtask test`, which does",
    )
}

/// The folder of the built client: `$MOORLINE_DIST`, or `dist`.
///
/// # Errors
/// If there is none, with the command that builds it.
pub fn dist() -> Result<PathBuf> {
    if let Some(named) = named("MOORLINE_DIST")? {
        return Ok(named);
    }
    let built = workspace().join("dist");
    if !built.join("index.html").is_file() {
        bail!(
            "there is no dist/index.html: run `trunk build`, or `cargo xtask test`, which does it"
        );
    }
    Ok(built)
}

/// The built plugin for Obsidian: `$MOORLINE_OBSIDIAN`, or `obsidian/dist`.
///
/// # Errors
/// If there is none, with the commands that build it.
pub fn obsidian() -> Result<PathBuf> {
    if let Some(named) = named("MOORLINE_OBSIDIAN")? {
        return Ok(named);
    }
    let built = workspace().join("obsidian/dist");
    if !built.join("main.js").is_file() {
        bail!(
            "there is no obsidian/dist/main.js: run `npm ci` and `npm run build` in obsidian/, or \
             `cargo xtask test`, which does"
        );
    }
    Ok(built)
}

/// The output of `cargo xtask edge --dist`: `$MOORLINE_EDGE`, or `target/edge`.
///
/// # Errors
/// If there is none, with the command that builds it.
pub fn edge() -> Result<PathBuf> {
    if let Some(named) = named("MOORLINE_EDGE")? {
        return Ok(named);
    }
    let built = workspace().join("target/edge");
    if !built.join("worker/index.js").is_file() {
        bail!("there is no Worker in target/edge: run `cargo xtask edge --dist`");
    }
    Ok(built)
}

/// The workerd program: `$WORKERD`, or the one that `cargo xtask` installed.
///
/// # Errors
/// If there is none, with the command that installs it.
pub fn workerd() -> Result<PathBuf> {
    if let Some(named) = named("WORKERD")? {
        return Ok(named);
    }
    let packages = workspace().join("deploy/edge/node_modules/@cloudflare");
    let packages = std::fs::read_dir(packages).into_iter().flatten().flatten();
    let mut programs = packages.map(|package| package.path().join("bin/workerd"));
    let there = programs.find(|program| program.is_file());
    there.context("there is no workerd: run `cargo xtask edge --dist`, which installs it")
}

/// The Firefox program: `$FIREFOX`, or Debian's.
///
/// # Errors
/// If there is none, with the package to install.
pub fn firefox() -> Result<PathBuf> {
    if let Some(named) = named("FIREFOX")? {
        return Ok(named);
    }
    let paths = ["/usr/bin/firefox-esr", "/usr/bin/firefox"].map(PathBuf::from);
    let there = paths.into_iter().find(|path| path.is_file());
    there.context("there is no Firefox: install firefox-esr, or run `cargo xtask test`, which does")
}

/// The Chromium program: `$CHROME`, or Debian's.
///
/// # Errors
/// If there is none, with the package to install.
pub fn chromium() -> Result<PathBuf> {
    if let Some(named) = named("CHROME")? {
        return Ok(named);
    }
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    usual.into_iter().map(PathBuf::from).find(|path| path.is_file()).context(
        "there is no Chromium: install the package `chromium`, or name one in $CHROME, or run \
         `cargo xtask test`, which installs it",
    )
}

/// The nginx program: `$NGINX`, or Debian's, installed or unpacked by `cargo xtask`.
///
/// # Errors
/// If there is none, with the command that installs it.
pub fn nginx() -> Result<PathBuf> {
    server("NGINX", "usr/sbin/nginx")
}

/// The Caddy program: `$CADDY`, or Debian's, installed or unpacked by `cargo xtask`.
///
/// # Errors
/// If there is none, with the command that installs it.
pub fn caddy() -> Result<PathBuf> {
    server("CADDY", "usr/bin/caddy")
}

fn server(variable: &str, path: &str) -> Result<PathBuf> {
    if let Some(named) = named(variable)? {
        return Ok(named);
    }
    let roots = [PathBuf::from("/"), workspace().join("target/tools/debian")];
    let mut there = roots.iter().map(|root| root.join(path)).filter(|path| path.is_file());
    there.next().with_context(|| {
        format!("there is no /{path}: install it, or name one in ${variable}, or run `cargo xtask setup`")
    })
}

/// The Schemathesis program: `$SCHEMATHESIS`, or the one that `cargo xtask` installed.
///
/// # Errors
/// If there is none, with the command that installs it.
pub fn schemathesis() -> Result<PathBuf> {
    if let Some(named) = named("SCHEMATHESIS")? {
        return Ok(named);
    }
    let own = workspace().join("target/tools/python/bin/schemathesis");
    let there = own.is_file().then_some(own);
    there.context("there is no schemathesis: run `cargo xtask setup`, which installs it")
}

/// The Python program that has the client library of the Agent Client Protocol: `$ACP_PYTHON`, or the
/// one that `cargo xtask` installed.
///
/// # Errors
/// If there is none, with the command that installs it.
pub fn python() -> Result<PathBuf> {
    if let Some(named) = named("ACP_PYTHON")? {
        return Ok(named);
    }
    let environment = workspace().join("target/tools/python");
    let has_library = environment.join("lib").read_dir().is_ok_and(|mut versions| {
        let library = |version: std::fs::DirEntry| version.path().join("site-packages/acp");
        versions.any(|version| version.is_ok_and(|version| library(version).is_dir()))
    });
    let there = has_library.then(|| environment.join("bin/python"));
    there.context("there is no client library: run `cargo xtask setup`, which installs it")
}

/// The folder for logs and files of failed scenarios, which is created if necessary.
///
/// # Errors
/// If the folder cannot be created.
pub fn artifacts() -> Result<PathBuf> {
    let folder = workspace().join("target/test-artifacts");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn workspace() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

fn named(variable: &str) -> Result<Option<PathBuf>> {
    match std::env::var_os(variable).map(PathBuf::from) {
        Some(path) if !path.exists() => {
            bail!("${variable} names {}, which is not there", path.display())
        }
        other => Ok(other),
    }
}
