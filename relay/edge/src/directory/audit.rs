//! What was done by whom.

use http::StatusCode;
use moorline_core::audit::{AUDIT_TRIM_EVERY, AuditRecord};
use moorline_core::routes::{self, AuditPage};
use worker::{console_error, console_log};

use super::DirectoryState;
use crate::reply::{Answer, json};

impl DirectoryState {
    /// Records an event. A fault is only logged: what it tells of has happened.
    pub(super) fn record(&self, record: &AuditRecord) {
        if !self.refusals.borrow_mut().is_news(record) {
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
        let events = self.with(|memory| Ok(memory.database.audit(&page)?))?;
        json(StatusCode::OK, &page.answer(events))
    }
}
