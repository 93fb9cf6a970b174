//! A scripted ACP agent for tests of clients. It writes its messages by hand and shares no code with
//! the client, so that it can be right where the client is wrong, and wrong on purpose.

#![expect(clippy::print_stderr, reason = "standard error is an agent's log")]

mod agent;
mod content;
mod context;
mod dialect;
mod history;
mod lifecycle;
mod log;
mod play;
mod prompting;
mod rpc;
mod script;
mod session;
mod settings;
mod steps;
mod turn;
mod updates;
mod wire;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use agent::PeerAgent;
use context::PeerContext;
use dialect::PeerFeature;
use history::HistoryFiles;
use log::TrafficLog;
use script::ScriptFile;
use wire::PeerWire;

/// Bytes that a line of the client may have.
const LINE_BYTES: u64 = 64 * 1024 * 1024;

/// A scripted ACP (Agent Client Protocol) peer on standard input and output.
#[derive(Debug, Parser)]
#[command(name = "moorline-acp-peer", version, after_long_help = include_str!("help.txt"))]
struct PeerCli {
    #[command(subcommand)]
    command: PeerCommand,
}

#[derive(Debug, Subcommand)]
enum PeerCommand {
    /// Be an agent. The text of each prompt is the script of its turn; see `--help` of the program.
    Agent(AgentArguments),
}

#[derive(Debug, Args)]
struct AgentArguments {
    /// Keep each session's history in this folder, so that another process can load it.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The highest version of the protocol to speak.
    #[arg(long, value_name = "VERSION", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=2))]
    protocol: u64,
    /// Run the steps of this file for every prompt, and at other moments.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Neither offer nor answer these.
    #[arg(long, value_name = "FEATURES", value_enum, value_delimiter = ',')]
    without: Vec<PeerFeature>,
    /// Offer models as before config options: `models` in results. `session/set_model` always works.
    #[arg(long)]
    legacy_models: bool,
    /// Append every line to this file, after `in ` or `out ` and after `pid ` at the start.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let PeerCommand::Agent(arguments) = PeerCli::parse().command;
    let code = match run(arguments).await {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("moorline-acp-peer: {error:#}");
            1
        }
    };
    // The runtime would wait for the thread that reads standard input.
    std::process::exit(code)
}

async fn run(arguments: AgentArguments) -> Result<()> {
    let log = arguments.log.as_deref().map(TrafficLog::open).transpose()?;
    let files = HistoryFiles::open(arguments.state)?;
    let script = match &arguments.script {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            ScriptFile::parse(&text).map_err(|error| anyhow::anyhow!("the script: {error}"))?
        }
        None => ScriptFile::default(),
    };
    let context = Arc::new(PeerContext::new(PeerWire::new(log), files, arguments.legacy_models));
    let agent = PeerAgent::new(context.clone(), script, arguments.protocol, arguments.without);
    let mut input = BufReader::new(tokio::io::stdin());
    loop {
        tokio::select! {
            biased;
            () = context.deaf.notified() => std::future::pending().await,
            line = next_line(&mut input) => match line? {
                Some(line) => {
                    context.wire.received(&line);
                    agent.handle(&line).await?;
                }
                None => break,
            },
        }
    }
    agent.end().await
}

/// The next line, without its end. `None` at the end of the input.
async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<String>> {
    let mut line = Vec::new();
    let read = input.take(LINE_BYTES).read_until(b'\n', &mut line).await?;
    if read as u64 == LINE_BYTES {
        bail!("a line has more than {LINE_BYTES} bytes");
    }
    if read == 0 {
        return Ok(None);
    }
    let line = String::from_utf8(line).context("a line is no UTF-8")?;
    Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned()))
}
