//! The tools that `cargo install` provides, with their versions and reasons.

use std::path::{Path, PathBuf};

use anyhow::Result;
use semver::{Version, VersionReq};

use crate::purpose::Purpose;
use crate::workspace::Workspace;
use crate::{link, process};

/// A package of command-line programs.
pub(crate) struct Tool {
    pub(crate) package: &'static str,
    programs: &'static [&'static str],
    /// Versions that are accepted if they are installed already.
    accepts: VersionReq,
    /// True if its programs print their version. Of one that does not, only what this installed
    /// counts.
    tells_version: bool,
    /// Features of the package, separated by commas.
    features: &'static str,
    /// The version that is installed otherwise.
    pub(crate) installs: String,
    /// True to use the dependencies of the package's own lock file.
    locked: bool,
    /// Optimisation level: `1` if it has much to do, else `0` for a short build.
    opt_level: &'static str,
    pub(crate) why: &'static str,
}

/// All tools that a purpose needs.
///
/// # Errors
/// If `Cargo.lock` can't be read.
pub(crate) fn needed(workspace: &Workspace, purpose: Purpose) -> Result<Vec<Tool>> {
    // The program and the crate share a private format that changes with every version.
    let bindgen = workspace.locked_version("wasm-bindgen")?;
    let mut tools = vec![
        Tool {
            package: "trunk",
            programs: &["trunk"],
            accepts: VersionReq::parse("^0.21.14")?,
            tells_version: true,
            features: "",
            installs: "0.21.14".to_owned(),
            locked: true,
            opt_level: "0",
            why: "builds the client's files",
        },
        Tool {
            package: "wasm-bindgen-cli",
            programs: &["wasm-bindgen", "wasm-bindgen-test-runner"],
            accepts: VersionReq::parse(&format!("={bindgen}"))?,
            tells_version: true,
            features: "",
            installs: bindgen,
            // Its lock file names a withdrawn version.
            locked: false,
            opt_level: "1",
            why: "joins the client's WebAssembly with the page, at the version of Cargo.lock",
        },
        Tool {
            package: "wasm_split_cli_support",
            programs: &["wasm-split-cli"],
            accepts: VersionReq::parse("=0.2.4")?,
            tells_version: false,
            features: "build-binary",
            installs: "0.2.4".to_owned(),
            locked: true,
            opt_level: "1",
            why: "cuts the client into modules that are loaded when they are needed",
        },
    ];
    if purpose != Purpose::Run {
        // Its output calls functions of the crate.
        let worker = workspace.locked_version("worker")?;
        tools.push(Tool {
            package: "worker-build",
            programs: &["worker-build"],
            accepts: VersionReq::parse(&format!("={worker}"))?,
            tells_version: true,
            features: "",
            installs: worker,
            locked: true,
            opt_level: "0",
            why: "makes a Worker of the relay, at the version of Cargo.lock",
        });
    }
    Ok(tools)
}

impl Tool {
    /// Returns true if all of its programs are there at an accepted version.
    pub(crate) fn is_there(&self, workspace: &Workspace) -> bool {
        if !self.tells_version {
            let kept = self.kept(workspace).join("bin");
            return self.programs.iter().all(|program| kept.join(program).is_file());
        }
        self.programs.iter().all(|program| {
            workspace
                .find(Path::new(program))
                .and_then(|file| version_of(workspace, &file))
                .is_some_and(|version| self.accepts.matches(&version))
        })
    }

    /// Links the tool into this checkout, in case it was installed for another.
    ///
    /// # Errors
    /// If the link can't be made.
    pub(crate) fn link(&self, workspace: &Workspace) -> Result<()> {
        let kept = self.kept(workspace).join("bin");
        for program in self.programs {
            if kept.join(program).is_file() {
                link::replace(&kept.join(program), &workspace.tools().join("bin").join(program))?;
            }
        }
        Ok(())
    }

    /// Builds and installs the tool for this user, and links it into this checkout.
    ///
    /// # Errors
    /// If the build fails.
    pub(crate) fn install(&self, workspace: &Workspace) -> Result<()> {
        let mut command =
            workspace.cargo(&["install", self.package, "--force", "--version", &self.installs]);
        command.args(self.locked.then_some("--locked"));
        if !self.features.is_empty() {
            command.args(["--features", self.features]);
        }
        // A shared build folder, so that tools share dependencies.
        command
            .arg("--root")
            .arg(self.kept(workspace))
            .env("CARGO_TARGET_DIR", workspace.kept().join("build"))
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", self.opt_level)
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
        process::run(self.package, &mut command)?;
        self.link(workspace)
    }

    /// The folder of this version, shared by every checkout of this user.
    fn kept(&self, workspace: &Workspace) -> PathBuf {
        workspace.kept().join(format!("{}-{}", self.package, self.installs))
    }
}

fn version_of(workspace: &Workspace, program: &PathBuf) -> Option<Version> {
    let mut command = workspace.command(program);
    // A subcommand of cargo only answers with the word that cargo would pass.
    let name = program.file_name()?.to_str()?;
    command.args(name.strip_prefix("cargo-")).arg("--version");
    version_in(&process::answer(&mut command)?)
}

/// The version in an answer such as `trunk 0.21.14` or `cargo-nextest 0.9.143 (60fa45f 2026-08-04)`.
fn version_in(answer: &str) -> Option<Version> {
    let mut words = answer.lines().next()?.split_whitespace();
    words.find_map(|word| Version::parse(word).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_tools_answer() {
        for (answer, version) in [
            ("trunk 0.21.14\n", Version::new(0, 21, 14)),
            ("0.8.7\n", Version::new(0, 8, 7)),
            (
                "cargo-nextest 0.9.143 (60fa45f63 2026-08-04)\nrelease: 1.2.3\n",
                Version::new(0, 9, 143),
            ),
        ] {
            assert_eq!(version_in(answer), Some(version));
        }
        assert_eq!(version_in("no version"), None);
        assert_eq!(version_in(""), None);
    }

    #[test]
    fn the_installed_version_is_an_accepted_one() {
        let workspace = Workspace::new().unwrap();
        for tool in needed(&workspace, Purpose::Test).unwrap() {
            let installs = Version::parse(&tool.installs).unwrap();
            assert!(tool.accepts.matches(&installs), "{}", tool.package);
        }
    }
}
