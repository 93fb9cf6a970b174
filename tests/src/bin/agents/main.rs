//! Tries real coding agents against a stand-in for their models: they work, ask, are answered, and
//! everything around them is killed. `cargo xtask agents` installs them and runs this.
//!
//! No account and no network is needed: an agent has a home of its own, in which its configuration
//! names the stand-in.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod model;
mod processes;
mod recorder;
mod report;
mod roster;
mod scrub;
mod stage;
mod trial;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Parser;

use recorder::Recording;
use report::AgentTable;
use roster::{ROSTER, RealAgent};

/// Tries real coding agents against a stand-in for their models.
#[derive(Debug, Parser)]
struct TrialArguments {
    /// The agents; all of them without names.
    names: Vec<String>,
    /// The folder in which each agent has a folder with its npm packages.
    #[arg(long, value_name = "DIR")]
    packages: PathBuf,
    /// Write what each agent and the host say to each other into files of this folder.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    // The recorder, which this program starts instead of an agent.
    if let [word, log, command @ ..] = arguments.as_slice()
        && word == "between"
    {
        return recorder::run(log.as_ref(), command);
    }
    let arguments = TrialArguments::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(run(&arguments))
}

async fn run(arguments: &TrialArguments) -> Result<()> {
    let known = || ROSTER.iter().map(|agent| agent.id).collect::<Vec<_>>().join(", ");
    let agents: Vec<&RealAgent> = match &*arguments.names {
        [] => ROSTER.iter().collect(),
        names => {
            let find = |name: &String| {
                RealAgent::find(name).with_context(|| format!("{name}: choose from {}", known()))
            };
            names.iter().map(find).collect::<Result<_>>()?
        }
    };
    let mut table = AgentTable::default();
    for agent in agents {
        println!("{} …", agent.id);
        let packages = arguments.packages.join(agent.id);
        let recording = arguments.record.as_deref().map(|folder| Recording::new(folder, agent.id));
        let recording = recording.transpose()?;
        let findings = trial::run(agent, &packages, recording.as_ref()).await;
        table.add(agent.id, findings);
    }
    println!("\n{table}");
    match table.failed() {
        failed if failed.is_empty() => Ok(()),
        failed => bail!("not as it should be: {}", failed.join(", ")),
    }
}
