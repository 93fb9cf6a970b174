//! `moorline state`.

use std::process::ExitCode;

use super::ask::{HookAgent, NotAsked, ProgramSession, read_hook};
use crate::console::note;

const NOT_REPORTED: u8 = 2;

/// Tell the people who follow this session what its program does.
///
/// For programs in a session. Ends with 0 if the state is recorded, and with 2 if it cannot be.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moorline state working --tool Bash
  moorline state idle

docs/APPROVALS.md explains it, and has hooks for coding agents.")]
pub(super) struct StateOptions {
    /// The state: idle, working, waiting, error, or another word of at most 32 characters.
    #[arg(required_unless_present = "hook")]
    value: Option<String>,

    /// The tool that is running.
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,

    /// Read the event of a coding agent's hook from stdin, and report the state that follows.
    #[arg(long, value_name = "AGENT", conflicts_with_all = ["value", "tool"])]
    hook: Option<HookAgent>,
}

pub(super) fn run(options: StateOptions) -> ExitCode {
    // Both agents have the same events.
    if options.hook.is_some() {
        return of_hook();
    }
    match report(options.value.unwrap_or_default(), options.tool) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: {error}\n"));
            ExitCode::from(NOT_REPORTED)
        }
    }
}

fn report(value: String, tool: Option<String>) -> Result<(), NotAsked> {
    ProgramSession::of_this_process()?.report(value, tool)
}

/// Reports the state of an agent. Prints nothing: some agents would take it for a prompt. A failure
/// must not keep the agent from what it does, which code 2 would.
fn of_hook() -> ExitCode {
    let event = match read_hook() {
        Ok(event) => event,
        Err(error) => {
            note(&format!("error: {error:#}\n"));
            return ExitCode::FAILURE;
        }
    };
    let Some((value, tool)) = event.state() else { return ExitCode::SUCCESS };
    match report(value.to_owned(), tool) {
        Ok(()) | Err(NotAsked::NoSession) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: {error}\n"));
            ExitCode::FAILURE
        }
    }
}
