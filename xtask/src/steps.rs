//! The steps of `cargo xtask test`, from the quickest to the slowest.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::client::{self, BuildProfile};
use crate::setup::WASM;
use crate::workspace::Workspace;
use crate::{
    budget, edge, fuzz, house, obsidian, packages, process, progress, python, supervisors, system,
};

/// Time for each fuzz target, in seconds.
const FUZZ_SECONDS: u64 = 10;

/// All members that build for this machine. It is the same for each command: another selection has
/// other features, and would rebuild everything.
const NATIVE: [&str; 3] = ["--workspace", "--exclude", "moorline-client"];

/// Filter of nextest for everything but the scenarios.
const UNIT: &str = "not package(moorline-tests)";
/// Filter of the scenarios for every relay and those for the native one.
const SCENARIOS: &str =
    "package(moorline-tests) & not test(/^openapi::/) & not test(/(^|::)edge::/)";
/// Filter of the scenarios for every relay except those about pages' looks, and those for the edge
/// relay.
const EDGE_SCENARIOS: &str = "package(moorline-tests) & binary(scenarios) & not test(/^openapi::/) \
                              & not test(/(^|::)(native|in_process|look)::/)";
/// Filter of the test that takes minutes to generate requests.
const API: &str = "package(moorline-tests) & test(/^openapi::/)";

/// A step of the checks.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Steps that must succeed before this one.
    pub(crate) needs: &'static [&'static str],
    /// The lane that it runs in.
    pub(crate) lane: Lane,
    /// True if it waits for the other lane to end, because its tests depend on time or use both
    /// cores well.
    pub(crate) alone: bool,
    /// True if parts of test names select tests within it.
    pub(crate) takes_filter: bool,
    /// Performs the step, and returns a line or two about the result.
    pub(crate) run: Work,
}

/// A sequence of steps. Steps of different lanes run side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Builds and tests of native members, and tests of the whole.
    Native,
    /// Builds for a browser or the edge, and builds with flags of their own.
    Web,
}

/// All steps, in order.
pub(crate) const STEPS: &[Step] = &[
    native("fmt", "the code is formatted", fmt),
    native("house", "the rules that no linter knows", |workspace, _| {
        house::check(workspace).map(|()| vec![])
    }),
    native(
        "obsidian",
        "the plugin for Obsidian: types, lints, unit tests and size",
        |workspace, _| obsidian::build(workspace).map(|size| vec![size]),
    ),
    native("deny", "licences and sources of dependencies", deny),
    native("clippy", "lints of everything native", clippy),
    native("doc", "the documentation has no broken link", doc),
    web("clippy-web", "lints of what runs in a browser", clippy_web),
    web("doc-web", "the documentation of it has no broken link", doc_web),
    Step { takes_filter: true, ..native("unit", "unit tests and simulation", unit) },
    native("doctest", "the examples in the documentation", doctest),
    web("client", "the client builds and is small", client_build),
    web("supervisors", "the supervisors of pods build for each machine", |workspace, _| {
        supervisors::build(workspace).map(|sizes| vec![sizes])
    }),
    web("client-tests", "the client's own tests, in a browser", client_tests),
    Step { needs: &["client"], ..web("edge-build", "the Worker builds and is small", edge_build) },
    web("fuzz", "every decoder, guided by coverage", fuzz_all),
    Step {
        needs: &["client", "edge-build"],
        ..web("edge-api", "the REST API at the edge does what its description says", edge_api)
    },
    native("api", "the REST API does what its description says", api),
    Step {
        takes_filter: true,
        needs: &["client", "obsidian", "supervisors"],
        alone: true,
        ..native("scenarios", "a real relay and a real browser", scenarios)
    },
    Step {
        takes_filter: true,
        needs: &["client", "obsidian", "supervisors", "edge-build"],
        alone: true,
        ..native("edge", "the same scenarios against the relay at the edge", edge_scenarios)
    },
];

type Work = fn(&Workspace, &[String]) -> Result<Vec<String>>;

const fn native(name: &'static str, what: &'static str, run: Work) -> Step {
    Step { name, what, needs: &[], lane: Lane::Native, alone: false, takes_filter: false, run }
}

const fn web(name: &'static str, what: &'static str, run: Work) -> Step {
    Step { lane: Lane::Web, ..native(name, what, run) }
}

/// Prints the names and purposes of all steps.
pub(crate) fn list() {
    for step in STEPS {
        progress::line(&format!("{:<14} {}", step.name, step.what));
    }
}

fn quiet(command: &mut Command) -> Result<Vec<String>> {
    process::run("step", command).map(|_| vec![])
}

fn fmt(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    quiet(&mut workspace.cargo(&["fmt", "--all", "--check"]))?;
    quiet(&mut workspace.cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))
}

/// Checks licences, bans and sources. Advisories change daily and are fetched from elsewhere, so
/// they have a CI job of their own.
fn deny(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    quiet(&mut workspace.cargo(&[
        "deny",
        "--log-level",
        "error",
        "--locked",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))
}

fn clippy(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    let mut command = workspace.cargo(&["clippy", "--locked", "--all-targets"]);
    quiet(command.args(NATIVE).args(["--", "-D", "warnings"]))
}

fn clippy_web(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    let clippy = |arguments: &[&str]| {
        let mut command = workspace.cargo_web(&["clippy", "--locked", "--target", WASM]);
        quiet(command.args(arguments).args(["--", "-D", "warnings"]))
    };
    clippy(&["--package", "moorline-client", "--all-targets"])?;
    // The relay's core is for every runtime.
    clippy(&["--package", "moorline-shared", "--package", "moorline-core", "--lib"])?;
    clippy(&["--package", "moorline-edge", "--lib"])
}

const DOC: [&str; 4] = ["doc", "--locked", "--no-deps", "--document-private-items"];

fn doc(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    quiet(workspace.cargo(&DOC).args(NATIVE).env("RUSTDOCFLAGS", "-D warnings"))
}

fn doc_web(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    for package in ["moorline-client", "moorline-edge"] {
        let mut command = workspace.cargo_web(&DOC);
        command.args(["--package", package, "--lib", "--target", WASM]);
        quiet(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    Ok(vec![])
}

fn unit(workspace: &Workspace, filter: &[String]) -> Result<Vec<String>> {
    nextest(workspace, UNIT, filter, &[])
}

fn doctest(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    quiet(workspace.cargo(&["test", "--locked", "--doc", "--quiet"]).args(NATIVE))
}

fn client_build(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    client::build(workspace, BuildProfile::Release)?;
    Ok(vec![budget::check(workspace)?])
}

fn client_tests(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    let driver = system::chromedriver(workspace).context("chromedriver was not found")?;
    let cargo = |arguments: &[&str]| {
        let mut command =
            workspace.cargo_web(&["test", "--locked", "--package", "moorline-client"]);
        command
            .args(["--target", WASM])
            .args(arguments)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner")
            .env("CHROMEDRIVER", &driver)
            // Counted from the start of the browser. The default of 20 seconds is short for a busy
            // machine.
            .env("WASM_BINDGEN_TEST_TIMEOUT", "180");
        command
    };
    process::run("client's tests", &mut cargo(&["--no-run"]))?;
    // Sometimes the runner's small server never answers one of the browser's requests, before any
    // test has begun.
    let limited = || process::run("client's tests", &mut process::limited(&cargo(&[]), 90));
    let output = limited().or_else(|error| {
        if !process::is_timeout(&error) {
            return Err(error);
        }
        progress::line("  the test runner hangs: starting it once more");
        limited()
    })?;
    Ok(lines_with(&output, "test result:"))
}

fn fuzz_all(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    fuzz::check(workspace, FUZZ_SECONDS)
}

fn api(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    let paths = [
        ("MOORLINE_BIN", built_relay(workspace)?),
        ("SCHEMATHESIS", python::program(workspace, "schemathesis")),
    ];
    described(workspace, &paths)
}

fn edge_api(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    let mut environment = at_the_edge(workspace)?;
    environment.push(("SCHEMATHESIS", python::program(workspace, "schemathesis")));
    described(workspace, &environment)
}

/// Runs the tests with generated requests, and returns how many requests there were.
fn described(workspace: &Workspace, environment: &[(&str, PathBuf)]) -> Result<Vec<String>> {
    nextest(workspace, API, &[], environment)?;
    let said = workspace.root.join("target/test-artifacts/schemathesis.txt");
    Ok(lines_with(&std::fs::read_to_string(said)?, " generated, "))
}

/// Builds the relay for the scenarios, together with the tests. Without the tests' dependencies,
/// features would differ and everything would be rebuilt.
fn built_relay(workspace: &Workspace) -> Result<PathBuf> {
    let mut build = workspace.cargo(&["test", "--no-run", "--locked"]);
    process::run("relay and tests", build.args(NATIVE))?;
    Ok(workspace.target.join("debug/moorline"))
}

fn scenarios(workspace: &Workspace, filter: &[String]) -> Result<Vec<String>> {
    let mut paths = vec![
        ("MOORLINE_BIN", built_relay(workspace)?),
        ("MOORLINE_DIST", workspace.dist()),
        ("MOORLINE_OBSIDIAN", obsidian::dist(workspace)),
        ("MOORLINE_SUPERVISORS", supervisors::folder(workspace)),
    ];
    paths.extend(system::for_scenarios(workspace)?);
    nextest(workspace, SCENARIOS, filter, &paths)
}

fn edge_build(workspace: &Workspace, _: &[String]) -> Result<Vec<String>> {
    let program = built_relay(workspace)?;
    edge::build(workspace, &program)?;
    Ok(vec![edge::check_size(workspace)?])
}

fn edge_scenarios(workspace: &Workspace, filter: &[String]) -> Result<Vec<String>> {
    let mut environment = at_the_edge(workspace)?;
    environment.extend(system::for_scenarios(workspace)?);
    nextest(workspace, EDGE_SCENARIOS, filter, &environment)
}

/// The environment in which scenarios run against the edge relay.
fn at_the_edge(workspace: &Workspace) -> Result<Vec<(&'static str, PathBuf)>> {
    Ok(vec![
        ("MOORLINE_TEST_RELAY", PathBuf::from("edge")),
        ("MOORLINE_BIN", built_relay(workspace)?),
        ("MOORLINE_EDGE", edge::folder(workspace)),
        ("MOORLINE_OBSIDIAN", obsidian::dist(workspace)),
        ("MOORLINE_SUPERVISORS", supervisors::folder(workspace)),
        ("WORKERD", packages::workerd(workspace)?),
    ])
}

fn nextest(
    workspace: &Workspace,
    which: &str,
    filter: &[String],
    environment: &[(&str, PathBuf)],
) -> Result<Vec<String>> {
    let mut command = workspace.cargo(&["nextest", "run", "--locked"]);
    command.args(NATIVE).args(["--filterset", which]);
    // Scenarios wait most of the time, and a few unit tests do.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if which == UNIT { cores + 1 } else { 2 * cores };
    command.args(["--test-threads", &threads.to_string()]);
    // The user's own shell may take long to start.
    command.env("SHELL", "/bin/sh");
    // A part of a name may match in only one half of the tests.
    command.args(["--no-tests", if filter.is_empty() { "fail" } else { "pass" }]);
    command.args(filter).envs(environment.iter().map(|(name, path)| (name, path)));
    let output = process::run("tests", &mut command)?;
    Ok(lines_with(&output, "Summary ["))
}

fn lines_with(output: &str, mark: &str) -> Vec<String> {
    let lines = output.lines().filter(|line| line.contains(mark));
    lines.map(|line| line.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_needs_only_earlier_ones() {
        let mut seen = Vec::new();
        for step in STEPS {
            assert!(step.needs.iter().all(|needed| seen.contains(needed)), "{}", step.name);
            assert!(!seen.contains(&step.name));
            seen.push(step.name);
        }
    }

    #[test]
    fn closing_lines_are_found() {
        let output = "noise\n     Summary [   0.1s] 2 tests run: 2 passed\nnoise\n";
        assert_eq!(lines_with(output, "Summary ["), ["Summary [   0.1s] 2 tests run: 2 passed"]);
    }
}
