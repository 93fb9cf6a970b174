//! Setup, build, run and checks of Moorline, by one command on any machine.
//!
//! Each task installs its missing requirements on first use: tools into the user's cache folder
//! (`~/.cache/moorline/tools`), where every checkout finds them, and npm packages into
//! `client/node_modules`, `deploy/edge/node_modules` and `target/agents`. Only Debian packages go to
//! the system.

mod agents;
mod bench;
mod budget;
mod check;
mod client;
mod edge;
mod floors;
mod fuzz;
mod hash;
mod house;
mod imports;
mod link;
mod links;
mod names;
mod obsidian;
mod packages;
mod process;
mod progress;
mod purpose;
mod python;
mod run;
mod setup;
mod steps;
mod supervisors;
mod system;
mod threats;
mod tools;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::purpose::Purpose;
use crate::workspace::Workspace;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Builds, runs and checks Moorline."
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build Moorline and serve it.
    Run(Run),
    /// Build the relay at the edge, and serve it on this machine as Cloudflare would.
    Edge(Edge),
    /// Check everything: format, lints, licences, tests, fuzz targets, size, browser scenarios.
    Test(Test),
    /// Fuzz one decoder, or all of them.
    Fuzz(Fuzz),
    /// Measure throughput, latency and memory.
    Bench(Bench),
    /// Try real coding agents against a stand-in for their models. Installs up to 2 GB from npm.
    Agents(Agents),
    /// Build the supervisors that hosts send into pods of Kubernetes.
    Supervisors,
    /// Install what the other tasks need and is missing.
    Setup,
}

#[derive(Args)]
struct Run {
    /// Build faster, and serve the client's files from dist/.
    #[arg(long)]
    debug: bool,
    /// Arguments of `moorline serve`.
    #[arg(last = true)]
    serve: Vec<String>,
}

#[derive(Args)]
struct Edge {
    /// Port to listen on at 127.0.0.1.
    #[arg(long, default_value_t = 3020)]
    port: u16,
    /// The folder that keeps sessions and the admin token [default: target/edge/state].
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Make the files to deploy, in target/edge, and end.
    #[arg(long, conflicts_with_all = ["port", "state"])]
    dist: bool,
}

#[derive(Args)]
struct Test {
    /// Names of steps (see --list), or parts of the names of tests.
    filter: Vec<String>,
    /// List the steps and end.
    #[arg(long)]
    list: bool,
    /// End at the first step that fails.
    #[arg(long)]
    fail_fast: bool,
}

#[derive(Args)]
struct Fuzz {
    /// A file of fuzz/src/bin, without `.rs`.
    target: Option<String>,
    /// Seconds to fuzz each target.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

#[derive(Args)]
struct Bench {
    /// Arguments of the bench program.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

#[derive(Args)]
struct Agents {
    /// Folders of tests/agents; all of them without names.
    names: Vec<String>,
    /// Record what the agents and the host say to each other, instead of the whole trial, into
    /// host/tests/recordings/agents.
    #[arg(long)]
    record: bool,
}

fn main() -> ExitCode {
    match perform(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::line(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> anyhow::Result<()> {
    let workspace = Workspace::new()?;
    match task {
        Task::Run(Run { debug, serve }) => run::run(&workspace, debug, &serve),
        Task::Edge(Edge { dist: true, .. }) => edge::make(&workspace),
        Task::Edge(Edge { port, state, .. }) => edge::serve(&workspace, port, state.as_deref()),
        Task::Test(Test { list: true, .. }) => {
            steps::list();
            Ok(())
        }
        Task::Test(Test { filter, fail_fast, .. }) => check::run(&workspace, &filter, fail_fast),
        Task::Fuzz(Fuzz { target, seconds }) => fuzz::run(&workspace, target.as_deref(), seconds),
        Task::Bench(Bench { arguments }) => bench::run(&workspace, &arguments),
        Task::Agents(Agents { names, record }) => agents::run(&workspace, &names, record),
        Task::Supervisors => {
            setup::ensure(&workspace, Purpose::Run)?;
            progress::line(&supervisors::build(&workspace)?);
            Ok(())
        }
        Task::Setup => setup::ensure(&workspace, Purpose::Test),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_is_only_built_listens_nowhere() {
        assert!(Arguments::try_parse_from(["xtask", "edge", "--dist"]).is_ok());
        assert!(Arguments::try_parse_from(["xtask", "edge", "--dist", "--port", "1"]).is_err());
    }

    #[test]
    fn arguments_of_serve_follow_two_dashes() {
        let cli =
            Arguments::try_parse_from(["xtask", "run", "--debug", "--", "--listen", "[::1]:1"])
                .unwrap();
        let Task::Run(run) = cli.task else { panic!("not a run") };
        assert!(run.debug);
        assert_eq!(run.serve, ["--listen", "[::1]:1"]);
    }
}
