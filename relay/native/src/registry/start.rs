//! StartingSession sessions on hosts: reserving their ids, asking the host, and listing them.

use std::sync::Arc;
use std::time::Duration;

use moorline_core::api::ApiError;
use moorline_core::directory::{Change, Directory, Draft, Reservation, Row};
use moorline_core::plan::{self, ENSURE_PATIENCE, HostError, PUBLISH_PATIENCE};
use moorline_core::routes::{Reply, Request, Start};
use moorline_shared::control::{Fork, Hosted, ToHost, ToRelay, local_host};
use moorline_shared::id::{Epoch, HostId, SessionId};
use moorline_shared::rest::CreateSession;
use moorline_shared::session::Lifecycle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::hosting::StartingSession;
use super::{InMemory, Registry};
use crate::clock::wall_ms;
use crate::session::SessionHandle;

/// Time allowed for a host to reconnect and say hello, if its link was lost before its answer.
const RETURN_PATIENCE: Duration = Duration::from_secs(5);
/// Time allowed for this relay's own host to connect, after either of them was started.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(5);

/// A reserved id. Dropping it releases the id.
#[derive(Debug)]
pub(super) struct ReservedId {
    registry: Arc<Registry>,
    id: SessionId,
}

impl Drop for ReservedId {
    fn drop(&mut self) {
        self.registry.known().directory.release(&self.id);
        self.registry.released.send_replace(());
    }
}

impl Registry {
    /// Starts the session that a request asks for.
    ///
    /// # Errors
    /// The reason that it was not started. Nothing is left of it.
    pub async fn start_by(
        self: &Arc<Self>,
        start: fn(&Directory, &Request) -> Result<Start, ApiError>,
        request: &Request,
    ) -> Result<Reply, ApiError> {
        let Start { draft, then } = start(&self.refreshed().directory, request)?;
        let handle = self.start_draft(draft).await?;
        let (append, reply) = then.finish(handle.summary(), wall_ms());
        append.into_iter().for_each(|append| self.carry_out(append));
        Ok(reply)
    }

    /// Returns the session with this id, and starts it if it does not exist. If a session with this id is being
    /// started or removed, this waits for that first.
    ///
    /// # Errors
    /// As [`Registry::start_by`].
    pub async fn ensure(
        self: &Arc<Self>,
        id: &SessionId,
        name: Option<&str>,
        driver: Option<&str>,
    ) -> Result<Arc<SessionHandle>, ApiError> {
        let ensured = async {
            let mut released = self.released.subscribe();
            loop {
                released.mark_unchanged();
                if let Some(handle) = self.get(id).await? {
                    begun(&handle).await;
                    return Ok(handle);
                }
                if self.known().directory.is_reserved(id) {
                    // The sender belongs to this registry, so this cannot fail.
                    let _ = released.changed().await;
                    continue;
                }
                let (session_id, name) = (Some(id.clone()), name.map(str::to_owned));
                let driver = driver.map(str::to_owned);
                let wanted = CreateSession { session_id, name, driver, ..Default::default() };
                let draft = Directory::draft(wanted, id.clone(), wall_ms())?;
                match self.reserve(draft).await {
                    Ok((reserved, reservation)) => {
                        return self.start_reserved(reserved, reservation).await;
                    }
                    // Another request reserved the id first.
                    Err(error) if error.is_taken() => {}
                    Err(error) => return Err(error),
                }
            }
        };
        let too_late = |_| Err(ApiError::still_starting(id));
        timeout(ENSURE_PATIENCE, ensured).await.unwrap_or_else(too_late)
    }

    async fn start_draft(self: &Arc<Self>, draft: Draft) -> Result<Arc<SessionHandle>, ApiError> {
        let (reserved, reservation) = self.reserve(draft).await?;
        self.start_reserved(reserved, reservation).await
    }

    async fn start_reserved(
        self: &Arc<Self>,
        reserved: ReservedId,
        reservation: Reservation,
    ) -> Result<Arc<SessionHandle>, ApiError> {
        let registry = Arc::clone(self);
        // The requester may disconnect halfway: a session is started completely or not at all.
        let started = tokio::spawn(async move {
            let record = reservation.record.clone();
            let handle = SessionHandle::new(Arc::clone(&registry.services), record);
            registry.start(reserved, reservation, &handle, None).await?;
            Ok(handle)
        });
        started.await.unwrap_or_else(|panicked| Err(ApiError::internal(&panicked)))
    }

    /// Reserves a session's id. If this relay's own host is to start it, waits for that host to
    /// connect first.
    pub(super) async fn reserve(
        self: &Arc<Self>,
        draft: Draft,
    ) -> Result<(ReservedId, Reservation), ApiError> {
        if *self.closing.borrow() {
            return Err(ApiError::unavailable("the relay is shutting down"));
        }
        let own = local_host();
        if self.hosts.has_local() && draft.record.host.as_ref().is_none_or(|host| *host == own) {
            self.hosts.wait_for(&own, ARRIVAL_PATIENCE).await;
        }
        let is_here = |host: &HostId| self.hosts.is_here(host);
        let reservation = self.refreshed().directory.reserve(draft, is_here)?;
        let id = reservation.record.id.clone();
        Ok((ReservedId { registry: Arc::clone(self), id }, reservation))
    }

    /// Has the host start a session, and lists it once it runs.
    pub(super) async fn start(
        self: &Arc<Self>,
        reserved: ReservedId,
        reservation: Reservation,
        handle: &Arc<SessionHandle>,
        fork: Option<Fork>,
    ) -> Result<(), ApiError> {
        let id = reservation.record.id.clone();
        let (started, hello) = oneshot::channel();
        let starting = StartingSession {
            host: reservation.host.clone(),
            handle: Arc::clone(handle),
            started: Some(started),
        };
        let guard = StartGuard::new(self, &id, starting);
        let hosted = self.ask_to_start(&reservation, fork, hello).await?;
        handle.started(&hosted);
        tracing::info!(session = %id, host = %reservation.host, pid = hosted.pid, "started");
        let mut change = self.enlist(reservation, &hosted, handle);
        drop(guard);
        drop(reserved);
        published(handle).await;
        // A session that the caller learns of must still exist after a restart of the relay.
        for row in &mut change.rows {
            if let Row::Session { record, .. } = row {
                **record = handle.record();
            }
        }
        let stored = self.services.writer.run(move |store| store.write_change(&change));
        if let Err(error) = stored.await {
            tracing::error!(session = %id, %error, "started, but not stored yet");
        }
        Ok(())
    }

    async fn ask_to_start(
        &self,
        reservation: &Reservation,
        fork: Option<Fork>,
        hello: oneshot::Receiver<Hosted>,
    ) -> Result<Hosted, ApiError> {
        let (host, id) = (&reservation.host, &reservation.record.id);
        let session = Box::new(plan::start(&reservation.record, fork));
        let patience = plan::start_patience(&reservation.record);
        let ask = |request| ToHost::Start { request, session };
        match self.hosts.ask_within(host, patience, ask).await {
            Ok(ToRelay::Started { session, .. }) => Ok(*session),
            Ok(ToRelay::Failed { code, message, .. }) => {
                Err(ApiError::not_started(&code, &message, id))
            }
            Err(HostError::Silent(_)) => match timeout(RETURN_PATIENCE, hello).await {
                Ok(Ok(hosted)) => Ok(hosted),
                _ => {
                    self.give_up(host, id).await;
                    Err(HostError::Silent(host.clone()).into())
                }
            },
            Err(error) => Err(error.into()),
            Ok(_) => Err(HostError::Silent(host.clone()).into()),
        }
    }

    /// Gives up on a start whose answer did not arrive. The host may have started the session.
    async fn give_up(&self, host: &HostId, id: &SessionId) {
        let change = self.known().directory.give_up(id, host, wall_ms());
        self.apply(change.clone());
        if let Err(error) = self.services.writer.run(move |store| store.write_change(&change)).await
        {
            tracing::error!(%error, "a session that did not start in time may be left on its host");
        }
    }

    /// Lists a session that was started. Returns the change, which is not stored yet.
    fn enlist(
        self: &Arc<Self>,
        reservation: Reservation,
        hosted: &Hosted,
        handle: &Arc<SessionHandle>,
    ) -> Change {
        let (id, project) = (reservation.record.id.clone(), reservation.record.project.clone());
        let change = {
            let mut known = self.known();
            known.in_memory.insert(id.clone(), InMemory::Running(Arc::clone(handle)));
            known.directory.started(reservation, hosted)
        };
        self.apply(change.clone());
        let listed = self.known().directory.record(&id).and_then(|record| record.project.clone());
        if listed != project {
            // Its project was deleted meanwhile.
            handle.change(|session| session.move_to(listed));
        }
        tokio::spawn(Arc::clone(self).retire(id, Arc::clone(handle)));
        change
    }
}

/// Keeps a session in `RegistryState::starting` until dropped.
struct StartGuard<'a> {
    registry: &'a Registry,
    id: &'a SessionId,
}

impl<'a> StartGuard<'a> {
    fn new(registry: &'a Registry, id: &'a SessionId, starting: StartingSession) -> Self {
        registry.known().starting.insert(id.clone(), starting);
        Self { registry, id }
    }
}

impl Drop for StartGuard<'_> {
    fn drop(&mut self) {
        self.registry.known().starting.remove(self.id);
    }
}

/// Waits until a new session has a log. A client that reads it before that would have to start over.
pub async fn begun(handle: &Arc<SessionHandle>) {
    if handle.lock().session.log().epoch() == Epoch(0) {
        published(handle).await;
    }
}

/// Waits until the session is published, for [`PUBLISH_PATIENCE`] at most: it runs in any case.
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

/// Makes an id for a session whose creator has not chosen one.
pub(super) fn new_id() -> Result<SessionId, ApiError> {
    Ok(SessionId::from_random(random()?))
}

/// Returns random bits for an id.
pub fn random() -> Result<u128, ApiError> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| ApiError::internal(&error))?;
    Ok(u128::from_ne_bytes(bits))
}
