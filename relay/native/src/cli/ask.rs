//! `moorline ask`.

mod hook;
mod program;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use moorline_host::ask::wire::LocalQuestion;
use moorline_shared::agent::approval::{ApprovalDecision, ApprovalKind};
use serde_json::json;

use super::token::parse_duration;
use crate::console::{note, print};
pub(super) use hook::{HookAgent, read_hook};
use program::AskOutcome;
pub(super) use program::{NotAsked, ProgramSession};

const DENIED: u8 = 1;
const NOT_ASKED: u8 = 2;
const EXPIRED: u8 = 3;
const WITHDRAWN: u8 = 4;

/// Ask the people who follow this session to approve a command, and wait for the answer.
///
/// For programs in a session. Prints the command to run, which may have been changed. Ends with 0 if
/// it is approved, 1 if it is denied, 2 if nobody could be asked, 3 if nobody answered in time, and 4
/// if the session has ended. Interrupting it withdraws the question.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moorline ask --command 'rm -rf build' --explanation 'Start from scratch' && rm -rf build
  command=$(moorline ask --command 'make deploy' --expires 1h) && eval \"$command\"

docs/APPROVALS.md explains it, and has hooks for coding agents.")]
pub(super) struct AskOptions {
    /// The command to approve.
    #[arg(
        long,
        value_name = "COMMAND",
        required_unless_present = "hook",
        allow_hyphen_values = true
    )]
    command: Option<String>,

    /// The reason, in a sentence.
    #[arg(long, value_name = "TEXT", default_value = "", allow_hyphen_values = true)]
    explanation: String,

    /// The kind of tool that would run it, for display.
    #[arg(long, value_name = "KIND")]
    tool: Option<String>,

    /// The folder in which it would run [default: the current one].
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,

    /// Time to wait: a number and s, m, h or d, or never.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_expiry)]
    expires: AskExpiry,

    /// Print the outcome as JSON.
    #[arg(long, conflicts_with = "hook")]
    json: bool,

    /// Read the question of a coding agent's hook from stdin, and answer in its form.
    #[arg(long, value_name = "AGENT", conflicts_with_all = ["command", "explanation", "tool", "cwd"])]
    hook: Option<HookAgent>,
}

/// The time after which a question expires, in milliseconds; 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AskExpiry(u64);

fn parse_expiry(text: &str) -> Result<AskExpiry, String> {
    if text == "never" {
        return Ok(AskExpiry(0));
    }
    let time = parse_duration(text).map_err(|explain| format!("{explain}, or never"))?;
    if time < Duration::from_secs(1) {
        return Err("choose a second at least, or never".to_owned());
    }
    Ok(AskExpiry(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}

pub(super) fn run(options: AskOptions) -> anyhow::Result<ExitCode> {
    let expires_ms = options.expires.0;
    let Some(agent) = options.hook else { return ask(options, expires_ms) };
    let event = match read_hook() {
        Ok(event) => event,
        // With this code, an agent does not use the tool.
        Err(error) => {
            note(&format!("error: {error:#}\n"));
            return Ok(ExitCode::from(NOT_ASKED));
        }
    };
    let session = match ProgramSession::of_this_process() {
        Ok(session) => session,
        // Outside of a session, the agent decides as it does without the hook.
        Err(NotAsked::NoSession) => return Ok(ExitCode::SUCCESS),
        Err(error) => {
            print(&event.answer(agent, &AskOutcome::NotAsked(error)))?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let question = LocalQuestion { expires_ms: Some(expires_ms), ..event.question(agent) };
    print(&event.answer(agent, &session.ask(question)))?;
    Ok(ExitCode::SUCCESS)
}

fn ask(options: AskOptions, expires_ms: u64) -> anyhow::Result<ExitCode> {
    let cwd = match options.cwd {
        Some(cwd) => std::path::absolute(cwd).ok(),
        None => std::env::current_dir().ok(),
    };
    let question = LocalQuestion {
        kind: ApprovalKind::Command,
        command: options.command.unwrap_or_default(),
        explanation: options.explanation,
        tool: options.tool,
        cwd: cwd.map(|cwd| cwd.to_string_lossy().into_owned()),
        expires_ms: Some(expires_ms),
        ..LocalQuestion::default()
    };
    let outcome = match ProgramSession::of_this_process() {
        Ok(session) => session.ask(question),
        Err(error) => AskOutcome::NotAsked(error),
    };
    if options.json {
        print(&format!("{}\n", as_json(&outcome)))?;
    }
    let code = match &outcome {
        AskOutcome::Decided { approved: true, command, .. } => {
            if !options.json {
                print(&format!("{command}\n"))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        AskOutcome::Decided { .. } => DENIED,
        AskOutcome::NotAsked(_) => NOT_ASKED,
        AskOutcome::Expired => EXPIRED,
        AskOutcome::Withdrawn { .. } => WITHDRAWN,
    };
    if !options.json {
        note(&format!("{}\n", outcome.reason()));
    }
    Ok(ExitCode::from(code))
}

fn as_json(outcome: &AskOutcome) -> serde_json::Value {
    let name = match outcome {
        AskOutcome::Decided { approved: true, .. } => "approved",
        AskOutcome::Decided { .. } => "denied",
        AskOutcome::Expired => "expired",
        AskOutcome::Withdrawn { .. } => "withdrawn",
        AskOutcome::NotAsked(_) => "not-asked",
    };
    match outcome {
        AskOutcome::Decided { command, decision, .. } => {
            let ApprovalDecision { by, reason, .. } = &**decision;
            json!({ "outcome": name, "command": command, "by": by, "reason": reason })
        }
        _ => json!({ "outcome": name, "reason": outcome.reason() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_expires_after_a_time_or_never() {
        assert_eq!(parse_expiry("never"), Ok(AskExpiry(0)));
        assert_eq!(parse_expiry("90s"), Ok(AskExpiry(90_000)));
        for bad in ["", "0s", "5", "soon"] {
            assert!(parse_expiry(bad).is_err(), "{bad}");
        }
    }
}
