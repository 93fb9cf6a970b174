//! Starting sessions.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use http::StatusCode;
use moorline_core::api::{ApiError, check_size, name};
use moorline_core::plan::{self, HostError};
use moorline_core::record::SessionRecord;
use moorline_shared::control::{Fork, Hosted, ToHost, ToRelay};
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::limits::SESSIONS_PER_HOST;
use moorline_shared::rest::{CreateSession, Created, DuplicateSession, SessionSummary};
use worker::wasm_bindgen_futures::spawn_local;
use worker::{Delay, console_error, console_warn};

use super::{Claim, Directory, now_ms, random};
use crate::asking;
use crate::internal::{CREATE, Create, DELETE, STARTED, Started, Told};
use crate::reply::{Answer, Failure, json};

/// How long a host may take to start a session.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// How long whoever wants a session waits for one that is being started or removed under its id.
const ENSURE_PATIENCE: Duration = Duration::from_secs(20);
/// How long a host that has started a session may take to publish it.
const PUBLISH_PATIENCE_MS: u64 = 5000;

pub(super) type Result<T> = std::result::Result<T, Failure>;

/// A session that is about to be started.
pub(super) struct Plan {
    pub(super) record: SessionRecord,
    pub(super) host: HostId,
    pub(super) beside: Option<SessionId>,
    pub(super) claim: Claim,
}

impl Directory {
    pub(super) async fn create(self: &Rc<Self>, wanted: CreateSession) -> Answer {
        check_size(wanted.cols, wanted.rows)?;
        let wanted = CreateSession { name: name(wanted.name.as_deref())?, ..wanted };
        let plan = self.plan(wanted, None)?;
        created(self.run(plan).await?)
    }

    /// Starts what a session was started with again.
    pub(super) async fn duplicate(
        self: &Rc<Self>,
        id: &SessionId,
        wanted: DuplicateSession,
    ) -> Answer {
        let DuplicateSession { name: wanted, cols, rows } = wanted;
        check_size(cols, rows)?;
        let again = self.again(id, name(wanted.as_deref())?, "copy")?;
        let plan = self.plan(plan::sized(again, cols, rows), None)?;
        created(self.run(plan).await?)
    }

    /// The session with this id exists when this returns. Whoever comes while it is being started
    /// waits for it, and while one of that id is being removed, for that.
    pub(super) async fn ensure(self: &Rc<Self>, id: SessionId, name: Option<String>) -> Result<()> {
        let ensured = pin!(async {
            loop {
                let seen = self.released.rung();
                if self.is_busy(&id) {
                    self.released.after(seen).await;
                    continue;
                }
                if self.with(|known| Ok(known.sessions.contains_key(&id)))? {
                    return Ok(());
                }
                let (session_id, name) = (Some(id.clone()), name.clone());
                let wanted = CreateSession { session_id, name, ..CreateSession::default() };
                let plan = self.plan(wanted, None)?;
                return self.run(plan).await.map(drop);
            }
        });
        match select(ensured, Delay::from(ENSURE_PATIENCE)).await {
            Either::Left((ensured, _)) => ensured,
            Either::Right(_) => Err(ApiError::still_starting(&id).into()),
        }
    }

    /// What starts the same as a session again.
    pub(super) fn again(
        &self,
        id: &SessionId,
        name: Option<String>,
        suffix: &str,
    ) -> Result<CreateSession> {
        self.with(|known| {
            let listed = known.session(id)?;
            let size = listed.told.as_ref().map_or(listed.record.size, |told| told.size);
            Ok(plan::again(&listed.record, &listed.summary(), size, name, suffix))
        })
    }

    /// Claims the id, and checks what can be checked at once.
    pub(super) fn plan(
        self: &Rc<Self>,
        wanted: CreateSession,
        beside: Option<SessionId>,
    ) -> Result<Plan> {
        // What is wrong with the wish does not depend on who is here.
        let mut record = plan::record(wanted, SessionId::from_random(random()?), now_ms())?;
        let host = self.with(|known| {
            let hosts = known.hosts.iter().map(|host| (&host.id, self.is_here(&host.id)));
            let host = plan::choose(hosts, record.host.as_ref(), false)?;
            let has = known.hosts.iter().find(|known| known.id == host);
            plan::check_driver(&record.driver, has.map_or(&[], |host| &host.drivers))?;
            if known.running_on(&host).count() + self.busy.borrow().len() >= SESSIONS_PER_HOST {
                let most = format!("{SESSIONS_PER_HOST} sessions run already: end one first");
                return Err(ApiError::overloaded(most).into());
            }
            if let Some(project) = known.check_project(record.project.as_ref())? {
                record.cwd = record.cwd.take().or_else(|| project.directory.clone());
            }
            if known.sessions.contains_key(&record.id) {
                return Err(ApiError::exists(&record.id).into());
            }
            Ok(host)
        })?;
        record.host = Some(host.clone());
        let claim = Claim::of(self, &record.id).ok_or_else(|| ApiError::exists(&record.id))?;
        Ok(Plan { record, host, beside, claim })
    }

    /// Starts what was planned.
    pub(super) async fn run(self: &Rc<Self>, plan: Plan) -> Result<SessionSummary> {
        self.whole(move |directory| async move {
            let Plan { record, host, beside, claim } = plan;
            let summary = directory.start(record, &host, beside).await;
            drop(claim);
            summary
        })
        .await
    }

    /// Does something to the end, even if who asked goes away.
    pub(super) async fn whole<T: 'static, F>(
        self: &Rc<Self>,
        work: impl FnOnce(Rc<Self>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let work = work(Rc::clone(self));
        spawn_local(async move {
            // Whoever waited may have gone.
            let _ = sender.send(work.await);
        });
        receiver.await.map_err(|_| Failure::Fault("it was given up halfway".to_owned()))?
    }

    async fn start(
        &self,
        record: SessionRecord,
        host: &HostId,
        beside: Option<SessionId>,
    ) -> Result<SessionSummary> {
        self.make(&record).await?;
        self.start_on(record, host, beside, None).await
    }

    /// Makes the session's object know what it is.
    async fn make(&self, record: &SessionRecord) -> Result<()> {
        let object = asking::session(&self.env, &record.id)?;
        let wanted = Create { record: record.clone() };
        match asking::post(&object, CREATE, &wanted).await {
            // Left behind by one that is listed nowhere.
            Err(Failure::Passed(answer)) if answer.status_code() == 409 => {
                asking::post(&object, DELETE, &()).await?;
                asking::post(&object, CREATE, &wanted).await.map(drop)
            }
            made => made.map(drop),
        }
    }

    /// Has a host start a session whose object is there, and lists it. Where that fails nothing
    /// is left of it.
    pub(super) async fn start_on(
        &self,
        mut record: SessionRecord,
        host: &HostId,
        beside: Option<SessionId>,
        fork: Option<Fork>,
    ) -> Result<SessionSummary> {
        let id = record.id.clone();
        let object = asking::session(&self.env, &id)?;
        let hosted = match self.ask_to_start(&record, host, fork).await {
            Ok(hosted) => hosted,
            Err(failure) => {
                self.discard(&id).await;
                return Err(failure);
            }
        };
        record.cwd = Some(hosted.cwd.clone());
        record.command.clone_from(&hosted.facts.command);
        self.with(|known| {
            // Its project may have been deleted meanwhile.
            record.project = record.project.take().filter(|id| known.projects.contains_key(id));
            Ok(known.add(record, beside)?)
        })?;
        self.list_changed();
        let (epoch, size) = (hosted.epoch, hosted.facts.size);
        let started = Started { session: hosted, within_ms: PUBLISH_PATIENCE_MS };
        match asking::ask::<SessionSummary>(&object, STARTED, &started).await {
            Ok(summary) => {
                // What it told before it was listed went unheard.
                let told = Told { summary: summary.clone(), epoch, size, streams: 0 };
                self.with(|known| Ok(known.told(told, now_ms())?))?;
                self.list_changed();
                Ok(summary)
            }
            // It runs, and is going to be published.
            Err(failure) => {
                console_warn!("the session {id} is not published yet: {failure}");
                self.with(|known| Ok(known.session(&id)?.summary()))
            }
        }
    }

    /// Leaves nothing of a session that did not start.
    pub(super) async fn discard(&self, id: &SessionId) {
        let discarded = async {
            let object = asking::session(&self.env, id)?;
            asking::post(&object, DELETE, &()).await
        };
        if let Err(failure) = discarded.await {
            console_error!("a session that did not start was left behind: {failure}");
        }
    }

    async fn ask_to_start(
        &self,
        record: &SessionRecord,
        host: &HostId,
        fork: Option<Fork>,
    ) -> Result<Hosted> {
        let session = Box::new(plan::start(record, fork));
        let ask = |request| ToHost::Start { request, session };
        match self.ask_host(host, Some(&record.id), START_PATIENCE, ask).await {
            Some(ToRelay::Started { session, .. }) => Ok(*session),
            Some(ToRelay::Failed { code, message, .. }) => {
                Err(ApiError::not_started(&code, &message, &record.id).into())
            }
            _ => {
                // It may have started it, and could not say so.
                self.with(|known| Ok(known.have_forgotten(&record.id, host, now_ms())?))?;
                self.tell(host, &ToHost::Forget { session_id: record.id.clone() });
                Err(HostError::Silent(host.clone()).into())
            }
        }
    }
}

fn created(session: SessionSummary) -> Answer {
    let session_id = session.session_id.clone();
    let created = Created { success: true, session_id, session, forked_from: None };
    json(StatusCode::CREATED, &created)
}
