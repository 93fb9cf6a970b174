//! The answers to an approval: those of whoever asks, and those that the host adds.

use moorline_shared::agent::approval::{
    AnswerKind, ApprovalDecision, ApprovalOption, ApprovalRequest,
};

/// The id of the option that the host adds: allow it until the session ends.
pub const SESSION_OPTION: &str = "moorline.session";
/// The id of the option that the host adds: allow it from now on.
pub const ALWAYS_OPTION: &str = "moorline.always";

/// The id of the option that the host adds: deny it from now on.
pub const NEVER_OPTION: &str = "moorline.never";

/// Returns true if one of the asker's own answers allows it for now, which is the answer that it gets
/// if a rule, or an answer of the host, allows it.
pub(super) fn can_allow(own: &[ApprovalOption]) -> bool {
    own.iter().any(|it| matches!(it.kind, AnswerKind::AllowOnce | AnswerKind::AllowSession))
}

/// Adds the answers that make rules, if whoever asks does not have them. Answers that allow are added
/// only if it can be told so.
pub(super) fn add_own(options: &mut Vec<ApprovalOption>) {
    let can_allow = can_allow(options);
    for (option_id, name, kind) in [
        (SESSION_OPTION, "Allow until the session ends", AnswerKind::AllowSession),
        (ALWAYS_OPTION, "Always allow in this folder", AnswerKind::AllowAlways),
        (NEVER_OPTION, "Always deny in this folder", AnswerKind::RejectAlways),
    ] {
        let can_be_told = can_allow || !kind.allows();
        if can_be_told && options.iter().all(|option| option.kind != kind) {
            options.push(ApprovalOption {
                option_id: option_id.to_owned(),
                name: name.to_owned(),
                kind,
            });
        }
    }
}

/// Returns true if the host has added this answer.
pub(super) fn is_of_host(option: &ApprovalOption) -> bool {
    [SESSION_OPTION, ALWAYS_OPTION, NEVER_OPTION].contains(&&*option.option_id)
}

/// Returns the answers of a program that has none of its own.
#[must_use]
pub fn of_program() -> Vec<ApprovalOption> {
    let option = |id: &str, name: &str, kind| ApprovalOption {
        option_id: id.to_owned(),
        name: name.to_owned(),
        kind,
    };
    vec![
        option("allow", "Allow", AnswerKind::AllowOnce),
        option("deny", "Deny", AnswerKind::RejectOnce),
    ]
}

/// Returns the meaning of a decision.
pub(super) fn kind_of(request: &ApprovalRequest, decision: &ApprovalDecision) -> AnswerKind {
    let chosen = decision.option_id.as_ref();
    let chosen = chosen.and_then(|id| request.options.iter().find(|it| it.option_id == *id));
    match chosen {
        Some(option) if option.kind != AnswerKind::Other => option.kind,
        _ if decision.approved => AnswerKind::AllowOnce,
        _ => AnswerKind::RejectOnce,
    }
}

/// Returns the decision as whoever asked gets it: with an answer of its own.
pub(super) fn in_own_words(
    own: &[ApprovalOption],
    mut decision: ApprovalDecision,
) -> ApprovalDecision {
    let is_own = |id: &String| own.iter().any(|option| option.option_id == *id);
    if !decision.option_id.as_ref().is_some_and(is_own) {
        let once = if decision.approved { AnswerKind::AllowOnce } else { AnswerKind::RejectOnce };
        let usual = own.iter().find(|option| option.kind == once);
        decision.option_id = usual.map(|option| option.option_id.clone());
    }
    decision
}
