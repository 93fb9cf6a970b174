//! The rules of a host, and the file that keeps them.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_shared::agent::approval::{ApprovalDecision, ApprovalRequest};
use moorline_shared::agent::rule::{ApprovalRule, RuleEffect, RuleScope, RulesQuestion};
use moorline_shared::id::SessionId;
use moorline_shared::limits::{APPROVAL_BYTES, APPROVAL_RULES};
use serde::{Deserialize, Serialize};

use super::rules::{RuleContext, deciding};
use crate::state_file::StateFile;

/// Largest size of the file in bytes.
const FILE_BYTES: u64 = (2 * APPROVAL_BYTES * APPROVAL_RULES) as u64;

/// The rules of a host. Those of sessions are only kept in memory: they end with their sessions.
#[derive(Debug, Default)]
pub struct RuleBook {
    /// At most [`APPROVAL_RULES`], oldest first.
    rules: Mutex<Vec<ApprovalRule>>,
    /// The file; `None` if rules are not kept.
    file: Option<StateFile<RuleFile>>,
}

/// The error of a question about rules.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The rule does not exist.
    #[error("The rule `{0}` does not exist: it was revoked, or its session has ended.")]
    Missing(String),
    /// The rule is revoked, but the file still has it.
    #[error("The rule is revoked, but the file of rules cannot be written: {0}.")]
    NotStored(#[from] io::Error),
}

impl RuleError {
    /// Returns a stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "no_such_rule",
            Self::NotStored(_) => "internal",
        }
    }
}

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct RuleFile {
    rules: Vec<ApprovalRule>,
}

impl RuleBook {
    /// Reads the rules from a file. A missing file has none. A file that cannot be understood is
    /// renamed to end in `.broken`, and the log says so: then every approval is asked for. Blocks.
    #[must_use]
    pub fn open(path: PathBuf) -> Self {
        let (file, RuleFile { mut rules }) = StateFile::<RuleFile>::open(path, FILE_BYTES);
        rules.retain(|rule| rule.scope != RuleScope::Session);
        rules.truncate(APPROVAL_RULES);
        Self { rules: Mutex::new(rules), file: Some(file) }
    }

    /// Returns all rules, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<ApprovalRule> {
        self.rules().clone()
    }

    /// Returns the decision of the rule that decides an approval, if one does. `now_ms` is the time
    /// in milliseconds since 1970.
    #[must_use]
    pub fn decide(
        &self,
        request: &ApprovalRequest,
        context: &RuleContext,
        now_ms: u64,
    ) -> Option<ApprovalDecision> {
        let rules = self.rules();
        let rule = deciding(rules.iter(), request, context)?;
        Some(ApprovalDecision {
            approved: rule.effect == RuleEffect::Allow,
            by: format!("rule {}", rule.id),
            at: now_ms,
            ..ApprovalDecision::default()
        })
    }

    /// Adds a rule, which holds at once; one that is equal replaces it. Returns false if there are
    /// too many. If the rule is to be kept, call [`RuleBook::save`].
    pub fn add(&self, rule: ApprovalRule) -> bool {
        let mut rules = self.rules();
        rules.retain(|other| {
            let is_same = (other.scope, other.effect) == (rule.scope, rule.effect)
                && other.session_id == rule.session_id;
            !(is_same && other.matcher == rule.matcher && other.folder == rule.folder)
        });
        if rules.len() >= APPROVAL_RULES {
            return false;
        }
        rules.push(rule);
        true
    }

    /// Answers a question with the rules that there are then. A rule that is revoked decides
    /// nothing more. Blocks.
    ///
    /// # Errors
    /// [`RuleError`].
    pub fn answer(&self, question: &RulesQuestion) -> Result<Vec<ApprovalRule>, RuleError> {
        if let RulesQuestion::Revoke { id } = question {
            self.remove(id)?;
            self.save()?;
        }
        Ok(self.list())
    }

    fn remove(&self, id: &str) -> Result<(), RuleError> {
        let mut rules = self.rules();
        let place = rules.iter().position(|rule| rule.id == id);
        rules.remove(place.ok_or_else(|| RuleError::Missing(id.to_owned()))?);
        Ok(())
    }

    /// Removes the rules of a session that has ended.
    pub fn session_ended(&self, session: &SessionId) {
        self.rules().retain(|rule| rule.session_id.as_ref() != Some(session));
    }

    /// Writes the file, if there is one: as a whole, or not at all. Blocks.
    ///
    /// # Errors
    /// The system's error; then the file is as before.
    pub fn save(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        file.save(|| {
            let rules = self.list().into_iter().filter(|rule| rule.scope != RuleScope::Session);
            RuleFile { rules: rules.collect() }
        })
    }

    fn rules(&self) -> MutexGuard<'_, Vec<ApprovalRule>> {
        // Every change leaves a valid list.
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use moorline_shared::agent::rule::RuleMatcher;

    use super::*;

    fn rule(id: &str, scope: RuleScope) -> ApprovalRule {
        let session_id = "session1".parse().unwrap();
        ApprovalRule {
            id: id.into(),
            scope,
            effect: RuleEffect::Allow,
            matcher: RuleMatcher::Command { words: vec![id.into()], prefix: false },
            folder: "/".into(),
            session_id: (scope == RuleScope::Session).then_some(session_id),
            created_at: 1,
            by: "me".into(),
        }
    }

    fn ids(book: &RuleBook) -> Vec<String> {
        book.list().into_iter().map(|rule| rule.id).collect()
    }

    #[test]
    fn rules_are_kept_for_the_next_host_except_those_of_sessions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.json");
        let book = RuleBook::open(path.clone());
        for (id, scope) in
            [("a", RuleScope::Always), ("b", RuleScope::Session), ("c", RuleScope::Always)]
        {
            assert!(book.add(rule(id, scope)));
        }
        book.save().unwrap();
        assert_eq!(ids(&book), ["a", "b", "c"]);
        let next = RuleBook::open(path.clone());
        assert_eq!(ids(&next), ["a", "c"]);
        next.answer(&RulesQuestion::Revoke { id: "a".into() }).unwrap();
        let missing = next.answer(&RulesQuestion::Revoke { id: "a".into() }).unwrap_err();
        assert_eq!(missing.code(), "no_such_rule");
        assert_eq!(ids(&RuleBook::open(path)), ["c"]);
        book.session_ended(&"session1".parse().unwrap());
        assert_eq!(ids(&book), ["a", "c"]);
    }

    #[test]
    fn rules_are_bounded_and_the_same_rule_is_kept_once() {
        let book = RuleBook::default();
        for number in 0..APPROVAL_RULES {
            assert!(book.add(rule(&number.to_string(), RuleScope::Always)));
        }
        assert!(!book.add(rule("one more", RuleScope::Always)));
        assert!(book.add(ApprovalRule { by: "you".into(), ..rule("7", RuleScope::Always) }));
        assert_eq!(book.list().len(), APPROVAL_RULES);
        assert_eq!(book.list().last().unwrap().by, "you");
    }

    #[test]
    fn a_revocation_that_cannot_be_stored_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let book = RuleBook::open(folder.path().join("gone/rules.json"));
        assert!(book.add(rule("a", RuleScope::Always)));
        let error = book.answer(&RulesQuestion::Revoke { id: "a".into() }).unwrap_err();
        assert_eq!(error.code(), "internal");
        assert_eq!(ids(&book), [""; 0]);
    }
}
