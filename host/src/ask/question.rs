//! Turns the question of a program into an approval.

use std::path::Path;

use moorline_shared::agent::approval::{ApprovalKind, ApprovalRequest, ApprovalSubject};
use moorline_shared::event::AgentState;
use moorline_shared::id::ApprovalId;
use moorline_shared::limits::{APPROVAL_BYTES, APPROVAL_TOO_LARGE, COMMAND_DECISION};

use super::wire::{LocalQuestion, LocalReply};
use crate::approvals::{json_bytes, of_program};

/// Longest time in milliseconds after which an approval expires.
const EXPIRES_MOST_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Most characters of a state and of a tool's name.
const STATE_CHARACTERS: usize = 32;
const TOOL_CHARACTERS: usize = 64;

/// Returns a refusal.
pub(super) fn refused(code: &str, message: impl Into<String>) -> LocalReply {
    LocalReply::Refused { code: code.to_owned(), message: message.into() }
}

/// Returns the approval that a program asks for. `now_ms` is the time in milliseconds since 1970.
///
/// # Errors
/// The refusal to tell the program.
pub(super) fn request(
    question: LocalQuestion,
    approval_id: ApprovalId,
    now_ms: u64,
) -> Result<ApprovalRequest, LocalReply> {
    check(&question)?;
    let LocalQuestion { kind, command, explanation, tool, agent, cwd, expires_ms, .. } = question;
    let LocalQuestion { content, input, .. } = question;
    let default_ms = u64::try_from(COMMAND_DECISION.as_millis()).unwrap_or(u64::MAX);
    let expires_at = match expires_ms.unwrap_or(default_ms) {
        0 => None,
        wait => Some(now_ms.saturating_add(wait.min(EXPIRES_MOST_MS))),
    };
    let subject = ApprovalSubject { tool_call_id: None, tool, cwd, content, input };
    let request = ApprovalRequest {
        approval_id,
        digest: digest(&command, &subject),
        command,
        explanation,
        expires_at,
        kind,
        options: of_program(),
        subject,
        turn_id: None,
        form: None,
        form_order: Vec::new(),
        from: agent,
        truncated: false,
    };
    if json_bytes(&request) > APPROVAL_BYTES {
        return Err(refused("too_large", APPROVAL_TOO_LARGE));
    }
    Ok(request)
}

fn check(question: &LocalQuestion) -> Result<(), LocalReply> {
    let LocalQuestion { kind, command, tool, agent, cwd, .. } = question;
    if !matches!(kind, ApprovalKind::Command | ApprovalKind::Tool) {
        return Err(refused("bad_request", "`kind` is `command` or `tool`."));
    }
    if command.trim().is_empty() || command.contains('\0') {
        return Err(refused("bad_request", "`command` is empty, or has a NUL character."));
    }
    let is_name = |name: &Option<String>| name.as_deref().is_none_or(is_tool);
    if !is_name(tool) || !is_name(agent) {
        let message =
            format!("`tool` and `agent` are words of at most {TOOL_CHARACTERS} characters.");
        return Err(refused("bad_request", message));
    }
    if cwd.as_ref().is_some_and(|cwd| !Path::new(cwd).is_absolute()) {
        return Err(refused("bad_request", "`cwd` is an absolute path."));
    }
    Ok(())
}

/// Returns the state that a program reports.
///
/// # Errors
/// The refusal to tell the program.
pub(super) fn state(value: String, tool: Option<String>) -> Result<AgentState, LocalReply> {
    if !is_word(&value, STATE_CHARACTERS) || !tool.as_deref().is_none_or(is_tool) {
        let message = format!(
            "A state is a word of at most {STATE_CHARACTERS} characters, a tool one of at most \
             {TOOL_CHARACTERS}."
        );
        return Err(refused("bad_request", message));
    }
    Ok(AgentState { value, tool })
}

fn is_tool(name: &str) -> bool {
    is_word(name, TOOL_CHARACTERS)
}

fn is_word(text: &str, characters: usize) -> bool {
    let is_plain = |character: char| !character.is_control() && !character.is_whitespace();
    !text.is_empty() && text.chars().count() <= characters && text.chars().all(is_plain)
}

/// Returns the BLAKE3 of exactly what will be done.
fn digest(command: &str, subject: &ApprovalSubject) -> String {
    let exactly = serde_json::to_vec(&(command, subject)).unwrap_or_default();
    blake3::hash(&exactly).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(question: LocalQuestion) -> Result<ApprovalRequest, String> {
        let id = "approval1".parse().unwrap();
        request(question, id, 1000).map_err(|reply| match reply {
            LocalReply::Refused { code, .. } => code,
            other => panic!("{other:?}"),
        })
    }

    fn command(command: &str) -> LocalQuestion {
        let kind = ApprovalKind::Command;
        LocalQuestion { kind, command: command.into(), ..LocalQuestion::default() }
    }

    #[test]
    fn a_question_is_bounded_and_plain() {
        let bad = [
            LocalQuestion::default(),
            command(" "),
            command("a\0b"),
            LocalQuestion { kind: ApprovalKind::Form, ..command("a") },
            LocalQuestion { cwd: Some("x".into()), ..command("a") },
            LocalQuestion { tool: Some("a b".into()), ..command("a") },
            LocalQuestion { tool: Some(String::new()), ..command("a") },
            LocalQuestion { agent: Some("x".repeat(65)), ..command("a") },
        ];
        for question in bad {
            assert_eq!(asked(question.clone()).unwrap_err(), "bad_request", "{question:?}");
        }
        let large = LocalQuestion { explanation: "x".repeat(APPROVAL_BYTES), ..command("a") };
        assert_eq!(asked(large).unwrap_err(), "too_large");
    }

    #[test]
    fn it_expires_after_five_minutes_unless_it_says_otherwise() {
        let expires =
            |ms| asked(LocalQuestion { expires_ms: ms, ..command("a") }).unwrap().expires_at;
        assert_eq!(expires(None), Some(301_000));
        assert_eq!(expires(Some(50)), Some(1050));
        assert_eq!(expires(Some(0)), None);
        assert_eq!(expires(Some(u64::MAX)), Some(EXPIRES_MOST_MS + 1000));
    }

    #[test]
    fn the_digest_is_of_all_that_will_be_done() {
        let of = |question: LocalQuestion| asked(question).unwrap().digest;
        let cwd = Some("/a".to_owned());
        assert_eq!(of(command("a")), of(LocalQuestion { explanation: "b".into(), ..command("a") }));
        assert_ne!(of(command("a")), of(command("b")));
        assert_ne!(of(command("a")), of(LocalQuestion { cwd, ..command("a") }));
    }

    #[test]
    fn a_state_is_a_word() {
        for good in ["idle", "überarbeitet", &"x".repeat(32)] {
            assert!(state(good.to_owned(), Some("Bash".into())).is_ok(), "{good}");
        }
        for bad in ["", "two words", "a\u{1b}", &"x".repeat(33)] {
            assert!(state(bad.to_owned(), None).is_err(), "{bad:?}");
        }
        assert!(state("idle".into(), Some("x y".into())).is_err());
    }
}
