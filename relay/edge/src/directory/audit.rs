//! What was done by whom.

use http::StatusCode;
use moorline_core::audit::{AUDIT_TRIM_EVERY, AuditRecord};
use moorline_core::routes::{self, AuditPage};
use moorline_shared::rest::AuditKind;
use worker::{console_error, console_log};

use super::DirectoryState;
use crate::reply::{Answer, json};

/// Time within which refusals of the same caller by the same route are one event, in milliseconds.
const REFUSALS_TOGETHER_MS: u64 = 60_000;
/// The most callers and routes whose refusals are compared.
const REFUSALS: usize = 256;

/// The event of a token that is not valid.
pub(super) fn wrong_token(now_ms: u64, from: Option<&str>) -> AuditRecord {
    let record = AuditRecord::nobodys(now_ms, AuditKind::Denied);
    let record = record.with("wrong, expired or revoked token");
    AuditRecord { address: from.map(str::to_owned), ..record }
}

impl DirectoryState {
    /// Records an event. A fault is only logged: what it tells of has happened.
    pub(super) fn record(&self, record: &AuditRecord) {
        if record.kind == AuditKind::Denied && !self.is_news(record) {
            return;
        }
        console_log!("audit: {}", serde_json::to_string(record).unwrap_or_default());
        let count = self.audited.get() + 1;
        let trims = count % AUDIT_TRIM_EVERY == 1;
        self.audited.set(count);
        let stored = self.with(|memory| {
            memory.database.put_audit(record)?;
            if trims { Ok(memory.database.trim_audit()?) } else { Ok(()) }
        });
        if let Err(failure) = stored {
            console_error!("an audit event was not stored: {failure}");
        }
    }

    pub(super) fn audit(&self, request: &routes::Request) -> Answer {
        let page = AuditPage::of(request)?;
        let events = self.with(|memory| Ok(memory.database.audit(page)?))?;
        json(StatusCode::OK, &page.answer(events))
    }

    /// Returns true if no such refusal was recorded lately.
    fn is_news(&self, refusal: &AuditRecord) -> bool {
        let key = (refusal.who.clone(), refusal.address.clone(), refusal.detail.clone());
        let mut refusals = self.refusals.borrow_mut();
        let is_recent = |at_ms: u64| refusal.at_ms.saturating_sub(at_ms) < REFUSALS_TOGETHER_MS;
        if refusals.get(&key).is_some_and(|at_ms| is_recent(*at_ms)) {
            return false;
        }
        if refusals.len() >= REFUSALS {
            refusals.retain(|_, at_ms| is_recent(*at_ms));
        }
        let has_room = refusals.len() < REFUSALS;
        if has_room {
            refusals.insert(key, refusal.at_ms);
        }
        has_room
    }
}
