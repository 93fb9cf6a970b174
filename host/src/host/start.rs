//! Starts sessions, within the host's limits.

use std::path::PathBuf;
use std::sync::Arc;

use moorline_shared::control::{Facts, Fork, Hosted, Start};
use moorline_shared::id::{Epoch, SessionId};
use moorline_shared::limits::{SESSIONS_BYTES, SESSIONS_PER_HOST};
use serde::Serialize;

use super::fork::{self, ForkError};
use super::{Host, SessionSlot, publication};
use crate::clock::wall_ms;
use crate::driver::{
    Driver, DriverError, SessionControl, SessionSpec, StartedSession, TerminalTail, UnknownDriver,
    blocking,
};
use crate::session::{Session, SessionOrigin};
use crate::workspace::SyncFailure;

/// The error of a session that was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The host has as many sessions as it may.
    #[error("{SESSIONS_PER_HOST} sessions run already: end one first")]
    TooMany,
    /// The hello that lists all sessions would be too large for one message.
    #[error(
        "the commands and variables of this host's sessions are too large in total (about {} \
         MiB): end a session first, or give this one less",
        SESSIONS_BYTES >> 20
    )]
    TooLarge,
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopping,
    /// Another session has the id.
    #[error("the session {0} already exists: choose another id, or leave it out")]
    Exists(SessionId),
    /// The host does not have the driver.
    #[error(transparent)]
    UnknownDriver(#[from] UnknownDriver),
    /// The fork cannot be restored.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// Its folder cannot be kept in sync with its workspace.
    #[error(transparent)]
    Workspace(#[from] SyncFailure),
    /// The driver could not start it.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

impl StartError {
    /// Returns a stable code. `overloaded` is a limit of Moorline's own, `exhausted` one of the
    /// machine.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooMany | Self::TooLarge | Self::Stopping => "overloaded",
            Self::Exists(_) => "exists",
            Self::Driver(error) => error.code(),
            Self::Workspace(failure) => failure.code(),
            Self::UnknownDriver(_) | Self::Fork(_) => "bad_request",
        }
    }
}

/// Reserves an id while its session is being started.
struct IdReservation<'a> {
    host: &'a Host,
    id: SessionId,
}

impl Drop for IdReservation<'_> {
    fn drop(&mut self) {
        self.host.state().busy.remove(&self.id);
        self.host.count_anew();
    }
}

impl Host {
    /// Starts a session of the host's own accord, and reports it to the relay, which adopts it. Do
    /// not drop the future: it must either start a session completely, or not at all.
    ///
    /// # Errors
    /// [`StartError`]; then nothing was started.
    pub async fn create(self: &Arc<Self>, wanted: Start) -> Result<Hosted, StartError> {
        let hosted = self.start_session(wanted).await?;
        self.renewed.send_replace(());
        Ok(hosted)
    }

    /// Starts a session with the driver that it names, and publishes it.
    pub(super) async fn start_session(
        self: &Arc<Self>,
        wanted: Start,
    ) -> Result<Hosted, StartError> {
        Ok(self.start_watched(wanted, None).await?.0)
    }

    /// Like [`Host::start_session`]. Its output passes by `tail`.
    pub(super) async fn start_watched(
        self: &Arc<Self>,
        wanted: Start,
        tail: Option<&Arc<TerminalTail>>,
    ) -> Result<(Hosted, Arc<dyn SessionControl>), StartError> {
        let driver = self.drivers.find(&wanted.facts.driver)?;
        let reservation = self.reservation(&wanted)?;
        let Start { session_id, mut facts, cwd, fork } = wanted;
        facts.size = facts.size.clamped();
        let epoch = fork.as_ref().map(|fork| fork.epoch);
        let origin = self.origin(fork, &facts).await?;
        let fork = origin.as_ref().and_then(|origin| origin.conversation.clone());
        let cwd = cwd.map(PathBuf::from);
        let workspace = self.session_workspace(driver, &facts);
        let files = match workspace {
            Some(_) => None,
            None => self.synced(&facts, cwd.as_deref()).await?,
        };
        if let Some(files) = &files {
            files.load().await?;
        }
        let cwd = files.as_ref().map(|files| files.path().to_owned()).or(cwd);
        let (variables, opener) = (self.variables(&session_id), Some(self.opener(&session_id)));
        let spec = SessionSpec { session_id, facts, cwd, fork, variables, opener, workspace };
        let run = self.run_session(driver, spec, epoch, origin, |mut started| {
            if let Some(files) = files {
                started.output = files.watch(started.output);
            }
            if let Some(tail) = tail {
                started.output = tail.watch(started.output);
            }
            started
        });
        let (hosted, control) = self.config.threads.within(run).await?;
        drop(reservation);
        Ok((hosted, control))
    }

    /// Starts a session, and publishes it. `watch` may look at its output.
    async fn run_session(
        self: &Arc<Self>,
        driver: &dyn Driver,
        spec: SessionSpec,
        epoch: Option<Epoch>,
        origin: Option<SessionOrigin>,
        watch: impl FnOnce(StartedSession) -> StartedSession,
    ) -> Result<(Hosted, Arc<dyn SessionControl>), StartError> {
        let (session_id, facts) = (spec.session_id.clone(), spec.facts.clone());
        let started = watch(driver.start(spec).await?);
        let control = Arc::clone(&started.control);
        let now = wall_ms();
        let hosted = Hosted {
            session_id,
            epoch: epoch.unwrap_or(Epoch(now)),
            facts,
            cwd: started.cwd.clone(),
            pid: started.pid,
            created_at: now,
        };
        tracing::info!(session = %hosted.session_id, pid = hosted.pid, "started");
        let session = Session::start(hosted.clone(), origin, self.services(), started);
        self.publish_session(hosted.session_id.clone(), session);
        Ok((hosted, control))
    }

    /// Restores what a fork continues, when it is its turn.
    async fn origin(
        &self,
        fork: Option<Fork>,
        facts: &Facts,
    ) -> Result<Option<SessionOrigin>, StartError> {
        let Some(fork) = fork else { return Ok(None) };
        let _turn = self.painters.acquire().await;
        let facts = facts.clone();
        Ok(Some(blocking(move || fork::origin(fork, &facts)).await??))
    }

    fn reservation(&self, wanted: &Start) -> Result<IdReservation<'_>, StartError> {
        let (id, bytes) = (&wanted.session_id, told_bytes(wanted));
        let mut state = self.state();
        if state.sessions.contains_key(id) || state.busy.contains_key(id) {
            return Err(StartError::Exists(id.clone()));
        }
        if state.stopping {
            return Err(StartError::Stopping);
        }
        if state.sessions.len() + state.busy.len() >= SESSIONS_PER_HOST {
            return Err(StartError::TooMany);
        }
        if state.told_bytes() + bytes > SESSIONS_BYTES {
            return Err(StartError::TooLarge);
        }
        state.busy.insert(id.clone(), bytes);
        drop(state);
        self.count_anew();
        Ok(IdReservation { host: self, id: id.clone() })
    }

    /// Registers a session, and publishes it.
    pub(super) fn publish_session(self: &Arc<Self>, id: SessionId, session: Arc<Session>) {
        let told_bytes = json_bytes(session.hosted());
        let mut state = self.state();
        if state.stopping {
            session.close();
        }
        let publishing =
            tokio::spawn(publication::keep_published(Arc::clone(self), Arc::clone(&session)));
        let slot = SessionSlot { session, publishing: publishing.abort_handle(), told_bytes };
        state.sessions.insert(id, slot);
        drop(state);
        self.count_anew();
    }
}

/// Returns the approximate size in bytes of a new session's entry in the hello. It is approximate
/// because the folder and numbers are not known yet.
fn told_bytes(wanted: &Start) -> usize {
    const REST: usize = 512;
    json_bytes(&wanted.facts) + json_bytes(&wanted.cwd) + REST
}

fn json_bytes(told: &impl Serialize) -> usize {
    serde_json::to_vec(told).map_or(0, |json| json.len())
}
