//! Starting sessions.

use std::sync::Arc;
use std::time::Duration;

use moorline_shared::control::{Fork, Hosted, ToHost};
use moorline_shared::event::{Event, kind};
use moorline_shared::id::{Epoch, HostId, ProjectId, Seq, SessionId};
use moorline_shared::limits::SESSIONS_PER_HOST;
use moorline_shared::rest::{CreateSession, DuplicateSession};
use moorline_shared::session::Lifecycle;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::hosting::Starting;
use super::{Known, Registry, Slot};
use crate::clock::wall_ms;
use crate::hosts::Answer;
use crate::session::SessionHandle;
use crate::store::{SessionRecord, StoreError};
use moorline_core::plan::{self, HostError, PlanError};

/// How long a host that has started a session may take to publish it.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(5);
/// How long a host that was lost with its answer may take to be back and tell.
const RETURN_PATIENCE: Duration = Duration::from_secs(5);

/// How long whoever wants a session waits for one that is being started or removed under its id.
const ENSURE_PATIENCE: Duration = Duration::from_secs(20);

/// Why a session was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// As many run as may.
    #[error("{SESSIONS_PER_HOST} sessions run already: end one first")]
    TooMany,
    /// Something is wrong with the wish itself.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// No host can be asked.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The host did not start it.
    #[error("{message}")]
    Failed {
        /// Which session.
        id: SessionId,
        /// Stable: `bad_request`, `overloaded`, `exists`, `internal`.
        code: String,
        /// For people.
        message: String,
    },
    /// Who was to start it has panicked.
    #[error("it could not be started: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// Another session has the id.
    #[error("there is a session {0} already: choose another id, or none")]
    Exists(SessionId),
    /// It is being started or removed for long.
    #[error("the session {0} is still being started: try again in a moment")]
    StillStarting(SessionId),
    /// It is to belong to a project that is not there.
    #[error("there is no project {0}")]
    NoSuchProject(ProjectId),
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
        self.registry.released.send_replace(());
    }
}

/// A session that is about to be started.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) record: SessionRecord,
    pub(super) claim: Claim,
    pub(super) host: HostId,
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
        let plan = self.plan(wanted).await?;
        let registry = Arc::clone(self);
        // Who asked may go away halfway: a session is started whole, or not at all.
        tokio::spawn(async move {
            let handle = SessionHandle::new(Arc::clone(&registry.services), plan.record.clone());
            registry.start(plan, &handle, None).await?;
            Ok(handle)
        })
        .await?
    }

    /// The session with this id, which is started if it does not exist. All who ask for the same one
    /// get the same: whoever comes while it is being started waits for it, and while one of that id
    /// is being removed, for that.
    ///
    /// # Errors
    /// [`CreateError`]; nothing was started.
    pub async fn ensure(
        self: &Arc<Self>,
        id: &SessionId,
        name: Option<&str>,
    ) -> Result<Arc<SessionHandle>, CreateError> {
        let ensured = async {
            let mut released = self.released.subscribe();
            loop {
                released.mark_unchanged();
                if let Some(handle) = self.get(id).await? {
                    begun(&handle).await;
                    return Ok(handle);
                }
                let (session_id, name) = (Some(id.clone()), name.map(str::to_owned));
                let wanted = CreateSession { session_id, name, ..CreateSession::default() };
                match self.create(wanted).await {
                    Err(CreateError::Exists(_)) => {
                        while self.known().busy.contains(id) && released.changed().await.is_ok() {}
                    }
                    done => return done,
                }
            }
        };
        let too_late = || Err(CreateError::StillStarting(id.clone()));
        timeout(ENSURE_PATIENCE, ensured).await.unwrap_or_else(|_| too_late())
    }

    /// Starts what a session was started with again, in the folder that it is in now.
    ///
    /// # Errors
    /// As [`Registry::create`].
    pub async fn duplicate(
        self: &Arc<Self>,
        source: &Arc<SessionHandle>,
        wanted: DuplicateSession,
    ) -> Result<Arc<SessionHandle>, CreateError> {
        let DuplicateSession { name, cols, rows } = wanted;
        let again = again(source, name, "copy");
        self.create(plan::sized(again, cols, rows)).await
    }

    /// Starts a terminal of its own beside another session, whose log tells of it.
    ///
    /// # Errors
    /// As [`Registry::create`].
    pub async fn create_beside(
        self: &Arc<Self>,
        parent: &Arc<SessionHandle>,
        wanted: CreateSession,
        mode: Option<String>,
    ) -> Result<Arc<SessionHandle>, CreateError> {
        let summary = parent.summary();
        let terminal = self.create(plan::beside(&summary, wanted)).await?;
        let record = terminal.record();
        self.note_beside(&record.id, &summary.session_id);
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
    pub(super) async fn plan(self: &Arc<Self>, wanted: CreateSession) -> Result<Plan, CreateError> {
        if *self.closing.borrow() {
            return Err(CreateError::ShuttingDown);
        }
        // What is wrong with the wish does not depend on who is here.
        let mut record = plan::record(wanted, SessionId::from_random(random()?), wall_ms())?;
        let host = self.hosts.choose(record.host.as_ref()).await?;
        plan::check_driver(&record.driver, &self.hosts.drivers(&host))?;
        record.host = Some(host.clone());
        let mut known = self.known();
        if known.running_on(&host).count() + known.busy.len() >= SESSIONS_PER_HOST {
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
        Ok(Plan { record, claim: Claim::new(self, id), host })
    }

    /// Has the host start a session, and lets it be found once it runs.
    pub(super) async fn start(
        self: &Arc<Self>,
        plan: Plan,
        handle: &Arc<SessionHandle>,
        fork: Option<Fork>,
    ) -> Result<(), CreateError> {
        let Plan { record, claim, host } = plan;
        let (told, hello) = oneshot::channel();
        let starting =
            Starting { host: host.clone(), handle: Arc::clone(handle), told: Some(told) };
        let begun = Begun::new(self, &claim.id, starting);
        let hosted = self.ask_to_start(&host, &record, fork, hello).await?;
        handle.started(&hosted);
        tracing::info!(session = %claim.id, %host, pid = hosted.pid, "started");
        self.run(&claim.id, handle);
        drop(begun);
        drop(claim);
        self.list_changed();
        published(handle).await;
        // Whoever is told of a session finds it, whatever happens to the relay next.
        let row = handle.record();
        let stored = self.services.writer.run(move |store| {
            store.remove_deleted(&row.id)?;
            store.put_session(&row)
        });
        if let Err(error) = stored.await {
            tracing::error!(session = %handle.id(), %error, "started, but it is not stored yet");
        }
        Ok(())
    }

    async fn ask_to_start(
        &self,
        host: &HostId,
        record: &SessionRecord,
        fork: Option<Fork>,
        hello: oneshot::Receiver<Hosted>,
    ) -> Result<Hosted, CreateError> {
        let session = Box::new(plan::start(record, fork));
        let asked = self.hosts.ask(host, |request| ToHost::Start { request, session }).await;
        match asked {
            Ok(Answer::Started(hosted)) => Ok(*hosted),
            Ok(Answer::Failed { code, message }) => {
                Err(CreateError::Failed { id: record.id.clone(), code, message })
            }
            Err(HostError::Silent(_)) => match timeout(RETURN_PATIENCE, hello).await {
                Ok(Ok(hosted)) => Ok(hosted),
                _ => {
                    self.give_up(host, &record.id).await;
                    Err(HostError::Silent(host.clone()).into())
                }
            },
            Err(error) => Err(error.into()),
            Ok(Answer::Files(_)) => Err(HostError::Silent(host.clone()).into()),
        }
    }

    /// Nobody waits for a session any more that a host may have started.
    async fn give_up(&self, host: &HostId, id: &SessionId) {
        self.known().deleted.insert(id.clone(), host.clone());
        self.hosts.tell(host, ToHost::Forget { session_id: id.clone() });
        let (id, host) = (id.clone(), host.clone());
        let stored =
            self.services.writer.run(move |store| store.put_deleted(&id, &host, wall_ms()));
        if let Err(error) = stored.await {
            tracing::error!(%error, "a session that did not start in time may be left on its host");
        }
    }

    /// Lets a session that was started be found.
    fn run(self: &Arc<Self>, id: &SessionId, handle: &Arc<SessionHandle>) {
        {
            let mut known = self.known();
            // Its project may have been deleted meanwhile.
            let project = handle.summary().project;
            if project.is_some_and(|project| !known.projects.contains_key(&project)) {
                handle.move_to(None);
            }
            // A session of another time, which had the id.
            known.deleted.remove(id);
            known.slots.insert(id.clone(), Slot::Running(Arc::clone(handle)));
        }
        tokio::spawn(Arc::clone(self).retire(id.clone(), Arc::clone(handle)));
    }
}

/// A session among those that hosts are starting, for as long as this is.
struct Begun<'a> {
    registry: &'a Registry,
    id: &'a SessionId,
}

impl<'a> Begun<'a> {
    fn new(registry: &'a Registry, id: &'a SessionId, starting: Starting) -> Self {
        registry.known().starting.insert(id.clone(), starting);
        Self { registry, id }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.registry.known().starting.remove(self.id);
    }
}

/// Waits until a session that was just started has a log: who reads one before would begin anew with
/// it.
pub async fn begun(handle: &Arc<SessionHandle>) {
    if handle.lock().session.log().epoch() == Epoch(0) {
        published(handle).await;
    }
}

/// Waits until the session is published, but not for ever: it runs.
async fn published(handle: &Arc<SessionHandle>) {
    let mut changed = handle.subscribe();
    let published = async {
        let is_away = || handle.lock().session.lifecycle() == Lifecycle::Detached;
        while is_away() && changed.changed().await.is_ok() {}
    };
    if timeout(PUBLISH_PATIENCE, published).await.is_err() {
        tracing::warn!(session = %handle.id(), "started, but not published yet");
    }
}

impl Known {
    /// The sessions of a host that are not over.
    pub(super) fn running_on(&self, host: &HostId) -> impl Iterator<Item = &SessionId> {
        let is_on = move |slot: &Slot| slot.host().as_ref() == Some(host) && !slot.is_over();
        self.slots.iter().filter(move |(_, slot)| is_on(slot)).map(|(id, _)| id)
    }
}

/// What starts the same again.
pub(super) fn again(
    source: &Arc<SessionHandle>,
    name: Option<String>,
    suffix: &str,
) -> CreateSession {
    let (record, summary) = (source.record(), source.summary());
    plan::again(&record, &summary, record.size, name, suffix)
}

/// Bits for an id.
pub(super) fn random() -> Result<u128, getrandom::Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)?;
    Ok(u128::from_ne_bytes(bits))
}
