//! Starting sessions on hosts.

use std::pin::pin;
use std::rc::Rc;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use moorline_core::api::ApiError;
use moorline_core::directory::{Directory, Draft, Reservation, SessionReport};
use moorline_core::plan::{self, ENSURE_PATIENCE, HostError, PUBLISH_PATIENCE};
use moorline_core::record::SessionRecord;
use moorline_core::routes::{Request, Start};
use moorline_shared::control::{Fork, Hosted, ToHost, ToRelay};
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::rest::{CreateSession, SessionSummary};
use worker::wasm_bindgen_futures::spawn_local;
use worker::{Delay, console_error, console_warn};

use super::{DirectoryState, ReservedId, now_ms, random};
use crate::internal::{CREATE, Create, DELETE, Ensure, HostStarted, STARTED};
use crate::object_client;
use crate::reply::{self, Answer, RequestFailure};
use crate::settings::terminal_driver;

pub(super) type Result<T> = std::result::Result<T, RequestFailure>;

impl DirectoryState {
    /// Starts a session that a request asks for.
    pub(super) async fn start_by(
        self: &Rc<Self>,
        start: fn(&Directory, &Request) -> std::result::Result<Start, ApiError>,
        request: &Request,
    ) -> Answer {
        let Start { draft, then } = self.ask(|directory| start(directory, request))?;
        let (append, reply) = then.finish(self.run(draft).await?, now_ms());
        self.carry_out(append.into_iter().collect()).await;
        reply::answer(reply)
    }

    /// Makes sure that the session with this id exists, and starts it if not. If a session with
    /// that id is being started or removed, waits for that first, up to [`ENSURE_PATIENCE`].
    pub(super) async fn ensure(self: &Rc<Self>, wanted: Ensure) -> Result<()> {
        let Ensure { session_id: id, name, caller } = wanted;
        let ensured = pin!(async {
            loop {
                let seen = self.released.rung();
                let (is_reserved, exists) =
                    self.ask(|it| Ok((it.is_reserved(&id), it.contains(&id))))?;
                if is_reserved {
                    self.released.after(seen).await;
                    continue;
                }
                if exists {
                    return Ok(());
                }
                self.count_start(&caller.grant)?;
                let (session_id, name) = (Some(id.clone()), name.clone());
                let driver = terminal_driver(&self.env);
                let wanted = CreateSession { session_id, name, driver, ..Default::default() };
                let draft = Directory::draft(wanted, id.clone(), now_ms())?;
                return self.run(draft).await.map(drop);
            }
        });
        match select(ensured, Delay::from(ENSURE_PATIENCE)).await {
            Either::Left((ensured, _)) => ensured,
            Either::Right(_) => Err(ApiError::still_starting(&id).into()),
        }
    }

    /// Reserves the id of a drafted session.
    pub(super) fn reserve(self: &Rc<Self>, draft: Draft) -> Result<(ReservedId, Reservation)> {
        let is_here = |host: &HostId| self.is_here(host);
        let reservation = self.with(|memory| Ok(memory.directory.reserve(draft, is_here)?))?;
        let reserved = ReservedId::new(self, reservation.record.id.clone());
        Ok((reserved, reservation))
    }

    async fn run(self: &Rc<Self>, draft: Draft) -> Result<SessionSummary> {
        let (reserved, reservation) = self.reserve(draft)?;
        self.to_completion(move |state| async move {
            state.make(&reservation.record).await?;
            let summary = state.start_on(reservation, None).await;
            drop(reserved);
            summary
        })
        .await
    }

    /// Runs `work` to its end, even if the caller goes away.
    pub(super) async fn to_completion<T: 'static, F>(
        self: &Rc<Self>,
        work: impl FnOnce(Rc<Self>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let work = work(Rc::clone(self));
        spawn_local(async move {
            // The caller may have gone.
            let _ = sender.send(work.await);
        });
        receiver.await.map_err(|_| RequestFailure::Fault("it was cancelled".to_owned()))?
    }

    /// Creates the session's object with its record.
    async fn make(&self, record: &SessionRecord) -> Result<()> {
        let object = object_client::session(&self.env, &record.id)?;
        let wanted = Create { record: record.clone(), agent: None };
        match object_client::post(&object, CREATE, &wanted).await {
            // An object left behind by a session that is no longer listed.
            Err(RequestFailure::Passed(answer)) if answer.status_code() == 409 => {
                object_client::post(&object, DELETE, &()).await?;
                object_client::post(&object, CREATE, &wanted).await.map(drop)
            }
            made => made.map(drop),
        }
    }

    /// Has a host start a session whose object exists, and lists it. On failure nothing is left of it.
    pub(super) async fn start_on(
        &self,
        reservation: Reservation,
        fork: Option<Fork>,
    ) -> Result<SessionSummary> {
        let id = reservation.record.id.clone();
        let object = object_client::session(&self.env, &id)?;
        let hosted = match self.ask_to_start(&reservation, fork).await {
            Ok(hosted) => hosted,
            Err(failure) => {
                self.discard(&id).await;
                return Err(failure);
            }
        };
        let listed = self.decide(|directory| Ok(directory.started(reservation, &hosted)))?;
        self.carry_out(listed).await;
        let (epoch, size) = (hosted.epoch, hosted.facts.size);
        let within_ms = PUBLISH_PATIENCE.as_millis() as u64;
        let started = HostStarted { session: hosted, within_ms };
        match object_client::ask::<SessionSummary>(&object, STARTED, &started).await {
            Ok(summary) => {
                // What the session reported before it was listed was not taken in.
                let (streams, approvals) = (0, Vec::new());
                let summary_then = summary.clone();
                self.report(SessionReport {
                    summary: summary_then,
                    epoch,
                    size,
                    streams,
                    approvals,
                })?;
                Ok(summary)
            }
            // The session runs, and its host is about to publish it.
            Err(failure) => {
                console_warn!("the session {id} is not published yet: {failure}");
                self.ask(|directory| directory.summary(&id))
            }
        }
    }

    /// Deletes the object of a session that did not start.
    pub(super) async fn discard(&self, id: &SessionId) {
        let discarded = async {
            let object = object_client::session(&self.env, id)?;
            object_client::post(&object, DELETE, &()).await
        };
        if let Err(failure) = discarded.await {
            console_error!("a session that did not start was left behind: {failure}");
        }
    }

    async fn ask_to_start(&self, reservation: &Reservation, fork: Option<Fork>) -> Result<Hosted> {
        let (host, id) = (&reservation.host, &reservation.record.id);
        let session = Box::new(plan::start(&reservation.record, fork));
        let ask = |request| ToHost::Start { request, session };
        let patience = plan::start_patience(&reservation.record);
        match self.ask_host(host, Some(id), patience, ask).await {
            Some(ToRelay::Started { session, .. }) => Ok(*session),
            Some(ToRelay::Failed { code, message, .. }) => {
                Err(ApiError::not_started(&code, &message, id).into())
            }
            _ => {
                // The host may have started it without being able to say so.
                let effects = self.decide(|it| Ok(it.give_up(id, host, now_ms())))?;
                self.carry_out(effects).await;
                Err(HostError::Silent(host.clone()).into())
            }
        }
    }
}

/// A random id, for a session whose caller has not chosen one.
pub(super) fn new_id() -> Result<SessionId> {
    Ok(SessionId::from_random(random()?))
}
