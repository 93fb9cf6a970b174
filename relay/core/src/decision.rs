//! Checks that a decision can be carried out as it is, before it is stored: its answers are those
//! of the form, and whatever else it has is about something that the approval has.

mod form;

use moorline_shared::agent::approval::{
    AnswerKind, ApprovalDecision, ApprovalKind, ApprovalRequest,
};
use moorline_shared::agent::rule::{PREFIX_FIELD, command_of};
use moorline_shared::agent::words::words;
use moorline_shared::limits::{DECISION_BYTES, DECISION_TOO_LARGE};
use serde_json::Value;

/// The reason why a decision is about something that its approval does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecisionUnfit {
    /// The answers are not those of the form, or their prefix is none.
    #[error("{0}")]
    Answers(String),
    /// The command cannot be changed, or not to this one.
    #[error("{0}")]
    Command(&'static str),
    /// The decision has more bytes than [`DECISION_BYTES`].
    #[error("{}", DECISION_TOO_LARGE)]
    TooLarge,
}

/// Checks a decision about an approval that awaits one.
///
/// # Errors
/// [`DecisionUnfit`].
pub(crate) fn check(
    request: &ApprovalRequest,
    decision: &ApprovalDecision,
) -> Result<(), DecisionUnfit> {
    if serde_json::to_vec(decision).map_or(usize::MAX, |json| json.len()) > DECISION_BYTES {
        return Err(DecisionUnfit::TooLarge);
    }
    check_command(request, decision)?;
    match (request.kind, &request.form, &decision.answers) {
        (ApprovalKind::Form, Some(schema), answers) if decision.approved => {
            form::check(schema, answers.as_ref()).map_err(DecisionUnfit::Answers)
        }
        (ApprovalKind::Command | ApprovalKind::Tool, _, Some(answers)) => {
            check_prefix(request, decision, answers).map_err(DecisionUnfit::Answers)
        }
        _ => Ok(()),
    }
}

fn check_command(
    request: &ApprovalRequest,
    decision: &ApprovalDecision,
) -> Result<(), DecisionUnfit> {
    let Some(command) = &decision.custom_command else { return Ok(()) };
    if matches!(request.kind, ApprovalKind::Tool | ApprovalKind::Form) {
        let message = "`customCommand` changes the command of an approval of the kind `command`, \
                       and this is another: decide without it.";
        return Err(DecisionUnfit::Command(message));
    }
    // What is denied is not run.
    if decision.approved && (command.trim().is_empty() || command.contains('\0')) {
        let message = "`customCommand` is empty, or has a NUL character: leave it out to run the \
                       command as it was asked for.";
        return Err(DecisionUnfit::Command(message));
    }
    Ok(())
}

/// Checks the answers about a command or a tool, which can only have the prefix of a rule.
fn check_prefix(
    request: &ApprovalRequest,
    decision: &ApprovalDecision,
    answers: &Value,
) -> Result<(), String> {
    let fields = answers.as_object().ok_or_else(form::no_object)?;
    if let Some(other) = fields.keys().find(|name| *name != PREFIX_FIELD) {
        return Err(form::no_field(other));
    }
    let Some(prefix) = fields.get(PREFIX_FIELD) else { return Ok(()) };
    let chosen =
        request.options.iter().find(|it| Some(&it.option_id) == decision.option_id.as_ref());
    let makes_rule = chosen.is_some_and(|option| {
        use AnswerKind::{AllowAlways, AllowSession, RejectAlways};
        matches!(option.kind, AllowSession | AllowAlways | RejectAlways)
    });
    if !makes_rule {
        return Err("`prefix` needs an `optionId` that makes a rule.".to_owned());
    }
    let command = decision.custom_command.as_deref().or_else(|| command_of(request));
    let Some(words) = command.and_then(words) else {
        return Err("`prefix` is for commands that a shell only splits into words: leave it out."
            .to_owned());
    };
    let prefix: Option<Vec<String>> = serde_json::from_value(prefix.clone()).ok();
    if prefix.is_some_and(|prefix| !prefix.is_empty() && words.starts_with(&prefix)) {
        return Ok(());
    }
    Err("`prefix` must be a list of the first words of the command.".to_owned())
}
