//! Write-behind: one thread that stores what sessions have.
//!
//! A session marks itself ([`Writer::mark`]); the thread then asks it for what is to be stored,
//! many sessions in one transaction. So nothing is queued here: what waits is the session's own
//! log, and marks coalesce.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::limits::SESSIONS_PER_HOST;
use moorline_shared::log::Entry;
use moorline_shared::message::Snapshot;

use super::{SessionRecord, Store, StoreError};
use crate::metrics::StoreCounters;
use moorline_core::session::Retention;
use moorline_core::stored::Row;

/// How long marks are gathered before a round.
const INTERVAL: Duration = Duration::from_millis(50);
/// The wait after a round that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// How often it is tried whether storing works again, while there is nothing to store.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// What one session stores in a round; a flood is several rounds, one after the other.
const ROUND_BYTES: usize = 4 * 1024 * 1024;
/// Sessions whose stored bytes are remembered; those that were deleted are among them.
const KEPT_SESSIONS: usize = 4 * SESSIONS_PER_HOST;

/// What a session has to store.
#[derive(Debug, Default)]
pub struct Batch {
    /// The session's row, where it changed.
    pub record: Option<SessionRecord>,
    /// The incarnation of what follows.
    pub epoch: Epoch,
    /// In order, without gaps.
    pub entries: Vec<Entry>,
    /// The session's picture, where it changed.
    pub picture: Option<Snapshot>,
    /// The last entry that the stored picture contains: behind it the log is trimmed
    /// ([`Retention`]).
    pub picture_stored: Seq,
    /// Nothing after this entry is trimmed: somebody reads it.
    pub kept_after: Seq,
}

/// What became of a batch's entries.
#[derive(Debug, Default)]
pub struct Written {
    /// The rows that were written, oldest first.
    pub rows: Vec<Row>,
    /// The last entry that was removed, where some were.
    pub trimmed: Option<Seq>,
}

/// A session that has something to store. Its methods are called on the writer's thread.
pub trait Source: Send + Sync {
    /// Which session.
    fn id(&self) -> &SessionId;
    /// What is to be stored, about `bytes` of it. From here on the session may be marked again.
    fn batch(self: Arc<Self>, bytes: usize) -> Batch;
    /// The batch is durable. A session that has more marks itself again.
    fn stored(self: Arc<Self>, batch: &Batch, written: Written);
    /// The batch could not be stored. A session that wants it tried again marks itself again.
    fn failed(self: Arc<Self>, batch: &Batch);
}

type Job = Box<dyn FnOnce(&mut Store) + Send>;

#[derive(Default)]
struct Inbox {
    marked: Vec<Arc<dyn Source>>,
    jobs: Vec<Job>,
    /// A round should begin at once.
    urgent: bool,
    closing: bool,
}

#[derive(Default)]
struct Shared {
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    failure: Mutex<Option<String>>,
}

/// The handle of the writer's thread.
pub struct Writer {
    shared: Arc<Shared>,
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
    /// Where the system gives no thread.
    pub fn start(store: Store, counters: StoreCounters) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let rounds = Rounds { shared: Arc::clone(&shared), store, kept: HashMap::new(), counters };
        let thread = std::thread::Builder::new().name("store".into()).spawn(|| rounds.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// The session has something to store. Call it once until it is asked for its batch.
    pub fn mark(&self, source: Arc<dyn Source>) {
        let mut inbox = lock(&self.shared.inbox);
        inbox.marked.push(source);
        // The thread sleeps through an interval by itself once it knows of the first mark.
        if inbox.marked.len() == 1 {
            self.shared.arrived.notify_one();
        }
    }

    /// Much waits: the round should not wait for the interval's end.
    pub fn hurry(&self) {
        let mut inbox = lock(&self.shared.inbox);
        if !inbox.urgent {
            inbox.urgent = true;
            self.shared.arrived.notify_one();
        }
    }

    /// Has `work` run on the writer's thread, at once and in the order of the calls, whether the
    /// future, which gives its result, is waited for or not.
    ///
    /// # Errors
    /// [`StoreError`] of `work`, or [`StoreError::Closed`].
    pub fn run<T, W>(&self, work: W) -> impl Future<Output = Result<T, StoreError>> + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let job: Job = Box::new(move |store| {
            // The one who asked may have gone away; the work is done all the same.
            let _ = sender.send(work(store));
        });
        let mut inbox = lock(&self.shared.inbox);
        // A job that is dropped drops its sender.
        if !inbox.closing {
            inbox.jobs.push(job);
            inbox.urgent = true;
            self.shared.arrived.notify_one();
        }
        async move { receiver.await.unwrap_or(Err(StoreError::Closed)) }
    }

    /// Why the last round failed, where it did: for the status page.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        lock(&self.shared.failure).clone()
    }

    /// Stores what is marked and ends the thread. Blocks meanwhile.
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

/// The thread's own state.
struct Rounds {
    shared: Arc<Shared>,
    store: Store,
    /// About how many bytes of each log are stored.
    kept: HashMap<SessionId, u64>,
    counters: StoreCounters,
}

impl Rounds {
    fn run(mut self) {
        // Who starts a relay on a full disk should not learn it from the first session.
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

    /// Looks whether something can be stored, while there is nothing to store.
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

    /// Waits for marks, gathers more for an interval, and takes them. While storing fails it does not
    /// wait for long.
    fn next(&self) -> (Vec<Arc<dyn Source>>, Vec<Job>, bool) {
        let Shared { inbox, arrived, .. } = &*self.shared;
        let inbox = lock(inbox);
        let idle = |inbox: &mut Inbox| inbox.marked.is_empty() && !inbox.urgent && !inbox.closing;
        let limit = if self.is_failing() { PROBE_EVERY } else { Duration::MAX };
        let waited = arrived.wait_timeout_while(inbox, limit, idle);
        let (inbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let calm = |inbox: &mut Inbox| !inbox.urgent && !inbox.closing;
        let gathered = arrived.wait_timeout_while(inbox, INTERVAL, calm);
        let (mut inbox, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        inbox.urgent = false;
        (mem::take(&mut inbox.marked), mem::take(&mut inbox.jobs), inbox.closing)
    }

    /// A failed disk is left alone for a while, unless the relay is closing.
    fn rest(&self) {
        let until = Instant::now() + AFTER_FAILURE;
        let inbox = lock(&self.shared.inbox);
        let waiting =
            |inbox: &mut Inbox| !inbox.closing && inbox.jobs.is_empty() && Instant::now() < until;
        drop(self.shared.arrived.wait_timeout_while(inbox, AFTER_FAILURE, waiting));
    }

    /// One transaction over all marked sessions. False where it failed.
    fn round(&mut self, marked: Vec<Arc<dyn Source>>) -> bool {
        let mut batches: Vec<_> = marked
            .into_iter()
            .map(|source| {
                let batch = Arc::clone(&source).batch(ROUND_BYTES);
                (source, batch, Written::default())
            })
            .collect();
        if self.kept.len() > KEPT_SESSIONS {
            self.kept.clear();
        }
        let kept = &mut self.kept;
        let result = self.store.transaction(|store| {
            batches.iter_mut().try_for_each(|(source, batch, written)| {
                *written = put(store, source.id(), batch, kept)?;
                Ok(())
            })
        });
        match result {
            Ok(()) => {
                self.recovered();
                for (source, batch, written) in batches {
                    self.counters.batches.inc();
                    self.counters.bytes.inc_by(bytes_of(&batch));
                    source.stored(&batch, written);
                }
                true
            }
            Err(error) => {
                self.kept.clear();
                self.counters.failures.inc();
                self.report(&error);
                for (source, batch, _) in batches {
                    source.failed(&batch);
                }
                false
            }
        }
    }

    /// Once for each spell of failures.
    fn report(&self, error: &StoreError) {
        let mut failure = lock(&self.shared.failure);
        if failure.is_none() {
            tracing::error!(%error, "sessions go on, but nothing is stored");
        }
        *failure = Some(error.to_string());
    }
}

fn put(
    store: &Store,
    id: &SessionId,
    batch: &Batch,
    kept: &mut HashMap<SessionId, u64>,
) -> Result<Written, StoreError> {
    if let Some(record) = &batch.record {
        store.put_session(record)?;
    }
    if let Some(picture) = &batch.picture {
        store.put_snapshot(id, batch.epoch, picture)?;
    }
    if batch.entries.is_empty() {
        return Ok(Written::default());
    }
    let rows = store.append(id, batch.epoch, &batch.entries)?;
    let mut written = Written { rows, trimmed: None };
    let mut bytes = match kept.get(id) {
        Some(bytes) => bytes + bytes_of(batch),
        // The first time this thread meets a session it counts what is there.
        None => store.trim(id, batch.epoch, u64::MAX, Seq::ZERO)?.0,
    };
    let retention = Retention::NATIVE;
    if let Some(not_after) = retention.not_after(bytes, batch.picture_stored) {
        let not_after = not_after.min(batch.kept_after);
        let (left, up_to) = store.trim(id, batch.epoch, retention.keep_bytes, not_after)?;
        written.trimmed = (up_to > Seq::ZERO).then_some(up_to);
        bytes = left;
    }
    kept.insert(id.clone(), bytes);
    Ok(written)
}

fn bytes_of(batch: &Batch) -> u64 {
    batch.entries.iter().map(|entry| entry.len() as u64).sum()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
