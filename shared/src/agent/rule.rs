//! Rules: answers to approvals that hold for later ones too.

use serde::{Deserialize, Serialize};

use super::approval::{ApprovalKind, ApprovalRequest};
use crate::id::SessionId;

/// The kind of tool that runs commands, as the Agent Client Protocol names it.
const EXECUTE: &str = "execute";
/// The field of a decision's answers that has the words with which the commands of a rule begin.
pub const PREFIX_FIELD: &str = "prefix";

/// A rule of a host, which decides approvals without asking.
///
/// A rule is made by an answer that holds for more than one approval, such as
/// [`AnswerKind::AllowAlways`](super::approval::AnswerKind::AllowAlways).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRule {
    /// Its id, unique on the host.
    pub id: String,
    /// The time for which it holds.
    pub scope: RuleScope,
    /// Its decision.
    pub effect: RuleEffect,
    /// The approvals that it decides.
    pub matcher: RuleMatcher,
    /// The folder in which it holds, and beneath it.
    pub folder: String,
    /// The session in which it holds, if its scope is one session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// When it was made, in milliseconds since 1970.
    pub created_at: u64,
    /// Who made it: the label of a token.
    pub by: String,
}

/// The time for which a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RuleScope {
    /// Until its session ends.
    Session,
    /// Until it is revoked.
    Always,
    /// A scope that this version does not know. Such a rule decides nothing.
    #[serde(other)]
    Other,
}

/// The decision of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RuleEffect {
    /// It allows what is asked for.
    Allow,
    /// It forbids what is asked for. Takes precedence over rules that allow it.
    Deny,
    /// A decision that this version does not know. Such a rule decides nothing.
    #[serde(other)]
    Other,
}

/// The approvals that a rule decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum RuleMatcher {
    /// Commands of these words. A command that a shell would split or expand has no words, and so
    /// no rule.
    Command {
        /// The words, as a program would get them.
        words: Vec<String>,
        /// True if further words may follow.
        #[serde(default)]
        prefix: bool,
    },
    /// Uses of a tool.
    Tool {
        /// The kind of tool, such as `edit`.
        tool: String,
        /// The agent that uses it; `None` for a program that names no agent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
    },
    /// A matcher that this version does not know. Such a rule decides nothing.
    #[serde(other)]
    Unknown,
}

/// A question about a host's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RulesQuestion {
    /// Lists the rules.
    List,
    /// Revokes a rule, and lists the others.
    Revoke {
        /// The rule's id.
        id: String,
    },
}

/// Returns the command that a rule of this approval would be about; `None` if it is about another
/// use of a tool, or about one that runs commands without saying which.
#[must_use]
pub fn command_of(request: &ApprovalRequest) -> Option<&str> {
    match request.kind {
        ApprovalKind::Command => Some(&request.command),
        // The title of the tool call need not be the command.
        ApprovalKind::Tool if request.subject.tool.as_deref() == Some(EXECUTE) => {
            request.subject.input.as_ref()?.get("command")?.as_str()
        }
        _ => None,
    }
}

/// Returns true if this kind of tool runs commands.
#[must_use]
pub fn runs_commands(tool: &str) -> bool {
    tool == EXECUTE
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_of_a_later_version_is_read_and_decides_nothing() {
        let rule: ApprovalRule = serde_json::from_value(json!({
            "id": "rule_1", "scope": "fortnight", "effect": "perhaps",
            "matcher": { "type": "weather", "sky": "blue" },
            "folder": "/a", "createdAt": 7, "by": "me"
        }))
        .unwrap();
        assert_eq!((rule.scope, rule.effect), (RuleScope::Other, RuleEffect::Other));
        assert_eq!(rule.matcher, RuleMatcher::Unknown);
    }

    #[test]
    fn a_rule_reads_as_it_is_written() {
        let rule = ApprovalRule {
            id: "rule_1".into(),
            scope: RuleScope::Session,
            effect: RuleEffect::Deny,
            matcher: RuleMatcher::Command { words: vec!["rm".into()], prefix: true },
            folder: "/a".into(),
            session_id: Some("session_1".parse().unwrap()),
            created_at: 7,
            by: "me".into(),
        };
        let json = json!({
            "id": "rule_1", "scope": "session", "effect": "deny",
            "matcher": { "type": "command", "words": ["rm"], "prefix": true },
            "folder": "/a", "sessionId": "session_1", "createdAt": 7, "by": "me"
        });
        assert_eq!(serde_json::to_value(&rule).unwrap(), json);
        assert_eq!(serde_json::from_value::<ApprovalRule>(json).unwrap(), rule);
    }
}
