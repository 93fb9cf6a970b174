//! What the directory asks of the session.

use std::rc::Rc;
use std::time::Duration;

use moorline_relay::core::api::ApiError;
use moorline_relay::core::record::SessionRecord;
use moorline_shared::control::Hosted;
use moorline_shared::id::SessionId;
use moorline_shared::message::close;
use moorline_shared::publish::WriteRefused;
use moorline_shared::session::Lifecycle;
use worker::{Request, console_error};

use super::answers::{Answer, Failure, body, json, nothing};
use super::forking;
use super::loaded::Loaded;
use super::object::{Fault, Object, now};
use super::sockets;
use super::storing::note_since;
use crate::internal::{
    APPEND, Append, CREATE, Create, DELETE, FORK, HOST_LOST, MOVE, Move, RENAME, Rename, STARTED,
    Started,
};
use crate::sql::{Database, SqlError};

/// How long event streams may take to tell that the session was deleted.
const GOODBYE: Duration = Duration::from_secs(1);

/// Answers another object.
pub(super) async fn answer(
    object: &Rc<Object>,
    path: &str,
    request: &mut Request,
) -> Result<Answer, Fault> {
    match path {
        CREATE => match body::<Create>(request).await {
            Ok(wanted) => create(object, &wanted.record),
            Err(failure) => Ok(Err(failure)),
        },
        STARTED => match body::<Started>(request).await {
            Ok(wanted) => started(object, wanted).await,
            Err(failure) => Ok(Err(failure)),
        },
        DELETE => {
            remove(object).await;
            Ok(nothing())
        }
        HOST_LOST => object.with(|loaded| {
            loaded.host_is_lost();
            nothing()
        }),
        RENAME => match body::<Rename>(request).await {
            Ok(wanted) => object.with(|loaded| loaded.rename(wanted.name)),
            Err(failure) => Ok(Err(failure)),
        },
        MOVE => match body::<Move>(request).await {
            Ok(wanted) => object.with(|loaded| {
                loaded.record.project = wanted.project;
                loaded.record_changed();
                json(&loaded.summary())
            }),
            Err(failure) => Ok(Err(failure)),
        },
        APPEND => match body::<Append>(request).await {
            Ok(wanted) => object.with(|loaded| {
                loaded.session.append(wanted.event);
                nothing()
            }),
            Err(failure) => Ok(Err(failure)),
        },
        FORK => forking::fork(object, request).await,
        forking::SEED => forking::seed(object, request).await,
        _ => Ok(Err(Failure::Runtime("there is nothing of that name".into()))),
    }
}

fn create(object: &Rc<Object>, record: &SessionRecord) -> Result<Answer, Fault> {
    let known = match object.with(|loaded| loaded.record.clone()) {
        Ok(known) => Some(known),
        Err(Fault::NoSession) => None,
        Err(fault) => return Err(fault),
    };
    match known {
        Some(known) if is_same(&known, record) => Ok(nothing()),
        Some(known) => Ok(Err(ApiError::exists(&known.id).into())),
        None => {
            let database = Database::open(object.state.storage().sql())?;
            database.put_session(record)?;
            note_since(&database, now())?;
            Ok(nothing())
        }
    }
}

fn is_same(one: &SessionRecord, other: &SessionRecord) -> bool {
    let key =
        |record: &SessionRecord| (record.id.clone(), record.created_at_ms, record.host.clone());
    key(one) == key(other)
}

async fn started(object: &Rc<Object>, wanted: Started) -> Result<Answer, Fault> {
    let id = wanted.session.session_id.clone();
    object.with(|loaded| loaded.was_started(wanted.session))?;
    let deadline = now() + Duration::from_millis(wanted.within_ms);
    loop {
        let seen = object.seen();
        let summary = object.with(|loaded| {
            let is_here = loaded.session.lifecycle() != Lifecycle::Detached;
            is_here.then(|| loaded.summary())
        })?;
        if let Some(summary) = summary {
            return Ok(json(&summary));
        }
        if now() >= deadline {
            return Ok(Err(ApiError::not_written(WriteRefused::HostAway, &id).into()));
        }
        object.changed(seen, deadline).await;
    }
}

/// Tells the session's clients that it is no more, and removes all of it.
pub(super) async fn remove(object: &Rc<Object>) {
    let deadline = now() + GOODBYE;
    object.attempt(|loaded| loaded.session.delete());
    loop {
        let seen = object.seen();
        let streams = object.with(|loaded| loaded.session.streams()).unwrap_or_default();
        if streams == 0 || now() >= deadline {
            break;
        }
        object.changed(seen, deadline).await;
    }
    object.attempt(Loaded::close_host);
    object.forget();
    let storage = object.state.storage();
    for done in [storage.delete_alarm().await, storage.delete_all().await] {
        if let Err(error) = done {
            console_error!("a deleted session is not all gone: {error}");
        }
    }
}

impl Loaded {
    fn was_started(&mut self, hosted: Hosted) {
        let Hosted { facts, cwd, .. } = hosted;
        self.record.cwd = Some(cwd);
        self.record.driver = facts.driver;
        self.record.command = facts.command;
        self.record_changed();
    }

    fn rename(&mut self, name: Option<String>) -> Answer {
        self.session.rename(name.clone().unwrap_or_else(|| self.record.id.to_string()));
        self.record.name = name;
        self.record_changed();
        json(&self.summary())
    }

    /// What the row tells has changed.
    fn record_changed(&mut self) {
        self.storing.record_changed();
        self.listed.changed();
    }

    /// The host came back without the session.
    fn host_is_lost(&mut self) {
        self.close_host();
        self.session.host_left(true);
    }

    fn close_host(&mut self) {
        if let Some(host) = self.host.take() {
            self.owners.remove(&host.socket);
            sockets::close(&host.socket, close::NOT_FOUND, "there is no such session");
            self.session.host_left(false);
        }
    }
}

/// The session that the object is named after.
pub(super) fn id_of(object: &Object) -> Option<SessionId> {
    object.state.id().name()?.parse().ok()
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        ApiError::internal(&error).into()
    }
}
