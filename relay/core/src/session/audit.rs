//! What clients did in a session, to be recorded by its owner.

use std::collections::VecDeque;

use super::Session;
use crate::audit::AuditRecord;

/// The most events that wait for the owner, which takes them after each call.
const WAITING: usize = 64;

/// The events that wait for the owner, oldest first.
#[derive(Debug, Default)]
pub(super) struct AuditQueue(VecDeque<AuditRecord>);

impl AuditQueue {
    pub(super) fn pop(&mut self) -> Option<AuditRecord> {
        self.0.pop_front()
    }
}

impl Session {
    /// Has the owner record what was done in this session.
    pub(crate) fn audit(&mut self, record: AuditRecord) {
        if self.audit.0.len() < WAITING {
            self.audit.0.push_back(record.about(&self.record.id));
        }
    }
}
