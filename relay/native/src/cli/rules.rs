//! `moorline host rules`.

use anyhow::{Context as _, anyhow};
use moorline_host::ask::wire::{LocalReply, LocalRequest};
use moorline_host::ask::{AskClient, AskSecret, PATIENCE, secret_path, socket_path};
use moorline_host::daemon::StateDir;
use moorline_shared::agent::rule::{
    ApprovalRule, RuleEffect, RuleMatcher, RuleScope, RulesQuestion,
};
use moorline_shared::name::clean;

use crate::console::print;
use moorline_core::rfc3339;

/// Options of `moorline host rules`.
#[derive(Debug, clap::Args)]
pub(super) struct RulesOptions {
    /// Revoke the rule with this id.
    #[arg(long, value_name = "ID")]
    revoke: Option<String>,

    /// Print the rules as JSON.
    #[arg(long)]
    json: bool,
}

/// Asks the host that runs in this folder.
pub(super) fn run(state: &StateDir, options: &RulesOptions) -> anyhow::Result<()> {
    let away = "the host does not answer: it may be an older version, or have just ended";
    let secret = AskSecret::read(&secret_path(state.path())).context(away)?;
    let mut client = AskClient::connect(&socket_path(state.path())).context(away)?;
    let question = match &options.revoke {
        Some(id) => RulesQuestion::Revoke { id: id.clone() },
        None => RulesQuestion::List,
    };
    client.send(&LocalRequest::Rules { key: secret.host_key(), question }).context(away)?;
    let rules = match client.receive(Some(2 * PATIENCE)).context(away)? {
        LocalReply::Rules { rules } => rules,
        LocalReply::Refused { message, .. } => return Err(anyhow!("{message}")),
        _ => return Err(anyhow!("{away}")),
    };
    if options.json {
        return print(&format!("{}\n", serde_json::to_string(&rules)?));
    }
    print(&rules.iter().map(line_of).collect::<String>())
}

/// Returns a rule on one line. Its texts come from programs, and must not change the terminal.
fn line_of(rule: &ApprovalRule) -> String {
    let effect = match rule.effect {
        RuleEffect::Allow => "allow",
        RuleEffect::Deny => "deny",
        RuleEffect::Other => "unknown",
    };
    let what = match &rule.matcher {
        RuleMatcher::Command { words, prefix } => {
            let rest = if *prefix { " …" } else { "" };
            format!(
                "command {}{rest}",
                words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
            )
        }
        RuleMatcher::Tool { tool, agent: Some(agent) } => format!("tool {tool} of {agent}"),
        RuleMatcher::Tool { tool, agent: None } => format!("tool {tool}"),
        RuleMatcher::Unknown => "unknown".to_owned(),
    };
    let until = match (rule.scope, &rule.session_id) {
        (RuleScope::Session, Some(session)) => format!("in session {session}"),
        _ => "always".to_owned(),
    };
    let at = rfc3339(rule.created_at);
    let (id, folder, by) = (&rule.id, quoted(&rule.folder), clean(&rule.by));
    format!("{}  {effect} {until}  {}  in {folder}  by {by} at {at}\n", clean(id), clean(&what))
}

/// Returns a word as a shell would take it.
fn quoted(word: &str) -> String {
    let is_plain =
        |it: char| it.is_ascii_alphanumeric() || "_-./=:,@%+".contains(it) || !it.is_ascii();
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_shown_on_one_line() {
        let rule = ApprovalRule {
            id: "rule_1".into(),
            scope: RuleScope::Always,
            effect: RuleEffect::Allow,
            matcher: RuleMatcher::Command {
                words: vec!["echo".into(), "it's\u{1b}[31m".into()],
                prefix: true,
            },
            folder: "/a b".into(),
            session_id: None,
            created_at: 0,
            by: "phone\n".into(),
        };
        let line = line_of(&rule);
        assert!(line.starts_with(r"rule_1  allow always  command echo 'it'\''s"), "{line}");
        assert!(line.contains("in '/a b'  by phone at 1970-01-01T00:00:00"), "{line}");
        assert!(!line.trim_end().contains(char::is_control), "{line:?}");
    }
}
