//! All sessions of this relay: those that are published, in memory, and those that are over or
//! whose host is away, in the store until someone looks at them. And the projects that they belong
//! to.

mod changing;
mod counting;
mod creating;
mod forking;
mod hosting;
mod listing;
mod noting;
mod projects;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use moorline_shared::id::{Epoch, HostId, ProjectId, Seq, SessionId};
use moorline_shared::limits::BACKLOG_BYTES;
use moorline_shared::log::{Entry, Log};
use moorline_shared::session::Lifecycle;
use tokio::sync::{Semaphore, watch};

use super::hosts::Hosts;
use super::session::{Restored, Services, SessionHandle, paint_history};
use super::store::{ProjectRecord, SessionRecord, Store, StoreError};
pub use changing::ChangeError;
pub use counting::Counts;
pub use creating::{CreateError, begun};
pub use hosting::NotPublishing;
use hosting::Starting;
pub use projects::ProjectError;

/// Each has a picture of its screen in memory until its host has taken it.
const FORKS_AT_ONCE: usize = 8;

/// A session that is known here.
#[derive(Debug)]
enum Slot {
    /// In memory, from when its host publishes it until it is over and stored.
    Running(Arc<SessionHandle>),
    /// In the store; in memory for as long as someone follows it.
    Stored { record: Box<SessionRecord>, opened: Weak<SessionHandle> },
}

/// What the lock guards. It is taken before a session's own, never after.
#[derive(Debug, Default)]
struct Known {
    slots: HashMap<SessionId, Slot>,
    /// Ids of sessions that are being started or removed: nobody else may have them meanwhile.
    busy: HashSet<SessionId>,
    /// Those that hosts are starting: not listed yet.
    starting: HashMap<SessionId, Starting>,
    /// Deleted sessions that hosts may still have.
    deleted: HashMap<SessionId, HostId>,
    projects: HashMap<ProjectId, ProjectRecord>,
    /// The session that a terminal was opened beside, by the terminal's id.
    beside: HashMap<SessionId, SessionId>,
}

/// See the module.
#[derive(Debug)]
pub struct Registry {
    services: Arc<Services>,
    hosts: Arc<Hosts>,
    known: Mutex<Known>,
    /// A permit for each fork whose picture may be on its way to a host.
    forks: Semaphore,
    /// Sent to whenever an id is not busy any more.
    released: watch::Sender<()>,
    /// True from the moment at which clients are to be told to go.
    closing: watch::Sender<bool>,
    /// True from the moment at which hosts are to be told to go.
    parting: watch::Sender<bool>,
}

impl Registry {
    /// Knows all stored sessions; their hosts are away. With `has_local` this relay sees to a host
    /// of its own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(services: Arc<Services>, has_local: bool) -> Result<Arc<Self>, StoreError> {
        let mut known = Known::default();
        let mut is_storing = true;
        for mut record in services.read(Store::sessions)? {
            if !record.lifecycle.is_over() {
                // Before there were hosts, its process ended with the relay.
                let is_ours = record.host.is_some();
                record.lifecycle = if is_ours { Lifecycle::Detached } else { Lifecycle::Lost };
                if is_storing && let Err(error) = services.read(|store| store.put_session(&record))
                {
                    // What is stored can be read all the same, and this is found out anew each time.
                    tracing::warn!(%error, "it is not stored whose host is away");
                    is_storing = false;
                }
            }
            let record = Box::new(record);
            known.slots.insert(record.id.clone(), Slot::Stored { record, opened: Weak::new() });
        }
        for record in services.read(Store::projects)? {
            known.projects.insert(record.id.clone(), record);
        }
        known.beside = services.read(noting::beside)?;
        let hosts = services.read(Store::hosts)?;
        for host in &hosts {
            for id in services.read(|store| store.deleted_of(&host.id))? {
                known.deleted.insert(id, host.id.clone());
            }
        }
        Ok(Arc::new(Self {
            services,
            hosts: Hosts::new(hosts, has_local),
            known: Mutex::new(known),
            forks: Semaphore::new(FORKS_AT_ONCE),
            released: watch::Sender::new(()),
            closing: watch::Sender::new(false),
            parting: watch::Sender::new(false),
        }))
    }

    /// What all sessions share.
    #[must_use]
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// The hosts that run the sessions.
    #[must_use]
    pub const fn hosts(&self) -> &Arc<Hosts> {
        &self.hosts
    }

    /// Tells when the relay begins to shut down.
    #[must_use]
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Tells when hosts are to go.
    #[must_use]
    pub fn parting(&self) -> watch::Receiver<bool> {
        self.parting.subscribe()
    }

    /// Lets go of a session that is over once all of it is stored: whoever follows it now keeps it
    /// in memory for as long as that.
    async fn retire(self: Arc<Self>, id: SessionId, handle: Arc<SessionHandle>) {
        handle.finished().await;
        let mut known = self.known();
        if let Some(slot) = known.slots.get_mut(&id)
            && matches!(slot, Slot::Running(running) if Arc::ptr_eq(running, &handle))
        {
            let (record, opened) = (Box::new(handle.record()), Arc::downgrade(&handle));
            *slot = Slot::Stored { record, opened };
        }
    }

    /// The session, in memory. `None` where there is none with this id.
    ///
    /// # Errors
    /// [`StoreError`] where its log cannot be read.
    pub async fn get(
        self: &Arc<Self>,
        id: &SessionId,
    ) -> Result<Option<Arc<SessionHandle>>, StoreError> {
        loop {
            let record = match self.known().slots.get(id) {
                None => return Ok(None),
                Some(Slot::Running(handle)) => return Ok(Some(Arc::clone(handle))),
                Some(Slot::Stored { record, opened }) => match opened.upgrade() {
                    Some(handle) => return Ok(Some(handle)),
                    None => record.clone(),
                },
            };
            let (registry, row) = (Arc::clone(self), SessionRecord::clone(&record));
            let loaded = tokio::task::spawn_blocking(move || registry.load(row)).await;
            let handle = loaded.unwrap_or(Err(StoreError::Closed))?;
            if let Some(slot @ Slot::Stored { .. }) = self.known().slots.get_mut(id)
                && slot.keep_opened(&record, &handle)
            {
                return Ok(Some(handle));
            }
            // Someone else has loaded, changed or removed it meanwhile: that counts.
        }
    }

    /// Blocks.
    fn load(&self, record: SessionRecord) -> Result<Arc<SessionHandle>, StoreError> {
        let restored = self.services.read(|store| restore(store, &record))?;
        Ok(SessionHandle::restored(Arc::clone(&self.services), record, restored))
    }

    /// Tells clients to go, lets `hosts_end`, tells the hosts that are still here to go, and
    /// returns when all are gone, or `limit` is over.
    pub async fn shut_down(&self, hosts_end: impl Future<Output = ()>, limit: Duration) {
        self.closing.send_replace(true);
        let all = async {
            hosts_end.await;
            // Each stream and each link has a receiver until it is closed.
            self.closing.closed().await;
            self.parting.send_replace(true);
            self.parting.closed().await;
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!("some clients or hosts did not go in time");
        }
    }

    /// Whoever shows lists reads them anew.
    fn list_changed(&self) {
        self.services.listing.send_replace(());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// The session, where it is in memory.
    fn handle(&self) -> Option<Arc<SessionHandle>> {
        match self {
            Self::Running(handle) => Some(Arc::clone(handle)),
            Self::Stored { opened, .. } => opened.upgrade(),
        }
    }

    /// Remembers a session that was loaded by its row. False where that is not the way it is any
    /// more.
    fn keep_opened(&mut self, loaded: &SessionRecord, handle: &Arc<SessionHandle>) -> bool {
        match self {
            Self::Stored { record, opened }
                if opened.strong_count() == 0 && **record == *loaded =>
            {
                *opened = Arc::downgrade(handle);
                true
            }
            _ => false,
        }
    }
}

/// The newest of a stored log, and a picture that it reaches back to.
fn restore(store: &Store, record: &SessionRecord) -> Result<Restored, StoreError> {
    let (id, epoch) = (&record.id, record.epoch);
    let rows = store.segments(id, epoch)?;
    let picture = store.snapshot(id, epoch)?.filter(|picture| picture.seq <= record.head);
    let seen = picture.as_ref().map_or(Seq::ZERO, |picture| picture.seq);
    let mut entries = store.load_newest(id, epoch, BACKLOG_BYTES)?;
    if entries.first().is_none_or(|first| first.seq() > seen.next()) {
        entries = store.load(id, epoch, seen, u64::MAX)?;
    }
    let log = log_of(epoch, seen, entries);
    if log.bytes_after(seen) == 0 {
        return Ok(Restored { log, rows, picture });
    }
    let base = picture.filter(|picture| log.reaches_back_to(picture.seq));
    let picture = Some(paint_history(base.as_ref(), &log, record.size));
    Ok(Restored { log, rows, picture })
}

fn log_of(epoch: Epoch, seen: Seq, entries: Vec<Entry>) -> Log {
    let before = entries.first().map_or(seen, |first| Seq(first.seq().0 - 1));
    let mut log = Log::starting_after(epoch, before);
    for entry in entries {
        if let Err(error) = log.push(entry) {
            // The store gives no gaps.
            tracing::error!(%error, "a stored log was cut short");
            break;
        }
    }
    log
}
