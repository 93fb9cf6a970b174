//! Records what was done by whom: in the log at once, and in the store soon.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_core::audit::{AUDIT_TRIM_EVERY, AuditRecord};
use moorline_shared::rest::AuditKind;
use tokio::sync::{Notify, watch};

use super::listen::begun;
use super::store::Writer;

/// The most events that wait to be stored.
const WAITING: usize = 1000;
/// Time within which refusals of the same caller by the same route are one event.
const REFUSALS_TOGETHER: Duration = Duration::from_secs(60);
/// The most callers and routes whose refusals are compared.
const REFUSALS: usize = 1024;

/// The recorder of audit events.
#[derive(Debug, Default)]
pub struct Audit {
    state: Mutex<AuditState>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct AuditState {
    waiting: VecDeque<AuditRecord>,
    /// When each kind of refusal was recorded last, in milliseconds since 1970.
    refusals: HashMap<(String, Option<String>, Option<String>), u64>,
    dropped: u64,
}

impl Audit {
    /// Records an event. If too many wait to be stored, it is only logged.
    pub fn record(&self, record: AuditRecord) {
        let mut state = self.state();
        if record.kind == AuditKind::Denied && !state.is_news(&record) {
            return;
        }
        tracing::info!(
            kind = record.kind.as_str(),
            who = record.who,
            token = record.token_id.as_deref(),
            address = record.address.as_deref(),
            session = record.session.as_ref().map(|id| id.as_str()),
            detail = record.detail.as_deref(),
            "audit"
        );
        if state.waiting.len() < WAITING {
            state.waiting.push_back(record);
        } else {
            state.dropped += 1;
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// Stores events until the relay shuts down, and what waits then.
    pub async fn run(&self, writer: &Writer, mut closing: watch::Receiver<bool>) {
        let mut since_trim = AUDIT_TRIM_EVERY;
        loop {
            let is_last = tokio::select! {
                () = self.arrived.notified() => false,
                () = begun(&mut closing) => true,
            };
            let (records, dropped) = {
                let mut state = self.state();
                (std::mem::take(&mut state.waiting), std::mem::take(&mut state.dropped))
            };
            if dropped > 0 {
                tracing::warn!(dropped, "audit events were only logged: the store is too slow");
            }
            since_trim += records.len() as u64;
            let trims = since_trim >= AUDIT_TRIM_EVERY;
            let stored = writer.run(move |store| {
                records.iter().try_for_each(|record| store.put_audit(record))?;
                if trims { store.trim_audit() } else { Ok(()) }
            });
            match stored.await {
                Ok(()) if trims => since_trim = 0,
                Ok(()) => {}
                Err(error) => tracing::warn!(%error, "audit events were only logged"),
            }
            if is_last {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, AuditState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditState {
    /// Returns true if no such refusal was recorded lately.
    fn is_news(&mut self, refusal: &AuditRecord) -> bool {
        let together_ms = REFUSALS_TOGETHER.as_millis() as u64;
        let is_recent = |at_ms: u64| refusal.at_ms.saturating_sub(at_ms) < together_ms;
        let key = (refusal.who.clone(), refusal.address.clone(), refusal.detail.clone());
        if self.refusals.get(&key).is_some_and(|at_ms| is_recent(*at_ms)) {
            return false;
        }
        if self.refusals.len() >= REFUSALS {
            self.refusals.retain(|_, at_ms| is_recent(*at_ms));
        }
        if self.refusals.len() >= REFUSALS {
            return false;
        }
        self.refusals.insert(key, refusal.at_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_a_kind_are_recorded_once_a_minute() {
        let audit = Audit::default();
        let refuse = |at_ms, address: &str| {
            let record = AuditRecord::nobodys(at_ms, AuditKind::Denied);
            audit.record(record.from(address).with("GET /api/tokens"));
        };
        (0..100).for_each(|at_ms| refuse(at_ms, "192.0.2.1"));
        refuse(100, "192.0.2.2");
        refuse(60_000, "192.0.2.1");
        assert_eq!(audit.state().waiting.len(), 3);
        (0..5000).for_each(|at_ms| refuse(at_ms, &format!("2001:db8::{at_ms}")));
        assert!(audit.state().waiting.len() <= WAITING && audit.state().refusals.len() <= REFUSALS);
    }
}
