//! Write-behind: one thread that stores changes of sessions.
//!
//! A session marks itself ([`Writer::mark`]); the thread then asks it for a batch to store, and
//! stores those of many sessions in one transaction. Nothing is queued here: unstored entries wait
//! in the session's own log, and a session is marked once until its batch is taken.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use moorline_shared::id::{Seq, SessionId};

use super::{Store, StoreError};
use crate::metrics::StoreCounters;
use moorline_core::profile::Profile;
use moorline_core::session::Batch;
use moorline_core::stored::SegmentRow;

/// Pause after a round that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// Interval of the checks, while storing fails and nothing is to be stored, whether it works again.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// Intervals without a mark after which the thread sleeps until there is one. Until then it looks by
/// itself: waking it takes longer than anything else that a relay does for the echo of a key.
const IDLE_INTERVALS: u32 = 20;

/// A session that can be stored. Its methods are called on the writer's thread.
pub trait StoreSource: Send + Sync {
    /// The session's id.
    fn id(&self) -> &SessionId;
    /// Returns what is to be stored, with about `bytes` of entries. The session may be marked again
    /// from here on.
    fn batch(self: Arc<Self>, bytes: usize) -> Option<Box<Batch>>;
    /// Called when the batch is durable. `rows` hold its entries now, oldest first. A session that
    /// has more to store marks itself again.
    fn stored(self: Arc<Self>, batch: Box<Batch>, rows: Vec<SegmentRow>);
    /// Called when the batch could not be stored. A session that wants another attempt marks itself
    /// again.
    fn failed(self: Arc<Self>);
}

type Job = Box<dyn FnOnce(&mut Store) + Send>;

#[derive(Default)]
struct Inbox {
    marked: Vec<Arc<dyn StoreSource>>,
    jobs: Vec<Job>,
    /// True if a round should begin at once.
    urgent: bool,
    /// True if the thread sleeps until something arrives.
    asleep: bool,
    closing: bool,
}

impl Inbox {
    /// Returns true if there is nothing to do.
    const fn is_idle(&self) -> bool {
        self.marked.is_empty() && !self.urgent && !self.closing
    }
}

#[derive(Default)]
struct WriterShared {
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    failure: Mutex<Option<String>>,
}

/// Handle of the writer's thread.
pub struct Writer {
    shared: Arc<WriterShared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub fn start(store: Store, counters: StoreCounters) -> std::io::Result<Self> {
        let shared = Arc::new(WriterShared::default());
        let rounds = Rounds { shared: Arc::clone(&shared), store, counters };
        let thread = std::thread::Builder::new().name("store".into()).spawn(|| rounds.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Marks a session that has something to store. Call it once until the session is asked for its
    /// batch.
    pub fn mark(&self, source: Arc<dyn StoreSource>) {
        let mut inbox = lock(&self.shared.inbox);
        inbox.marked.push(source);
        if inbox.asleep {
            self.shared.arrived.notify_one();
        }
    }

    /// Ends the current interval early, because much is to be stored.
    pub fn hurry(&self) {
        let mut inbox = lock(&self.shared.inbox);
        if !inbox.urgent {
            inbox.urgent = true;
            self.shared.arrived.notify_one();
        }
    }

    /// Runs `work` on the writer's thread, at once and in the order of the calls. It runs even if
    /// the returned future is dropped.
    ///
    /// # Errors
    /// The error of `work`, or [`StoreError::Closed`].
    pub fn run<T, W>(&self, work: W) -> impl Future<Output = Result<T, StoreError>> + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let job: Job = Box::new(move |store| {
            // The receiver may have been dropped; the work is done all the same.
            let _ = sender.send(work(store));
        });
        let mut inbox = lock(&self.shared.inbox);
        // Dropping a job drops its sender, so the receiver gets an error.
        if !inbox.closing {
            inbox.jobs.push(job);
            inbox.urgent = true;
            self.shared.arrived.notify_one();
        }
        async move { receiver.await.unwrap_or(Err(StoreError::Closed)) }
    }

    /// The error of the last round, if it failed; shown on the status page.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        lock(&self.shared.failure).clone()
    }

    /// Stores all marked sessions and ends the thread. Blocks until then.
    pub fn close(&self) {
        lock(&self.shared.inbox).closing = true;
        self.shared.arrived.notify_one();
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the store's thread has panicked");
        }
    }
}

/// The state of the writer's thread.
struct Rounds {
    shared: Arc<WriterShared>,
    store: Store,
    counters: StoreCounters,
}

impl Rounds {
    fn run(mut self) {
        // Reports a full disk when the relay starts, not at the first session.
        self.probe();
        loop {
            let (marked, jobs, closing) = self.next();
            if self.is_failing() && marked.is_empty() && jobs.is_empty() && !closing {
                self.probe();
            }
            for job in jobs {
                job(&mut self.store);
            }
            let failed = !marked.is_empty() && !self.round(marked);
            if closing && (failed || lock(&self.shared.inbox).marked.is_empty()) {
                return;
            }
            if failed {
                self.rest();
            }
        }
    }

    /// Tries to write while there is nothing to store.
    fn probe(&mut self) {
        match self.store.try_to_write() {
            Ok(()) => self.recovered(),
            Err(error) => self.report(&error),
        }
    }

    fn is_failing(&self) -> bool {
        lock(&self.shared.failure).is_some()
    }

    fn recovered(&self) {
        if lock(&self.shared.failure).take().is_some() {
            tracing::info!("storing works again");
        }
    }

    /// Gathers marks for an interval, and takes them. Sleeps if there were none for a while; while
    /// storing fails, for [`PROBE_EVERY`] at most.
    fn next(&self) -> (Vec<Arc<dyn StoreSource>>, Vec<Job>, bool) {
        let WriterShared { inbox, arrived, .. } = &*self.shared;
        let (mut inbox, mut idle_intervals) = (lock(inbox), 0);
        loop {
            if inbox.is_idle() && idle_intervals >= IDLE_INTERVALS {
                inbox.asleep = true;
                let limit = if self.is_failing() { PROBE_EVERY } else { Duration::MAX };
                let waited = arrived.wait_timeout_while(inbox, limit, |inbox| inbox.is_idle());
                let timeout;
                (inbox, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                inbox.asleep = false;
                if timeout.timed_out() {
                    break;
                }
            }
            let calm = |inbox: &mut Inbox| !inbox.urgent && !inbox.closing;
            let gathered = arrived.wait_timeout_while(inbox, Profile::NATIVE.store_every, calm);
            (inbox, _) = gathered.unwrap_or_else(PoisonError::into_inner);
            if !inbox.is_idle() {
                break;
            }
            idle_intervals += 1;
        }
        inbox.urgent = false;
        (mem::take(&mut inbox.marked), mem::take(&mut inbox.jobs), inbox.closing)
    }

    /// Pauses after a failure, until a job arrives or the relay closes.
    fn rest(&self) {
        let until = Instant::now() + AFTER_FAILURE;
        let inbox = lock(&self.shared.inbox);
        let waiting =
            |inbox: &mut Inbox| !inbox.closing && inbox.jobs.is_empty() && Instant::now() < until;
        drop(self.shared.arrived.wait_timeout_while(inbox, AFTER_FAILURE, waiting));
    }

    /// Stores all marked sessions in one transaction. Returns false if that failed.
    fn round(&mut self, marked: Vec<Arc<dyn StoreSource>>) -> bool {
        let mut batches: Vec<_> = marked
            .into_iter()
            .filter_map(|source| {
                let batch = Arc::clone(&source).batch(Profile::NATIVE.batch_bytes)?;
                Some((source, batch, Vec::new()))
            })
            .collect();
        let result = self.store.transaction(|store| {
            batches.iter_mut().try_for_each(|(source, batch, rows)| {
                *rows = put(store, source.id(), batch)?;
                Ok(())
            })
        });
        match result {
            Ok(()) => {
                self.recovered();
                for (source, batch, rows) in batches {
                    self.counters.batches.inc();
                    self.counters.bytes.inc_by(bytes_of(&batch));
                    source.stored(batch, rows);
                }
                true
            }
            Err(error) => {
                self.counters.failures.inc();
                self.report(&error);
                for (source, ..) in batches {
                    source.failed();
                }
                false
            }
        }
    }

    /// Logs the first of a series of failures, and keeps the latest for [`Writer::failure`].
    fn report(&self, error: &StoreError) {
        let mut failure = lock(&self.shared.failure);
        if failure.is_none() {
            tracing::error!(%error, "sessions keep running, but nothing is stored");
        }
        *failure = Some(error.to_string());
    }
}

/// Stores a batch, and returns the rows that hold its entries now.
fn put(store: &Store, id: &SessionId, batch: &Batch) -> Result<Vec<SegmentRow>, StoreError> {
    if let Some(record) = &batch.record {
        store.put_session(record)?;
    }
    let removed = if batch.begins_anew { Some(Seq(u64::MAX)) } else { batch.remove_up_to };
    if let Some(up_to) = removed {
        store.remove_segments(id, up_to)?;
    }
    if let Some(snapshot) = &batch.snapshot {
        store.put_snapshot(id, batch.epoch, snapshot)?;
    }
    if let Some(agent) = &batch.agent {
        store.put_agent(id, agent)?;
    }
    store.append(id, batch.epoch, &batch.entries)
}

fn bytes_of(batch: &Batch) -> u64 {
    batch.entries.iter().map(|entry| entry.len() as u64).sum()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
