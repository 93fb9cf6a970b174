//! All sessions of this relay, as the core's [`Directory`] has them, and the ones in memory.
//!
//! A session that its host publishes stays in memory until it is over and stored. Any other session is in memory
//! while somebody follows it. The directory makes decisions; this module stores them and applies their effects.

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
use moorline_core::auth::Access;
use moorline_core::directory::{Change, Counts, Directory, Effect, Row};
use moorline_core::record::WorkspaceRecord;
use moorline_core::routes::{Reach, Reached, View};
use moorline_shared::control::ToHost;
use moorline_shared::id::{ProjectId, SessionId, WorkspaceId};
use moorline_shared::rest::{ApprovalCard, Overview, Project};
use moorline_shared::session::Lifecycle;
use tokio::sync::{Semaphore, watch};

use super::clock::wall_ms;
use super::hosts::Hosts;
use super::session::{Services, SessionHandle};
use super::store::{SessionRecord, Store, StoreError};
pub use hosting::NotPublishing;
use hosting::StartingSession;
use restore::restore;
pub use start::{begun, random};

/// Limit of forks at a time: each has what its host paints in memory until the host has taken it.
const FORKS_AT_ONCE: usize = 4;

/// A session in memory.
#[derive(Debug)]
enum InMemory {
    /// Published by its host, and kept until it is over and stored.
    Running(Arc<SessionHandle>),
    /// Kept while somebody follows it.
    Followed(Weak<SessionHandle>),
}

/// The state behind the registry's lock. Lock it before a session or the hosts, never after.
#[derive(Debug)]
struct RegistryState {
    directory: Directory,
    in_memory: HashMap<SessionId, InMemory>,
    /// Sessions that hosts are starting, which are not listed yet.
    starting: HashMap<SessionId, StartingSession>,
}

/// The relay's sessions and its connections to hosts.
#[derive(Debug)]
pub struct Registry {
    services: Arc<Services>,
    hosts: Arc<Hosts>,
    known: Mutex<RegistryState>,
    /// One permit for each fork whose output may be on its way to a host.
    forks: Semaphore,
    /// Notified when a reserved id is free again.
    released: watch::Sender<()>,
    /// True once clients are to leave.
    closing: watch::Sender<bool>,
    /// True once hosts are to leave.
    parting: watch::Sender<bool>,
}

impl Registry {
    /// Loads all stored sessions, with their hosts away. With `has_local` this relay runs a host of its
    /// own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(services: Arc<Services>, has_local: bool) -> Result<Arc<Self>, StoreError> {
        let mut directory = Directory::new(has_local);
        // No effects to apply: the rows are stored already.
        drop(directory.apply(services.read(Store::directory)?));
        let known =
            RegistryState { directory, in_memory: HashMap::new(), starting: HashMap::new() };
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

    /// Marks sessions that were running when the relay ended as detached, or as lost if they have
    /// no host.
    fn detach_all(&self) {
        let mut is_storing = true;
        let known = &mut *self.known();
        for summary in known.directory.summaries() {
            let Some(record) = known.directory.record(&summary.session_id) else { continue };
            if record.lifecycle.is_over() {
                continue;
            }
            // In earlier versions without hosts, a session's process ended with the relay.
            let has_host = record.host.is_some();
            let lifecycle = if has_host { Lifecycle::Detached } else { Lifecycle::Lost };
            let record = SessionRecord { lifecycle, ..record.clone() };
            if is_storing && let Err(error) = self.services.read(|store| store.put_session(&record))
            {
                // The stored rows stay readable, and each start does this again.
                tracing::warn!(%error, "sessions of offline hosts were not marked in the store");
                is_storing = false;
            }
            known.directory.refresh(record, None);
        }
    }

    /// The services that all sessions share.
    #[must_use]
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// The connections of hosts.
    #[must_use]
    pub const fn hosts(&self) -> &Arc<Hosts> {
        &self.hosts
    }

    /// Returns a receiver that becomes true when the relay begins to shut down.
    #[must_use]
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Returns a receiver that becomes true when hosts are to leave.
    #[must_use]
    pub fn parting(&self) -> watch::Receiver<bool> {
        self.parting.subscribe()
    }

    /// Reads the directory, after the sessions in memory have reported.
    pub fn view<T>(&self, read: impl FnOnce(&View<'_>) -> T) -> T {
        let known = self.refreshed();
        read(&View { directory: &known.directory, is_here: &|host| self.hosts.is_here(host) })
    }

    /// Returns everything that lists show to a token with this access.
    #[must_use]
    pub fn overview(&self, access: &Access) -> Overview {
        self.refreshed().directory.overview(access)
    }

    /// Returns the approvals of all sessions that await a decision.
    pub fn open_approvals(&self) -> Vec<ApprovalCard> {
        self.refreshed().directory.open_approvals(&Access::Admin, wall_ms())
    }

    /// Returns the project that a session is in, if any.
    #[must_use]
    pub fn project_of(&self, session: &SessionId) -> Option<ProjectId> {
        self.known().directory.record(session)?.project.clone()
    }

    /// Returns what the access to a session or workspace depends on.
    #[must_use]
    pub fn reach(&self, reach: Reach<'_>) -> Reached {
        self.known().directory.reach(reach, wall_ms())
    }

    /// Returns the row of a workspace.
    ///
    /// # Errors
    /// `no_such_workspace`.
    pub fn workspace_record(&self, id: &WorkspaceId) -> Result<WorkspaceRecord, ApiError> {
        self.known().directory.workspace_record(id).cloned()
    }

    /// Returns a project.
    ///
    /// # Errors
    /// `no_such_project`.
    pub fn project(&self, id: &ProjectId) -> Result<Project, ApiError> {
        self.known().directory.project(id)
    }

    /// Returns the numbers of sessions, clients and streams.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.refreshed().directory.counts()
    }

    /// Returns the session, and loads it if needed. `None` if it does not exist.
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
            // If another task has loaded, changed or removed it meanwhile, that takes precedence.
            if known.handle(id).is_none() && known.directory.record(id) == Some(&record) {
                let followed = InMemory::Followed(Arc::downgrade(&handle));
                known.in_memory.insert(id.clone(), followed);
                return Ok(Some(handle));
            }
        }
    }

    /// Loads a session from the store. Blocks.
    fn load(&self, record: SessionRecord) -> Result<Arc<SessionHandle>, StoreError> {
        let stored = self.services.read(|store| restore(store, record))?;
        Ok(SessionHandle::restored(Arc::clone(&self.services), stored))
    }

    /// Waits until a session is over and stored, and then keeps it in memory only while somebody follows it.
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

    /// Asks clients to leave, awaits `hosts_end`, asks the remaining hosts to leave, and returns when all have
    /// left, or after `limit`. Returns false if some had not left by then.
    pub async fn shut_down(&self, hosts_end: impl Future<Output = ()>, limit: Duration) -> bool {
        self.closing.send_replace(true);
        let all = async {
            hosts_end.await;
            // Each stream and each link holds a receiver until it is closed.
            self.closing.closed().await;
            self.parting.send_replace(true);
            self.parting.closed().await;
        };
        let all_went = tokio::time::timeout(limit, all).await.is_ok();
        if !all_went {
            tracing::warn!("some clients or hosts did not disconnect in time");
        }
        all_went
    }

    /// Applies a change to the directory, and carries out its effects.
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
                handle(&session).into_iter().for_each(|handle| {
                    handle.change(|session| session.rename(name.clone()));
                });
            }
            Effect::Move { session, project } => {
                handle(&session).into_iter().for_each(|handle| {
                    handle.change(|session| session.move_to(project.clone()));
                });
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
            Effect::WorkspaceRemoved { workspace } => self.services.workspaces.changed(&workspace),
            Effect::Append { session, event } => {
                handle(&session).into_iter().for_each(|handle| {
                    handle.change(|session| session.append(event.clone()));
                });
            }
        }
    }

    /// Takes the lock and has the sessions in memory report first.
    fn refreshed(&self) -> MutexGuard<'_, RegistryState> {
        let mut known = self.known();
        known.refresh_all();
        known
    }

    fn known(&self) -> MutexGuard<'_, RegistryState> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RegistryState {
    /// Returns the session if it is in memory.
    fn handle(&self, id: &SessionId) -> Option<Arc<SessionHandle>> {
        match self.in_memory.get(id)? {
            InMemory::Running(handle) => Some(Arc::clone(handle)),
            InMemory::Followed(handle) => handle.upgrade(),
        }
    }

    /// Has a session in memory report to the directory. A session that has left memory is listed as
    /// its row says.
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
    /// Reads everything that the directory knows, as the rows that stored it.
    fn directory(&self) -> Result<Change, StoreError> {
        let mut beside = note::beside(self)?;
        let mut rows = Vec::new();
        for record in self.sessions()? {
            let beside = beside.remove(&record.id);
            rows.push(Row::Session { record: Box::new(record), beside });
        }
        rows.extend(self.projects()?.into_iter().map(Row::Project));
        rows.extend(self.workspaces()?.into_iter().map(Row::Workspace));
        for host in self.hosts()? {
            for session in self.deleted_of(&host.id)? {
                rows.push(Row::Deleted { session, host: host.id.clone(), at_ms: 0 });
            }
            rows.push(Row::Host(host));
        }
        Ok(Change { rows })
    }
}
