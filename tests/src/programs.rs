//! Where the programs and files are that the scenarios run.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The relay's program: `$MOORLINE_BIN`, or the newest that was built here.
///
/// # Errors
/// Says what to run where there is none.
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

/// The built client: `$MOORLINE_DIST`, or `dist`.
///
/// # Errors
/// Says what to run where there is none.
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

/// What `cargo xtask edge --dist` makes: `$MOORLINE_EDGE`, or `target/edge`.
///
/// # Errors
/// Says what to run where there is none.
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

/// workerd: `$WORKERD`, or the one that `cargo xtask` installed.
///
/// # Errors
/// Says what to run where there is none.
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

/// Firefox: `$FIREFOX`, or Debian's.
///
/// # Errors
/// Says what to install where there is none.
pub fn firefox() -> Result<PathBuf> {
    if let Some(named) = named("FIREFOX")? {
        return Ok(named);
    }
    let paths = ["/usr/bin/firefox-esr", "/usr/bin/firefox"].map(PathBuf::from);
    let there = paths.into_iter().find(|path| path.is_file());
    there.context("there is no Firefox: install firefox-esr, or run `cargo xtask test`, which does")
}

/// Chromium: `$CHROME`, or Debian's.
///
/// # Errors
/// Says what to install where there is none.
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

/// nginx: `$NGINX`, or Debian's, installed or unpacked by `cargo xtask`.
///
/// # Errors
/// Says what to run where there is none.
pub fn nginx() -> Result<PathBuf> {
    server("NGINX", "usr/sbin/nginx")
}

/// Caddy: `$CADDY`, or Debian's, installed or unpacked by `cargo xtask`.
///
/// # Errors
/// Says what to run where there is none.
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

/// Schemathesis: `$SCHEMATHESIS`, or the one that `cargo xtask` installed.
///
/// # Errors
/// Says what to run where there is none.
pub fn schemathesis() -> Result<PathBuf> {
    if let Some(named) = named("SCHEMATHESIS")? {
        return Ok(named);
    }
    let own = workspace().join("target/tools/python/bin/schemathesis");
    let there = own.is_file().then_some(own);
    there.context("there is no schemathesis: run `cargo xtask setup`, which installs it")
}

/// Where what a failed scenario leaves is put.
///
/// # Errors
/// Where the folder cannot be made.
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
