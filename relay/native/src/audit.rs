//! Records what was done by whom: in the log at once, and in the store soon.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_core::audit::{AUDIT_TRIM_EVERY, AuditRecord, Refusals};
use tokio::sync::{Notify, watch};

use super::listen::begun;
use super::store::Writer;

/// The most events that wait to be stored.
const WAITING: usize = 1000;

/// The recorder of audit events.
#[derive(Debug, Default)]
pub struct Audit {
    state: Mutex<AuditState>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct AuditState {
    waiting: VecDeque<AuditRecord>,
    refusals: Refusals,
    dropped: u64,
    /// Events stored since the oldest were removed; `None` before they were for the first time.
    since_trim: Option<u64>,
}

impl Audit {
    /// Records an event. If too many wait to be stored, it is only logged.
    pub fn record(&self, record: AuditRecord) {
        let mut state = self.state();
        if !state.refusals.is_news(&record) {
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
        loop {
            let is_last = tokio::select! {
                () = self.arrived.notified() => false,
                () = begun(&mut closing) => true,
            };
            self.flush(writer).await;
            if is_last {
                return;
            }
        }
    }

    /// Stores the events that wait. When it returns, every event recorded before can be read.
    pub async fn flush(&self, writer: &Writer) {
        let (stored, dropped) = {
            // Locked until the writer has them, so that nobody overtakes events that are on their way.
            let mut state = self.state();
            let records = std::mem::take(&mut state.waiting);
            let since = state.since_trim.map(|since| since + records.len() as u64);
            let trims = since.is_none_or(|since| since >= AUDIT_TRIM_EVERY);
            state.since_trim = if trims { Some(0) } else { since };
            let stored = writer.run(move |store| {
                records.iter().try_for_each(|record| store.put_audit(record))?;
                if trims { store.trim_audit() } else { Ok(()) }
            });
            (stored, std::mem::take(&mut state.dropped))
        };
        if dropped > 0 {
            tracing::warn!(dropped, "audit events were only logged: the store is too slow");
        }
        if let Err(error) = stored.await {
            tracing::warn!(%error, "audit events were only logged");
        }
    }

    fn state(&self) -> MutexGuard<'_, AuditState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
