//! `moorline completion`, and completions while somebody types.

use clap::{CommandFactory as _, Parser};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};
use moorline_shared::rest::SessionSummary;

use super::Cli;
use super::relay::RelayOptions;
use crate::console;

/// The variable by which a shell asks for completions.
const VARIABLE: &str = "MOORLINE_COMPLETE";
const NAME: &str = "moorline";

#[derive(Debug, clap::Args)]
pub(super) struct CompletionOptions {
    /// The shell to complete in.
    #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    shell: String,
}

/// Answers a shell that asks for completions, and then ends the process. Returns if none does.
pub fn answer_shell() {
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();
}

pub(super) fn run(options: &CompletionOptions) -> anyhow::Result<()> {
    let shells = Shells::builtins();
    let mut script = Vec::new();
    if let Some(shell) = shells.completer(&options.shell) {
        shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut script)?;
    }
    console::print(&String::from_utf8_lossy(&script))
}

/// Completes an argument to the ids and names of the sessions of the environment's relay.
pub(super) fn sessions() -> ArgValueCandidates {
    ArgValueCandidates::new(candidates)
}

fn candidates() -> Vec<CompletionCandidate> {
    /// The relay options of a command line without arguments: those of the environment.
    #[derive(Debug, Parser)]
    struct Defaults {
        #[command(flatten)]
        relay: RelayOptions,
    }
    let sessions = Defaults::try_parse_from([NAME]).map_err(anyhow::Error::from);
    let sessions = sessions.and_then(|defaults| defaults.relay.connect()?.sessions());
    // An error message would disturb somebody who types.
    let sessions = sessions.unwrap_or_default();
    sessions.iter().filter(|session| !session.lifecycle.is_over()).flat_map(words).collect()
}

/// Returns the words that name a session. Shells do not quote completions, so a name with special
/// characters is only shown as help.
fn words(session: &SessionSummary) -> impl Iterator<Item = CompletionCandidate> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name = Some(&session.name).filter(|name| name.chars().all(is_plain));
    let id = CompletionCandidate::new(session.session_id.as_str());
    let id = id.help(Some(session.name.clone().into()));
    [Some(id), name.map(CompletionCandidate::new)].into_iter().flatten()
}
