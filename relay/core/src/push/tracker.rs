//! Finds out which questions are new, and which are answered.

use std::collections::BTreeMap;

use moorline_shared::fold::ApprovalEntry;
use moorline_shared::id::{ApprovalId, SessionId};
use moorline_shared::limits::{PUSH_NAME_CHARACTERS, PUSH_TITLE_CHARACTERS};
use moorline_shared::name::bounded;
use moorline_shared::rest::ApprovalCard;
use serde::{Deserialize, Serialize};

/// A question of a session.
pub type QuestionKey = (SessionId, ApprovalId);

/// The message that a browser gets, as JSON. It has nothing else of the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PushMessage {
    /// A question awaits a decision.
    Asked {
        /// The session.
        session: SessionId,
        /// The question.
        approval: ApprovalId,
        /// The name of the session.
        name: String,
        /// The question in one line.
        title: String,
    },
    /// A question awaits no decision any more.
    Answered {
        /// The session.
        session: SessionId,
        /// The question.
        approval: ApprovalId,
        /// The name of the session.
        name: String,
    },
}

/// Something to tell to all browsers that may know of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushNotice {
    /// What they get.
    pub message: PushMessage,
    /// When nobody needs it any more, in milliseconds since 1970; `None` if that is not known.
    pub expires_at: Option<u64>,
}

impl PushMessage {
    /// Returns the question.
    #[must_use]
    pub fn key(&self) -> QuestionKey {
        let (Self::Asked { session, approval, .. } | Self::Answered { session, approval, .. }) =
            self;
        (session.clone(), approval.clone())
    }
}

/// The open questions, as far as browsers were told.
///
/// Call [`PushTracker::update`] with all open questions whenever they may have changed. A call
/// without a change returns nothing. The first call only learns what is open: those questions were
/// told before the relay's start, or nobody has subscribed yet.
#[derive(Debug, Default)]
pub struct PushTracker {
    /// The open questions with the names of their sessions; `None` before the first update.
    open: Option<BTreeMap<QuestionKey, PushedQuestion>>,
}

#[derive(Debug, Clone)]
struct PushedQuestion {
    name: String,
    expires_at: Option<u64>,
}

impl PushTracker {
    /// Takes the open questions, and returns what is to be told.
    pub fn update(&mut self, cards: &[ApprovalCard]) -> Vec<PushNotice> {
        let mut now = BTreeMap::new();
        let mut notices = Vec::new();
        for ApprovalCard { session_id, session_name, approval } in cards {
            let key = (session_id.clone(), approval.request.approval_id.clone());
            let name = bounded(session_name, PUSH_NAME_CHARACTERS);
            let expires_at = approval.request.expires_at;
            if self.open.as_ref().is_some_and(|open| !open.contains_key(&key)) {
                let message = asked(key.clone(), name.clone(), approval);
                notices.push(PushNotice { message, expires_at });
            }
            now.insert(key, PushedQuestion { name, expires_at });
        }
        for (key, question) in self.open.iter().flatten() {
            if !now.contains_key(key) {
                let ((session, approval), PushedQuestion { name, expires_at }) =
                    (key.clone(), question.clone());
                let message = PushMessage::Answered { session, approval, name };
                notices.push(PushNotice { message, expires_at });
            }
        }
        self.open = Some(now);
        notices
    }

    /// Returns true if a question awaits a decision.
    #[must_use]
    pub fn is_open(&self, key: &QuestionKey) -> bool {
        self.open.as_ref().is_some_and(|open| open.contains_key(key))
    }
}

fn asked((session, approval): QuestionKey, name: String, entry: &ApprovalEntry) -> PushMessage {
    let title = bounded(&entry.request.command, PUSH_TITLE_CHARACTERS);
    PushMessage::Asked { session, approval, name, title }
}

#[cfg(test)]
mod tests {
    use moorline_shared::limits::PUSH_PAYLOAD_BYTES;
    use serde_json::json;

    use super::*;

    fn card(session: &str, approval: &str, command: &str) -> ApprovalCard {
        let card = json!({
            "sessionId": session, "sessionName": "Fixer", "approvalId": approval,
            "command": command, "expiresAt": 5000, "explanation": "secret", "digest": "d",
        });
        serde_json::from_value(card).unwrap()
    }

    fn told(notices: &[PushNotice]) -> Vec<serde_json::Value> {
        notices.iter().map(|notice| serde_json::to_value(&notice.message).unwrap()).collect()
    }

    #[test]
    fn each_question_is_told_once_and_again_when_it_is_answered() {
        let mut tracker = PushTracker::default();
        let first = card("abcdefgh", "approval_1", "make");
        let second = card("ijklmnop", "approval_2", "Edit\nlib.rs");
        assert_eq!(tracker.update(std::slice::from_ref(&first)), []);
        assert_eq!(tracker.update(std::slice::from_ref(&first)), []);
        let notices = tracker.update(&[first, second.clone()]);
        assert_eq!(
            told(&notices),
            [json!({
                "kind": "asked", "session": "ijklmnop", "approval": "approval_2",
                "name": "Fixer", "title": "Edit lib.rs",
            })]
        );
        assert_eq!(notices[0].expires_at, Some(5000));
        assert!(tracker.is_open(&notices[0].message.key()));
        let notices = tracker.update(&[second]);
        assert_eq!(
            told(&notices),
            [json!({
                "kind": "answered", "session": "abcdefgh", "approval": "approval_1",
                "name": "Fixer",
            })]
        );
        assert!(!tracker.is_open(&notices[0].message.key()));
        assert_eq!(tracker.update(&[]).len(), 1);
        assert_eq!(tracker.update(&[]), []);
    }

    #[test]
    fn a_message_is_bounded() {
        let mut tracker = PushTracker::default();
        tracker.update(&[]);
        for text in ["\u{1F600}", "\"", "\\", "\u{1}", "x\n"] {
            let mut large = card("abcdefgh", "approval_1", &text.repeat(100_000));
            large.session_name = text.repeat(100_000);
            let notices = tracker.update(&[large]);
            let bytes = serde_json::to_vec(&notices[0].message).unwrap();
            assert!(bytes.len() <= PUSH_PAYLOAD_BYTES, "{} of {text:?}", bytes.len());
            tracker.update(&[]);
        }
    }
}
