//! All sessions of this relay, as the core's [`Directory`] has them, and those of them that are in memory.
//!
//! A session that its host publishes is in memory until it is over and stored. Any other is in memory for as long as
//! somebody follows it. Decisions are the directory's: this module stores them, and carries out what follows.

mod change;
mod fork;
mod hosting;
mod note;
mod restore;
mod start;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use moorline_core::api::ApiError;
use moorline_core::directory::{Change, Counts, Directory, Effect, Row};
use moorline_core::routes::View;
use moorline_shared::control::ToHost;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{Overview, Project};
use moorline_shared::session::Lifecycle;
use tokio::sync::{Semaphore, watch};

use super::hosts::Hosts;
use super::session::{Services, SessionHandle};
use super::store::{SessionRecord, Store, StoreError};
pub use hosting::NotPublishing;
use hosting::Starting;
use restore::restore;
pub use start::{begun, random};

/// Limit of forks at a time: each has a snapshot of its screen in memory until its host has taken it.
const FORKS_AT_ONCE: usize = 8;

/// A session in memory.
#[derive(Debug)]
enum InMemory {
    /// From when its host publishes it until it is over and stored.
    Running(Arc<SessionHandle>),
    /// For as long as somebody follows it.
    Followed(Weak<SessionHandle>),
}

/// The state behind the registry's lock, which is taken before that of a session or of the hosts, never after.
#[derive(Debug)]
struct Known {
    directory: Directory,
    in_memory: HashMap<SessionId, InMemory>,
    /// Those that hosts are starting: not listed yet.
    starting: HashMap<SessionId, Starting>,
}

/// See the module.
#[derive(Debug)]
pub struct Registry {
    services: Arc<Services>,
    hosts: Arc<Hosts>,
    known: Mutex<Known>,
    /// A permit for each fork whose snapshot may be on its way to a host.
    forks: Semaphore,
    /// Sent to whenever a reserved id is free again.
    released: watch::Sender<()>,
    /// True from the moment at which clients are to be told to go.
    closing: watch::Sender<bool>,
    /// True from the moment at which hosts are to be told to go.
    parting: watch::Sender<bool>,
}

impl Registry {
    /// Knows all stored sessions; their hosts are away. With `has_local` this relay runs a host of its own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(services: Arc<Services>, has_local: bool) -> Result<Arc<Self>, StoreError> {
        let mut directory = Directory::new(has_local);
        // They are stored already.
        drop(directory.apply(services.read(Store::directory)?));
        let known = Known { directory, in_memory: HashMap::new(), starting: HashMap::new() };
        let registry = Self {
            services,
            hosts: Hosts::new(has_local),
            known: Mutex::new(known),
            forks: Semaphore::new(FORKS_AT_ONCE),
            released: watch::Sender::new(()),
            closing: watch::Sender::new(false),
            parting: watch::Sender::new(false),
        };
        registry.detach_all();
        Ok(Arc::new(registry))
    }

    /// Marks sessions that were running when the relay ended: their hosts are away now.
    fn detach_all(&self) {
        let mut is_storing = true;
        let known = &mut *self.known();
        for summary in known.directory.summaries() {
            let Some(record) = known.directory.record(&summary.session_id) else { continue };
            if record.lifecycle.is_over() {
                continue;
            }
            // Before there were hosts, a session's process ended with the relay.
            let has_host = record.host.is_some();
            let lifecycle = if has_host { Lifecycle::Detached } else { Lifecycle::Lost };
            let record = SessionRecord { lifecycle, ..record.clone() };
            if is_storing && let Err(error) = self.services.read(|store| store.put_session(&record))
            {
                // What is stored can be read all the same, and this is found out anew at each start.
                tracing::warn!(%error, "sessions whose host is away are not marked in the store");
                is_storing = false;
            }
            known.directory.refresh(record, None);
        }
    }

    /// What all sessions share.
    #[must_use]
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// The connections of hosts.
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

    /// Reads the directory.
    pub fn view<T>(&self, read: impl FnOnce(&View<'_>) -> T) -> T {
        let known = self.refreshed();
        read(&View { directory: &known.directory, is_here: &|host| self.hosts.is_here(host) })
    }

    /// Everything that lists show.
    #[must_use]
    pub fn overview(&self) -> Overview {
        self.refreshed().directory.overview()
    }

    /// One project.
    ///
    /// # Errors
    /// `no_such_project`.
    pub fn project(&self, id: &ProjectId) -> Result<Project, ApiError> {
        self.known().directory.project(id)
    }

    /// How many sessions, clients and streams there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.refreshed().directory.counts()
    }

    /// The session, in memory. `None` if it does not exist.
    ///
    /// # Errors
    /// [`StoreError`] if its log cannot be read.
    pub async fn get(
        self: &Arc<Self>,
        id: &SessionId,
    ) -> Result<Option<Arc<SessionHandle>>, StoreError> {
        loop {
            let record = {
                let known = self.known();
                if let Some(handle) = known.handle(id) {
                    return Ok(Some(handle));
                }
                let Some(record) = known.directory.record(id) else { return Ok(None) };
                record.clone()
            };
            let (registry, row) = (Arc::clone(self), record.clone());
            let loaded = tokio::task::spawn_blocking(move || registry.load(row)).await;
            let handle = loaded.unwrap_or(Err(StoreError::Closed))?;
            let mut known = self.known();
            // If somebody else has loaded, changed or removed it meanwhile, that counts.
            if known.handle(id).is_none() && known.directory.record(id) == Some(&record) {
                let followed = InMemory::Followed(Arc::downgrade(&handle));
                known.in_memory.insert(id.clone(), followed);
                return Ok(Some(handle));
            }
        }
    }

    /// Blocks.
    fn load(&self, record: SessionRecord) -> Result<Arc<SessionHandle>, StoreError> {
        let restored = self.services.read(|store| restore(store, &record))?;
        Ok(SessionHandle::restored(Arc::clone(&self.services), record, restored))
    }

    /// Lets go of a session that is over once all of it is stored: whoever follows it then keeps it in memory.
    async fn retire(self: Arc<Self>, id: SessionId, handle: Arc<SessionHandle>) {
        handle.finished().await;
        let mut known = self.known();
        if let Some(InMemory::Running(running)) = known.in_memory.get(&id)
            && Arc::ptr_eq(running, &handle)
        {
            known.directory.refresh(handle.record(), None);
            known.in_memory.insert(id, InMemory::Followed(Arc::downgrade(&handle)));
        }
    }

    /// Tells clients to go, lets `hosts_end`, tells the hosts that are still here to go, and returns when all are gone,
    /// or `limit` is over; false if it is.
    pub async fn shut_down(&self, hosts_end: impl Future<Output = ()>, limit: Duration) -> bool {
        self.closing.send_replace(true);
        let all = async {
            hosts_end.await;
            // Each stream and each link has a receiver until it is closed.
            self.closing.closed().await;
            self.parting.send_replace(true);
            self.parting.closed().await;
        };
        let all_went = tokio::time::timeout(limit, all).await.is_ok();
        if !all_went {
            tracing::warn!("some clients or hosts did not go in time");
        }
        all_went
    }

    /// Makes a change in memory, and carries out what follows from it.
    fn apply(&self, change: Change) {
        let effects = self.known().directory.apply(change);
        effects.into_iter().for_each(|effect| self.carry_out(effect));
    }

    fn carry_out(&self, effect: Effect) {
        let handle = |id: &SessionId| self.known().handle(id);
        match effect {
            Effect::ListsChanged => {
                self.services.listing.send_replace(());
            }
            Effect::Rename { session, name } => {
                handle(&session).into_iter().for_each(|handle| handle.rename(name.clone()));
            }
            Effect::Move { session, project } => {
                handle(&session).into_iter().for_each(|handle| handle.move_to(project.clone()));
            }
            Effect::End { session } => {
                let handle = handle(&session);
                self.known().in_memory.remove(&session);
                handle.into_iter().for_each(|handle| handle.delete());
                tracing::info!(%session, "deleted");
            }
            Effect::Forget { session, host } => {
                self.hosts.tell(&host, ToHost::Forget { session_id: session });
            }
            Effect::Append { session, event } => {
                handle(&session).into_iter().for_each(|handle| handle.append(event.clone()));
            }
        }
    }

    /// The lock, after the sessions in memory have reported.
    fn refreshed(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known();
        known.refresh_all();
        known
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The session, if it is in memory.
    fn handle(&self, id: &SessionId) -> Option<Arc<SessionHandle>> {
        match self.in_memory.get(id)? {
            InMemory::Running(handle) => Some(Arc::clone(handle)),
            InMemory::Followed(handle) => handle.upgrade(),
        }
    }

    /// Has a session in memory report to the directory. One that has left memory is as its row says.
    fn refresh(&mut self, id: &SessionId) {
        match self.handle(id) {
            Some(handle) => {
                let (record, report) = handle.report();
                self.directory.refresh(record, Some(report));
            }
            None if self.in_memory.remove(id).is_some() => {
                if let Some(record) = self.directory.record(id).cloned() {
                    self.directory.refresh(record, None);
                }
            }
            None => {}
        }
    }

    fn refresh_all(&mut self) {
        let ids: Vec<SessionId> = self.in_memory.keys().cloned().collect();
        ids.iter().for_each(|id| self.refresh(id));
    }
}

impl Store {
    /// Everything that the directory knows, as the rows that stored it.
    fn directory(&self) -> Result<Change, StoreError> {
        let mut beside = note::beside(self)?;
        let mut rows = Vec::new();
        for record in self.sessions()? {
            let beside = beside.remove(&record.id);
            rows.push(Row::Session { record: Box::new(record), beside });
        }
        rows.extend(self.projects()?.into_iter().map(Row::Project));
        for host in self.hosts()? {
            for session in self.deleted_of(&host.id)? {
                rows.push(Row::Deleted { session, host: host.id.clone(), at_ms: 0 });
            }
            rows.push(Row::Host(host));
        }
        Ok(Change { rows })
    }
}
