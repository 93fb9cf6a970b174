//! All sessions of this relay: those that run, in memory, and those that are over, in the store
//! until someone looks at them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use moorline_host::pty::{Pty, Spawn, SpawnError};
use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::limits::{BACKLOG_BYTES, SESSIONS_PER_HOST};
use moorline_shared::log::{Entry, Log};
use moorline_shared::message::Snapshot;
use moorline_shared::rest::{CreateSession, SessionSummary};
use moorline_shared::session::{Lifecycle, Size};
use tokio::sync::watch;

use super::clock::wall_ms;
use super::session::{LocalHost, Services, SessionHandle, paint_history, summary};
use super::store::{SessionRecord, Store, StoreError};

/// The only driver of this relay's own host.
pub const DRIVER: &str = "pty";

/// Why a session was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// As many run as may.
    #[error("{SESSIONS_PER_HOST} sessions run already: end one first")]
    TooMany,
    /// The driver is not known here.
    #[error("no driver `{0}` here: this relay has `{DRIVER}`")]
    UnknownDriver(String),
    /// Its process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The relay shuts down.
    #[error("the relay is shutting down")]
    ShuttingDown,
    /// The system gave no random number.
    #[error("no random number for an id: {0}")]
    Random(#[from] getrandom::Error),
}

/// A session that is known here.
#[derive(Debug)]
enum Slot {
    /// In memory for as long as it is not over and stored.
    Running(Arc<SessionHandle>),
    /// In the store; in memory for as long as someone follows it.
    Over { record: Box<SessionRecord>, opened: Weak<SessionHandle> },
}

/// See the module.
#[derive(Debug)]
pub struct Registry {
    services: Arc<Services>,
    slots: Mutex<HashMap<SessionId, Slot>>,
    /// True from the moment at which clients are to be told to go.
    closing: watch::Sender<bool>,
}

impl Registry {
    /// Knows all stored sessions. Those whose process ran when the relay ended have lost it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(services: Arc<Services>) -> Result<Arc<Self>, StoreError> {
        let mut slots = HashMap::new();
        for mut record in services.read(Store::sessions)? {
            if !record.lifecycle.is_over() {
                record.lifecycle = Lifecycle::Lost;
                services.read(|store| store.put_session(&record))?;
            }
            let record = Box::new(record);
            slots.insert(record.id.clone(), Slot::Over { record, opened: Weak::new() });
        }
        Ok(Arc::new(Self {
            services,
            slots: Mutex::new(slots),
            closing: watch::Sender::new(false),
        }))
    }

    /// What all sessions share.
    #[must_use]
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// Tells when the relay begins to shut down.
    #[must_use]
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Starts a session.
    ///
    /// # Errors
    /// [`CreateError`]; nothing was started.
    pub async fn create(
        self: &Arc<Self>,
        wanted: CreateSession,
    ) -> Result<Arc<SessionHandle>, CreateError> {
        let driver = wanted.driver.clone().unwrap_or_else(|| DRIVER.to_owned());
        if driver != DRIVER {
            return Err(CreateError::UnknownDriver(driver));
        }
        if *self.closing.borrow() {
            return Err(CreateError::ShuttingDown);
        }
        if self.running().len() >= SESSIONS_PER_HOST {
            return Err(CreateError::TooMany);
        }
        let record = new_record(&wanted, driver)?;
        let spawn = Spawn {
            command: wanted.command,
            cwd: wanted.cwd.map(PathBuf::from),
            env: wanted.env,
            size: record.size,
            integration: None,
        };
        // Starting a process blocks for a millisecond or so.
        let started = tokio::task::spawn_blocking(move || Pty::spawn(&spawn)).await;
        let pty = started.map_err(|error| SpawnError::System(std::io::Error::other(error)))??;
        // Whoever is told of a session finds it, whatever happens to the relay next.
        let row = record.clone();
        if let Err(error) = self.services.writer.run(move |store| store.put_session(&row)).await {
            tracing::error!(session = %record.id, %error, "started, but it is not stored yet");
        }
        Ok(self.run(record, pty))
    }

    fn run(self: &Arc<Self>, record: SessionRecord, pty: Pty) -> Arc<SessionHandle> {
        let Pty { reader, writer } = pty;
        let id = record.id.clone();
        tracing::info!(session = %id, pid = writer.pid(), "started");
        let host = LocalHost::new(record.epoch, record.size, writer.clone());
        let handle = SessionHandle::started(Arc::clone(&self.services), record, host);
        self.slots().insert(id.clone(), Slot::Running(Arc::clone(&handle)));
        tokio::spawn(Arc::clone(&handle).follow(reader, writer));
        tokio::spawn(Arc::clone(self).retire(id, Arc::clone(&handle)));
        handle
    }

    /// Lets go of a session that is over once all of it is stored: whoever follows it now keeps it
    /// in memory for as long as that.
    async fn retire(self: Arc<Self>, id: SessionId, handle: Arc<SessionHandle>) {
        handle.finished().await;
        let (record, opened) = (Box::new(handle.record()), Arc::downgrade(&handle));
        if let Some(slot @ Slot::Running(_)) = self.slots().get_mut(&id) {
            *slot = Slot::Over { record, opened };
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
        let record = match self.slots().get(id) {
            None => return Ok(None),
            Some(Slot::Running(handle)) => return Ok(Some(Arc::clone(handle))),
            Some(Slot::Over { record, opened }) => match opened.upgrade() {
                Some(handle) => return Ok(Some(handle)),
                None => (**record).clone(),
            },
        };
        let registry = Arc::clone(self);
        let loaded = tokio::task::spawn_blocking(move || registry.load(record)).await;
        let handle = loaded.unwrap_or(Err(StoreError::Closed))?;
        Ok(self.keep_opened(id, handle))
    }

    /// Someone else may have loaded it meanwhile: then theirs is the one.
    fn keep_opened(
        &self,
        id: &SessionId,
        handle: Arc<SessionHandle>,
    ) -> Option<Arc<SessionHandle>> {
        match self.slots().get_mut(id)? {
            Slot::Running(running) => Some(Arc::clone(running)),
            Slot::Over { opened, .. } => {
                if let Some(first) = opened.upgrade() {
                    return Some(first);
                }
                *opened = Arc::downgrade(&handle);
                Some(handle)
            }
        }
    }

    /// Blocks.
    fn load(&self, record: SessionRecord) -> Result<Arc<SessionHandle>, StoreError> {
        let (log, picture) = self.services.read(|store| restore(store, &record))?;
        Ok(SessionHandle::ended(Arc::clone(&self.services), record, log, picture))
    }

    /// Every session, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<SessionSummary> {
        let mut list: Vec<_> = self
            .slots()
            .values()
            .map(|slot| match slot {
                Slot::Running(handle) => handle.summary(),
                Slot::Over { record, opened } => match opened.upgrade() {
                    Some(handle) => handle.summary(),
                    None => summary(record, 0),
                },
            })
            .collect();
        list.sort_by(|a, b| (&b.created_at, &b.session_id).cmp(&(&a.created_at, &a.session_id)));
        list
    }

    /// Ends and forgets a session. False where there is none with this id.
    ///
    /// # Errors
    /// [`StoreError`] where its rows could not be removed.
    pub async fn delete(&self, id: &SessionId) -> Result<bool, StoreError> {
        let Some(slot) = self.slots().remove(id) else { return Ok(false) };
        let handle = match &slot {
            Slot::Running(handle) => Some(Arc::clone(handle)),
            Slot::Over { opened, .. } => opened.upgrade(),
        };
        if let Some(handle) = handle {
            handle.delete();
        }
        tracing::info!(session = %id, "deleted");
        let id = id.clone();
        let removed = self.services.writer.run(move |store| {
            store.transaction(|store| store.delete_session(&id))?;
            store.give_back_space()
        });
        removed.await.map(|()| true)
    }

    /// Tells clients to go, hangs up all terminals, and returns when the clients are gone and
    /// everything is stored, or `limit` is over.
    pub async fn shut_down(&self, limit: Duration) {
        self.closing.send_replace(true);
        let running = self.running();
        for handle in &running {
            handle.hang_up();
        }
        let all = async {
            for handle in &running {
                handle.finished().await;
            }
            // Each stream has a receiver until it is closed.
            self.closing.closed().await;
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!("some sessions or clients did not end in time");
        }
    }

    fn running(&self) -> Vec<Arc<SessionHandle>> {
        let slots = self.slots();
        let running = slots.values().filter_map(|slot| match slot {
            Slot::Running(handle) => Some(Arc::clone(handle)),
            Slot::Over { .. } => None,
        });
        running.collect()
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<SessionId, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_record(wanted: &CreateSession, driver: String) -> Result<SessionRecord, CreateError> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)?;
    let now = wall_ms();
    let default = Size::default();
    let size = Size {
        cols: wanted.cols.unwrap_or(default.cols),
        rows: wanted.rows.unwrap_or(default.rows),
    };
    Ok(SessionRecord {
        id: SessionId::from_random(u128::from_ne_bytes(bits)),
        epoch: Epoch(now),
        name: wanted.name.clone(),
        project: wanted.project.clone(),
        driver,
        command: wanted.command.clone().unwrap_or_default(),
        cwd: wanted.cwd.clone(),
        size: size.clamped(),
        created_at_ms: now,
        last_activity_ms: now,
        lifecycle: Lifecycle::Live,
        exit: None,
        head: Seq::ZERO,
    })
}

/// The newest of a stored log, and a picture that it reaches back to.
fn restore(store: &Store, record: &SessionRecord) -> Result<(Log, Option<Snapshot>), StoreError> {
    let (id, epoch) = (&record.id, record.epoch);
    let picture = store.snapshot(id, epoch)?.filter(|picture| picture.seq <= record.head);
    let seen = picture.as_ref().map_or(Seq::ZERO, |picture| picture.seq);
    let mut entries = store.load_newest(id, epoch, BACKLOG_BYTES)?;
    if entries.first().is_none_or(|first| first.seq() > seen.next()) {
        entries = store.load(id, epoch, seen, u64::MAX)?;
    }
    let log = log_of(epoch, seen, entries);
    if log.bytes_after(seen) == 0 {
        return Ok((log, picture));
    }
    let base = picture.filter(|picture| log.reaches_back_to(picture.seq));
    let painted = paint_history(base.as_ref(), &log, record.size);
    Ok((log, Some(painted)))
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
