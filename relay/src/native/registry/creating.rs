//! Starting sessions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use moorline_host::pty::{Pty, Spawn, SpawnError};
use moorline_shared::event::{Event, kind};
use moorline_shared::id::{Epoch, ProjectId, Seq, SessionId};
use moorline_shared::limits::SESSIONS_PER_HOST;
use moorline_shared::rest::CreateSession;
use moorline_shared::session::{Lifecycle, Size};
use serde_json::json;

use super::{Known, Registry, Slot};
use crate::native::clock::wall_ms;
use crate::native::session::{LocalHost, SessionHandle};
use crate::native::store::{SessionRecord, StoreError};

/// The only driver of this relay's own host.
pub(super) const DRIVER: &str = "pty";

/// Why a session was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// As many run as may.
    #[error("{SESSIONS_PER_HOST} sessions run already: end one first")]
    TooMany,
    /// The driver is not known here.
    #[error("no driver `{0}` here: this relay has `{DRIVER}`")]
    UnknownDriver(String),
    /// Another session has the id.
    #[error("there is a session {0} already: choose another id, or none")]
    Exists(SessionId),
    /// It is to belong to a project that is not there.
    #[error("there is no project {0}")]
    NoSuchProject(ProjectId),
    /// Its process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// What it is to begin with cannot be read or stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is to begin with an entry that is not there.
    #[error("there is no entry {seq}: the log has 1 to {head}")]
    NoSuchEntry {
        /// Which.
        seq: Seq,
        /// The last one.
        head: Seq,
    },
    /// What is retained does not tell any more how the screen was after this entry.
    #[error("too much before entry {0} is gone: choose a later one")]
    Trimmed(Seq),
    /// The relay shuts down.
    #[error("the relay is shutting down")]
    ShuttingDown,
    /// The system gave no random number.
    #[error("no random number for an id: {0}")]
    Random(#[from] getrandom::Error),
}

/// An id that nobody else may start or remove a session under.
#[derive(Debug)]
pub(super) struct Claim {
    registry: Arc<Registry>,
    pub(super) id: SessionId,
}

impl Claim {
    /// Of an id that was just put among the busy ones.
    pub(super) fn new(registry: &Arc<Registry>, id: SessionId) -> Self {
        Self { registry: Arc::clone(registry), id }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.registry.known().busy.remove(&self.id);
    }
}

/// A session that is about to be started.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) record: SessionRecord,
    pub(super) claim: Claim,
}

impl Registry {
    /// Starts a session.
    ///
    /// # Errors
    /// [`CreateError`]; nothing was started.
    pub async fn create(
        self: &Arc<Self>,
        wanted: CreateSession,
    ) -> Result<Arc<SessionHandle>, CreateError> {
        let plan = self.plan(wanted)?;
        let registry = Arc::clone(self);
        // Who asked may go away halfway: a session is started whole, or not at all.
        let started = tokio::spawn(async move { registry.start(plan).await }).await;
        started.map_err(|error| SpawnError::System(std::io::Error::other(error)))?
    }

    /// Starts what a session was started with again, in the folder that it is in now.
    ///
    /// # Errors
    /// As [`Registry::create`].
    pub async fn duplicate(
        self: &Arc<Self>,
        source: &Arc<SessionHandle>,
        name: Option<String>,
    ) -> Result<Arc<SessionHandle>, CreateError> {
        self.create(again(source, name, "copy")).await
    }

    /// Starts a terminal of its own beside another session, whose log tells of it.
    ///
    /// # Errors
    /// As [`Registry::create`].
    pub async fn create_beside(
        self: &Arc<Self>,
        parent: &Arc<SessionHandle>,
        mut wanted: CreateSession,
        mode: Option<String>,
    ) -> Result<Arc<SessionHandle>, CreateError> {
        let summary = parent.summary();
        wanted.project = wanted.project.or(summary.project);
        wanted.cwd = wanted.cwd.or_else(|| folder_of(parent));
        let terminal = self.create(wanted).await?;
        let record = terminal.record();
        self.known().beside.insert(record.id.clone(), summary.session_id.clone());
        let fields = json!({
            "terminalId": record.id,
            "workingDir": record.cwd,
            "mode": mode.unwrap_or(record.driver),
        });
        let created = Event::new(summary.session_id, kind::TERMINAL_CREATED, wall_ms(), fields);
        parent.append(created);
        Ok(terminal)
    }

    /// Claims the id, and checks what can be checked at once.
    pub(super) fn plan(self: &Arc<Self>, wanted: CreateSession) -> Result<Plan, CreateError> {
        let driver = wanted.driver.clone().unwrap_or_else(|| DRIVER.to_owned());
        if driver != DRIVER {
            return Err(CreateError::UnknownDriver(driver));
        }
        if *self.closing.borrow() {
            return Err(CreateError::ShuttingDown);
        }
        let mut record = record(wanted, driver)?;
        let mut known = self.known();
        if known.running() + known.busy.len() >= SESSIONS_PER_HOST {
            return Err(CreateError::TooMany);
        }
        if let Some(id) = &record.project {
            let project = known.projects.get(id);
            let project = project.ok_or_else(|| CreateError::NoSuchProject(id.clone()))?;
            record.cwd = record.cwd.or_else(|| project.directory.clone());
        }
        let id = record.id.clone();
        if known.slots.contains_key(&id) || !known.busy.insert(id.clone()) {
            return Err(CreateError::Exists(id));
        }
        drop(known);
        Ok(Plan { record, claim: Claim::new(self, id) })
    }

    async fn start(self: Arc<Self>, plan: Plan) -> Result<Arc<SessionHandle>, CreateError> {
        let Plan { mut record, claim } = plan;
        let pty = self.spawn(&record).await?;
        record.cwd = Some(pty.cwd.to_string_lossy().into_owned());
        // Whoever is told of a session finds it, whatever happens to the relay next.
        let row = record.clone();
        if let Err(error) = self.services.writer.run(move |store| store.put_session(&row)).await {
            tracing::error!(session = %record.id, %error, "started, but it is not stored yet");
        }
        let (host, services) = (
            LocalHost::new(record.epoch, record.size, pty.writer.clone()),
            Arc::clone(&self.services),
        );
        let handle = SessionHandle::started(services, record, host);
        self.run(claim, &handle, pty);
        Ok(handle)
    }

    /// Starts the process of a session.
    pub(super) async fn spawn(&self, record: &SessionRecord) -> Result<Pty, CreateError> {
        let spawn = Spawn {
            command: (!record.command.is_empty()).then(|| record.command.clone()),
            cwd: record.cwd.clone().map(PathBuf::from),
            env: record.env.clone(),
            size: record.size,
            integration: self.services.integration.clone(),
        };
        // Starting a process blocks for a millisecond or so.
        let started = tokio::task::spawn_blocking(move || Pty::spawn(&spawn)).await;
        Ok(started.map_err(|error| SpawnError::System(std::io::Error::other(error)))??)
    }

    /// Lets a session whose process was started be found, and follows its terminal.
    pub(super) fn run(self: &Arc<Self>, claim: Claim, handle: &Arc<SessionHandle>, pty: Pty) {
        let Pty { reader, writer, .. } = pty;
        let id = claim.id.clone();
        tracing::info!(session = %id, pid = writer.pid(), "started");
        {
            let mut known = self.known();
            // Its project may have been deleted meanwhile.
            let project = handle.summary().project;
            if project.is_some_and(|project| !known.projects.contains_key(&project)) {
                handle.move_to(None);
            }
            known.slots.insert(id.clone(), Slot::Running(Arc::clone(handle)));
        }
        drop(claim);
        self.list_changed();
        tokio::spawn(Arc::clone(handle).follow(reader, writer));
        tokio::spawn(Arc::clone(self).retire(id, Arc::clone(handle)));
    }
}

impl Known {
    fn running(&self) -> usize {
        self.slots.values().filter(|slot| matches!(slot, Slot::Running(_))).count()
    }
}

/// What starts the same again.
pub(super) fn again(
    source: &Arc<SessionHandle>,
    name: Option<String>,
    suffix: &str,
) -> CreateSession {
    let record = source.record();
    CreateSession {
        session_id: None,
        command: (!record.command.is_empty()).then(|| record.command.clone()),
        cwd: folder_of(source),
        env: record.env,
        name: name.or_else(|| Some(name_after(&source.summary().name, suffix))),
        project: record.project,
        driver: Some(record.driver),
        cols: Some(record.size.cols),
        rows: Some(record.size.rows),
        host: record.host,
    }
}

/// `build (copy)`, of that one too.
fn name_after(name: &str, suffix: &str) -> String {
    let suffix = format!(" ({suffix})");
    format!("{}{suffix}", name.strip_suffix(&suffix).unwrap_or(name))
}

/// The folder that a session is in, while it is there; else the one that it started in.
fn folder_of(source: &Arc<SessionHandle>) -> Option<String> {
    let current = source.summary().cwd.filter(|folder| Path::new(folder).is_dir());
    current.or_else(|| source.record().cwd)
}

fn record(wanted: CreateSession, driver: String) -> Result<SessionRecord, CreateError> {
    let id = match wanted.session_id {
        Some(id) => id,
        None => SessionId::from_random(random()?),
    };
    let now = wall_ms();
    let default = Size::default();
    let size = Size {
        cols: wanted.cols.unwrap_or(default.cols),
        rows: wanted.rows.unwrap_or(default.rows),
    };
    // A command without a program is an error; no command is a shell.
    if wanted.command.as_ref().is_some_and(Vec::is_empty) {
        return Err(SpawnError::EmptyCommand.into());
    }
    Ok(SessionRecord {
        id,
        epoch: Epoch(now),
        name: wanted.name.filter(|name| !name.is_empty()),
        project: wanted.project,
        driver,
        command: wanted.command.unwrap_or_default(),
        cwd: wanted.cwd.filter(|cwd| !cwd.is_empty()),
        env: wanted.env,
        size: size.clamped(),
        created_at_ms: now,
        last_activity_ms: now,
        lifecycle: Lifecycle::Live,
        exit: None,
        head: Seq::ZERO,
        host: wanted.host,
    })
}

/// Bits for an id.
pub(super) fn random() -> Result<u128, getrandom::Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)?;
    Ok(u128::from_ne_bytes(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_copy_is_a_copy() {
        assert_eq!(name_after("build", "copy"), "build (copy)");
        assert_eq!(name_after("build (copy)", "copy"), "build (copy)");
        assert_eq!(name_after("build (copy)", "fork"), "build (copy) (fork)");
    }
}
