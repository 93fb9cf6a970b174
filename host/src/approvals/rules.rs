//! Which approvals a rule decides, and which rule an answer makes.
//!
//! A rule holds in its folder and beneath it. For a command, the command's folder counts, or else
//! the session's; for a tool, also every file that it names must be there. Rules that deny take
//! precedence. Whatever is not certain is not decided: a command that a shell would do more with
//! than split it into words has no rule (see [`words`]), nor has a tool that runs commands without
//! saying which. Nor is a question decided that lacks a part of what it asks for, unless it is
//! about changes of files all of which it names.

#[cfg(test)]
mod tests;

use std::path::{Component, Path, PathBuf};

use moorline_shared::agent::approval::{
    AnswerKind, ApprovalDecision, ApprovalKind, ApprovalRequest,
};
use moorline_shared::agent::content::KnownToolContent;
use moorline_shared::agent::rule::{
    ApprovalRule, PREFIX_FIELD, RuleEffect, RuleMatcher, RuleScope, command_of, runs_commands,
};
use moorline_shared::agent::words::words;
use moorline_shared::id::{ApprovalId, SessionId};
use serde_json::Value;

/// The fields of a tool's input that name files.
const PATH_FIELDS: [&str; 4] = ["file_path", "notebook_path", "path", "filePath"];

/// Where an approval is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleContext {
    /// The session.
    pub session_id: SessionId,
    /// The session's folder.
    pub folder: PathBuf,
    /// The agent that asks, if it is known.
    pub agent: Option<String>,
}

/// Returns the rule that decides an approval, if one does.
pub fn deciding<'a>(
    rules: impl IntoIterator<Item = &'a ApprovalRule>,
    request: &ApprovalRequest,
    context: &RuleContext,
) -> Option<&'a ApprovalRule> {
    let subject = subject_of(request, context)?;
    let mut found: Option<&ApprovalRule> = None;
    for rule in rules {
        let decides = holds_for(rule, context) && subject.is_matched_by(rule);
        match rule.effect {
            RuleEffect::Deny if decides => return Some(rule),
            RuleEffect::Allow if decides => _ = found.get_or_insert(rule),
            _ => {}
        }
    }
    found
}

/// Returns true if an answer to the approval could make a rule.
#[must_use]
pub fn can_be_ruled(request: &ApprovalRequest, context: &RuleContext) -> bool {
    subject_of(request, context).is_some()
}

/// Returns the rule that an answer of this kind makes, if it makes one. The rule of a command is
/// about exactly its words, as they were decided, unless the decision's answers have `prefix`: the
/// first words of the command, with which commands must begin.
#[must_use]
pub fn rule_of(
    answer: AnswerKind,
    request: &ApprovalRequest,
    decision: &ApprovalDecision,
    context: &RuleContext,
) -> Option<ApprovalRule> {
    let (scope, effect) = match answer {
        AnswerKind::AllowSession if decision.approved => (RuleScope::Session, RuleEffect::Allow),
        AnswerKind::AllowAlways if decision.approved => (RuleScope::Always, RuleEffect::Allow),
        AnswerKind::RejectAlways if !decision.approved => (RuleScope::Always, RuleEffect::Deny),
        _ => return None,
    };
    let mut decided = request.clone();
    if let Some(command) = &decision.custom_command {
        decided.command.clone_from(command);
        decided.subject.input = None;
    }
    let RuledSubject { what, folder, .. } = subject_of(&decided, context)?;
    let matcher = match what {
        RuledKind::Command(words) => command_matcher(words, decision)?,
        RuledKind::Tool(tool) => RuleMatcher::Tool { tool, agent: context.agent.clone() },
    };
    let session = plain_path(&context.folder).filter(|session| folder.starts_with(session));
    Some(ApprovalRule {
        id: rule_id(&request.approval_id, decision.at),
        scope,
        effect,
        matcher,
        folder: session.unwrap_or(folder).to_str()?.to_owned(),
        session_id: (scope == RuleScope::Session).then(|| context.session_id.clone()),
        created_at: decision.at,
        by: decision.by.clone(),
    })
}

fn command_matcher(words: Vec<String>, decision: &ApprovalDecision) -> Option<RuleMatcher> {
    let Some(prefix) = decision.answers.as_ref().and_then(|answers| answers.get(PREFIX_FIELD))
    else {
        return Some(RuleMatcher::Command { words, prefix: false });
    };
    let prefix: Vec<String> = serde_json::from_value(prefix.clone()).ok()?;
    let is_one = !prefix.is_empty() && words.starts_with(&prefix);
    is_one.then_some(RuleMatcher::Command { words: prefix, prefix: true })
}

/// An approval has one rule at most, and so gives it an id.
fn rule_id(approval_id: &ApprovalId, at: u64) -> String {
    let hash = blake3::hash(format!("{approval_id} {at}").as_bytes());
    let (bits, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
    ApprovalId::from_random(u128::from_le_bytes(*bits)).as_str().to_owned()
}

fn holds_for(rule: &ApprovalRule, context: &RuleContext) -> bool {
    match rule.scope {
        RuleScope::Session => rule.session_id.as_ref() == Some(&context.session_id),
        RuleScope::Always => true,
        RuleScope::Other => false,
    }
}

/// The part of an approval that rules look at.
struct RuledSubject<'a> {
    what: RuledKind,
    /// The folder in which it happens.
    folder: PathBuf,
    /// The files that it names.
    files: Vec<PathBuf>,
    agent: Option<&'a str>,
}

enum RuledKind {
    Command(Vec<String>),
    Tool(String),
}

/// Returns the part of an approval that rules look at; `None` if no rule may decide it.
fn subject_of<'a>(request: &ApprovalRequest, context: &'a RuleContext) -> Option<RuledSubject<'a>> {
    let subject = &request.subject;
    if request.truncated && !names_all_files(request) {
        return None;
    }
    let what = match (command_of(request), request.kind, subject.tool.as_deref()) {
        (Some(command), ..) => RuledKind::Command(words(command)?),
        (None, ApprovalKind::Tool, Some(tool)) if !runs_commands(tool) => {
            RuledKind::Tool(tool.to_owned())
        }
        _ => return None,
    };
    let folder = match &subject.cwd {
        Some(cwd) => plain_path(&context.folder.join(cwd))?,
        None => plain_path(&context.folder)?,
    };
    let mut files = Vec::new();
    for content in &subject.content {
        if let KnownToolContent::Diff { path, .. } = content {
            files.push(plain_path(&folder.join(path))?);
        }
    }
    for field in PATH_FIELDS {
        let named = subject.input.as_ref().and_then(|input| input.get(field));
        if let Some(path) = named.and_then(Value::as_str) {
            files.push(plain_path(&folder.join(path))?);
        }
    }
    Some(RuledSubject { what, folder, files, agent: context.agent.as_deref() })
}

/// Returns true if a question that lacks a part still names every file that it is about. Whatever
/// is left out of its content is replaced by a text.
fn names_all_files(request: &ApprovalRequest) -> bool {
    let content = &request.subject.content;
    let is_change = |content: &KnownToolContent| matches!(content, KnownToolContent::Diff { .. });
    command_of(request).is_none() && !content.is_empty() && content.iter().all(is_change)
}

/// Returns a path in which `..` does not occur, without its `.` and doubled slashes; `None` for
/// any other path, and for one that is not absolute.
fn plain_path(path: &Path) -> Option<PathBuf> {
    let is_plain = |part: Component<'_>| !matches!(part, Component::ParentDir);
    (path.is_absolute() && path.components().all(is_plain)).then(|| path.components().collect())
}

impl RuledSubject<'_> {
    fn is_matched_by(&self, rule: &ApprovalRule) -> bool {
        let Some(folder) = plain_path(Path::new(&rule.folder)) else { return false };
        let is_inside = self.folder.starts_with(&folder)
            && self.files.iter().all(|file| file.starts_with(&folder));
        is_inside
            && match (&rule.matcher, &self.what) {
                (RuleMatcher::Command { words, prefix: false }, RuledKind::Command(asked)) => {
                    words == asked
                }
                (RuleMatcher::Command { words, prefix: true }, RuledKind::Command(asked)) => {
                    !words.is_empty() && asked.starts_with(words)
                }
                (RuleMatcher::Tool { tool, agent }, RuledKind::Tool(asked)) => {
                    tool == asked && agent.as_deref() == self.agent
                }
                _ => false,
            }
    }
}
