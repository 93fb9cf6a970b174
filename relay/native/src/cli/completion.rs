//! `moorline completion`, and what a shell asks for while somebody types.

use clap::{CommandFactory as _, Parser};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};
use moorline_shared::rest::SessionSummary;

use super::relay::RelayOptions;
use super::{Cli, console};

/// By this variable a shell says that it asks for completions.
const VARIABLE: &str = "MOORLINE_COMPLETE";
const NAME: &str = "moorline";

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The shell.
    #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    shell: String,
}

/// Answers a shell that completes a command line, and ends the process then.
pub fn answer_shell() {
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let shells = Shells::builtins();
    let mut script = Vec::new();
    if let Some(shell) = shells.completer(&options.shell) {
        shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut script)?;
    }
    console::print(&String::from_utf8_lossy(&script))
}

/// Completes an argument to the sessions of the relay that the environment names, by id or name.
pub(super) fn sessions() -> ArgValueCandidates {
    ArgValueCandidates::new(candidates)
}

fn candidates() -> Vec<CompletionCandidate> {
    /// What a command line without options says of the relay.
    #[derive(Debug, Parser)]
    struct Defaults {
        #[command(flatten)]
        relay: RelayOptions,
    }
    let sessions = Defaults::try_parse_from([NAME]).map_err(anyhow::Error::from);
    let sessions = sessions.and_then(|defaults| defaults.relay.connect()?.sessions());
    // Nobody wants to read an error while typing.
    let sessions = sessions.unwrap_or_default();
    sessions.iter().filter(|session| !session.lifecycle.is_over()).flat_map(words).collect()
}

/// The words that name a session. Shells do not quote what they complete, so a name with other
/// characters is only described.
fn words(session: &SessionSummary) -> impl Iterator<Item = CompletionCandidate> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name = Some(&session.name).filter(|name| name.chars().all(is_plain));
    let id = CompletionCandidate::new(session.session_id.as_str());
    let id = id.help(Some(session.name.clone().into()));
    [Some(id), name.map(CompletionCandidate::new)].into_iter().flatten()
}
