//! Requests of the directory to a session's object.

use std::rc::Rc;
use std::time::Duration;

use http::StatusCode;
use moorline_core::api::ApiError;
use moorline_core::record::SessionRecord;
use moorline_core::session::{Session, SessionInput};
use moorline_shared::message::close;
use moorline_shared::publish::WriteRefused;
use moorline_shared::session::Lifecycle;
use serde::Serialize;
use worker::{Request, console_error};

use super::access;
use super::clock::{now, wall_ms};
use super::fork;
use super::object::{Fault, Object};
use super::sockets;
use super::state::SessionState;
use super::storage::{AGENT, note_since};
use crate::internal::{
    APPEND, Append, CREATE, Create, DELETE, FORK, HOST_LOST, HostStarted, MOVE, Move, RECHECK,
    RENAME, Rename, STARTED,
};
use crate::reply::{self, Answer, body, nothing};
use crate::sql::ObjectDatabase;

/// Time allowed for event streams to deliver the news that the session was deleted.
const GOODBYE: Duration = Duration::from_secs(1);

/// Answers a request of another object.
pub(super) async fn answer(object: &Rc<Object>, path: &str, request: &mut Request) -> Answer {
    match path {
        CREATE => create(object, &body(request).await?),
        STARTED => started(object, body(request).await?).await,
        DELETE => {
            remove(object).await;
            nothing()
        }
        HOST_LOST => {
            object.with(SessionState::host_is_lost)?;
            nothing()
        }
        RENAME => {
            let Rename { name } = body(request).await?;
            changed(object, |session| session.rename(name))
        }
        MOVE => {
            let Move { project } = body(request).await?;
            let answer = changed(object, |session| session.move_to(project));
            // Tokens of a project lose the sessions that leave it.
            access::recheck(object).await?;
            answer
        }
        APPEND => {
            let Append { event } = body(request).await?;
            object.with(|loaded| loaded.session.append(event))?;
            nothing()
        }
        RECHECK => {
            access::recheck(object).await?;
            nothing()
        }
        FORK => fork::fork(object, body(request).await?).await,
        fork::SEED => fork::take(object, request).await,
        _ => Err(ApiError::no_route(&reply::uri(path)).into()),
    }
}

fn create(object: &Rc<Object>, Create { record, agent }: &Create) -> Answer {
    match object.peek(|loaded| is_same(&loaded.session.record(), record)) {
        Ok(true) => nothing(),
        Ok(false) => Err(ApiError::exists(&record.id).into()),
        Err(Fault::NoSession(_)) => {
            let database = ObjectDatabase::open(object.state.storage().sql())?;
            database.put_session(record)?;
            if let Some(agent) = agent {
                database.put_long_note(AGENT, agent)?;
            }
            note_since(&database, now())?;
            object.set_removed(false);
            nothing()
        }
        Err(fault) => Err(fault.into()),
    }
}

fn is_same(one: &SessionRecord, other: &SessionRecord) -> bool {
    let key =
        |record: &SessionRecord| (record.id.clone(), record.created_at_ms, record.host.clone());
    key(one) == key(other)
}

async fn started(object: &Rc<Object>, wanted: HostStarted) -> Answer {
    let id = wanted.session.session_id.clone();
    object.with(|loaded| loaded.session.started(&wanted.session))?;
    let deadline = now() + Duration::from_millis(wanted.within_ms);
    loop {
        let seen = object.seen();
        let summary = object.with(|loaded| {
            let is_here = loaded.session.lifecycle() != Lifecycle::Detached;
            is_here.then(|| loaded.session.summary(wall_ms()))
        })?;
        if let Some(summary) = summary {
            return json(&summary);
        }
        if now() >= deadline {
            return Err(ApiError::not_written(WriteRefused::HostAway, &id).into());
        }
        object.changed(seen, deadline).await;
    }
}

/// Tells the session's clients that it is deleted, then removes all of its data.
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
    object.attempt(SessionState::close_host);
    object.set_removed(true);
    let storage = object.state.storage();
    for done in [storage.delete_alarm().await, storage.delete_all().await] {
        if let Err(error) = done {
            console_error!("a deleted session was not removed completely: {error}");
        }
    }
}

impl SessionState {
    /// Marks the session as lost: its host came back without it.
    fn host_is_lost(&mut self) {
        self.close_host();
        self.session.handle(now(), SessionInput::HostLost);
    }

    fn close_host(&mut self) {
        if let Some(host) = self.host.take() {
            self.owners.remove(&host.socket);
            sockets::close(&host.socket, close::NOT_FOUND, "the session does not exist");
            self.session.handle(now(), SessionInput::HostLeft);
        }
    }
}

/// Changes the session, and answers with its summary.
fn changed(object: &Rc<Object>, change: impl FnOnce(&mut Session)) -> Answer {
    json(&object.with(|loaded| {
        change(&mut loaded.session);
        loaded.session.summary(wall_ms())
    })?)
}

fn json(body: &impl Serialize) -> Answer {
    reply::json(StatusCode::OK, body)
}
