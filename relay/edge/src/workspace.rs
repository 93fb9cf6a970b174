//! One workspace: its files, in an object of its own.
//!
//! The core decides everything, in the object's SQLite. The Worker has admitted the caller, and
//! knows from the directory that the workspace exists.

mod events;

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use js_sys::JsString;
use moorline_core::api::ApiError;
use moorline_core::profile::Profile;
use moorline_core::record::WorkspaceRecord;
use moorline_core::routes::{self, Call, Found, Handler, Matched, WorkspaceHandler, find};
use moorline_core::workspace::{
    DELETE_WORKSPACE_FILES, FileAction, SqlCell, SqlFailure, SqlValue, WorkspaceFiles,
    WorkspaceReply, WorkspaceSql,
};
use moorline_shared::id::WorkspaceId;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use worker::{
    Date, Delay, DurableObject, Env, Request, Response, ResponseBuilder, Result, State,
    console_error, durable_object,
};

use crate::internal::{Caller, DELETE, Held, STILL, WORKSPACE, WorkspaceFacts, WorkspaceWanted};
use crate::object_client;
use crate::reply::{self, Answer, RequestFailure, nothing};
use crate::session::notifier::ChangeNotifier;
use crate::sql::{ObjectDatabase, SqlError};

/// The Durable Object of one workspace.
#[durable_object]
pub struct WorkspaceObject {
    workspace: Rc<WorkspaceState>,
}

impl DurableObject for WorkspaceObject {
    fn new(state: State, env: Env) -> Self {
        let (database, changed) = (RefCell::default(), ChangeNotifier::default());
        Self { workspace: Rc::new(WorkspaceState { state, env, database, changed }) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let answer = route(&self.workspace, &mut request).await;
        reply::drain(&mut request).await;
        reply::send(answer)
    }
}

/// State of the object, shared by its requests.
struct WorkspaceState {
    state: State,
    env: Env,
    /// `None` until first needed.
    database: RefCell<Option<Rc<ObjectDatabase>>>,
    /// Rung when files change.
    changed: ChangeNotifier,
}

async fn route(state: &Rc<WorkspaceState>, request: &mut Request) -> Answer {
    let path = request.path();
    if path == DELETE {
        return state.delete(&reply::body::<WorkspaceWanted>(request).await?.id);
    }
    let Found::Route(Matched { route, id, item, .. }) = find(&reply::method(request), &path) else {
        return Err(ApiError::no_route(&reply::uri(&path)).into());
    };
    match route.handler {
        Handler::Workspace(handler) => {
            let body = reply::bytes_within(request, handler.body_bytes, handler.too_large).await?;
            let incoming = reply::incoming(&id, request)?;
            let incoming = routes::Request { item, body: body.into(), ..incoming };
            state.answer(handler, &incoming, request).await
        }
        Handler::Relay(Call::WorkspaceEvents) => {
            events::open(state, &reply::incoming(&id, request)?, request)
        }
        _ => Err(ApiError::no_route(&reply::uri(&path)).into()),
    }
}

impl WorkspaceState {
    async fn answer(
        self: &Rc<Self>,
        handler: WorkspaceHandler,
        incoming: &routes::Request,
        request: &Request,
    ) -> Answer {
        let (id, caller) = (incoming.workspace()?, Caller::of(request)?);
        let action = (handler.parse)(incoming, &reply::headers(request.headers()))?;
        let record = if action.describes() { self.record(&id).await? } else { unnamed(&id) };
        let until = now_ms() + millis(&action);
        let action = Rc::new(action);
        loop {
            let seen = self.changed.rung();
            let reply = self.run(&action, &record)?;
            if reply.changed.is_some() {
                self.changed.ring();
            }
            let left = until.saturating_sub(now_ms());
            if !reply.is_early || left == 0 {
                return response(reply);
            }
            let wait = Delay::from(std::time::Duration::from_millis(left));
            let is_late = {
                let changed = pin!(self.changed.after(seen));
                matches!(select(changed, wait).await, Either::Right(_))
            };
            if !may_still(&self.env, &caller).await {
                return Err(ApiError::wrong_token().into());
            }
            if is_late {
                return response(self.run(&action, &record)?);
            }
        }
    }

    /// Carries out an action: all of it or, if it fails, nothing.
    fn run(
        &self,
        action: &Rc<FileAction>,
        record: &WorkspaceRecord,
    ) -> std::result::Result<WorkspaceReply, RequestFailure> {
        let database = self.database()?;
        let result = Rc::new(RefCell::new(None));
        let (action, record, told) = (Rc::clone(action), record.clone(), Rc::clone(&result));
        let work = move || {
            let done = action.run(workspace(&*database, &record.id), &record);
            let is_done = done.is_ok();
            *told.borrow_mut() = Some(done);
            // An exception makes the runtime take everything back.
            if is_done { Ok(JsValue::UNDEFINED) } else { Err(JsValue::NULL) }
        };
        let thrown = self.transaction(work);
        match result.take() {
            Some(Ok(reply)) => {
                thrown?;
                Ok(reply)
            }
            Some(Err(error)) => Err(error.into()),
            None => Err(RequestFailure::Fault("a transaction did not begin".to_owned())),
        }
    }

    /// Runs work as one transaction, which the runtime takes back if it throws.
    fn transaction(
        &self,
        work: impl FnOnce() -> std::result::Result<JsValue, JsValue> + 'static,
    ) -> Result<()> {
        let storage = self.state.storage();
        let storage: &JsValue = storage.as_raw().as_ref();
        let begin = js_sys::Reflect::get(storage, &"transactionSync".into())?;
        let begin: js_sys::Function = begin.dyn_into()?;
        let work = Closure::once(work);
        begin.call1(storage, work.as_ref())?;
        Ok(())
    }

    fn database(&self) -> std::result::Result<Rc<ObjectDatabase>, SqlError> {
        let mut database = self.database.borrow_mut();
        if let Some(database) = &*database {
            return Ok(Rc::clone(database));
        }
        let opened = Rc::new(ObjectDatabase::open(self.state.storage().sql())?);
        *database = Some(Rc::clone(&opened));
        Ok(opened)
    }

    /// The workspace's row, which the directory has.
    async fn record(
        &self,
        id: &WorkspaceId,
    ) -> std::result::Result<WorkspaceRecord, RequestFailure> {
        let directory = object_client::directory(&self.env)?;
        let wanted = WorkspaceWanted { id: id.clone() };
        let facts: WorkspaceFacts = object_client::ask(&directory, WORKSPACE, &wanted).await?;
        facts.record.ok_or_else(|| ApiError::no_workspace(id.as_str()).into())
    }

    fn delete(&self, id: &WorkspaceId) -> Answer {
        let database = self.database()?;
        for statement in DELETE_WORKSPACE_FILES {
            database.run(statement, &[id.as_str().into()])?;
        }
        self.changed.ring();
        nothing()
    }
}

fn workspace<'a>(sql: &'a dyn WorkspaceSql, id: &'a WorkspaceId) -> WorkspaceFiles<'a> {
    WorkspaceFiles { sql, id, limit_bytes: Profile::EDGE.workspace_bytes, now_ms: now_ms() }
}

/// Returns true if a caller still has the access that it was admitted with. A fault takes nobody's
/// access away.
async fn may_still(env: &Env, caller: &Caller) -> bool {
    if !caller.can_end() {
        return true;
    }
    let held = Held { session: None, callers: vec![caller.clone()], is_request: false };
    let asked = async {
        let directory = object_client::directory(env)?;
        object_client::ask::<Vec<Option<Caller>>>(&directory, STILL, &held).await
    };
    match asked.await {
        Ok(callers) => callers.into_iter().next().flatten().is_some(),
        Err(failure) => {
            console_error!("the caller of a workspace was not checked: {failure}");
            true
        }
    }
}

/// A row for actions that do not read it.
fn unnamed(id: &WorkspaceId) -> WorkspaceRecord {
    WorkspaceRecord { id: id.clone(), name: None, project: None, created_at_ms: 0 }
}

fn now_ms() -> u64 {
    Date::now().as_millis()
}

fn millis(action: &FileAction) -> u64 {
    u64::try_from(action.wait().as_millis()).unwrap_or_default()
}

fn response(reply: WorkspaceReply) -> Answer {
    let mut response = ResponseBuilder::new().with_status(reply.status.as_u16());
    for (name, value) in &reply.headers {
        response = response.with_header(name.as_str(), value.to_str().unwrap_or_default())?;
    }
    // A 304 must not have a body, not even an empty one.
    if reply.body.is_empty() { Ok(response.empty()) } else { Ok(response.fixed(reply.body.into())) }
}

impl WorkspaceSql for ObjectDatabase {
    fn decompose(&self, text: &str) -> String {
        JsString::from(text).normalize("NFD").into()
    }

    fn run(&self, statement: &str, values: &[SqlValue<'_>]) -> std::result::Result<(), SqlFailure> {
        let values: Vec<_> = values.iter().map(|value| bound(*value)).collect();
        self.run(statement, &values).map_err(failure)
    }

    fn rows(
        &self,
        statement: &str,
        values: &[SqlValue<'_>],
    ) -> std::result::Result<Vec<Vec<SqlCell>>, SqlFailure> {
        let values: Vec<_> = values.iter().map(|value| bound(*value)).collect();
        let rows = self.rows(statement, &values).map_err(failure)?;
        Ok(rows.into_iter().map(crate::sql::ResultRow::into_cells).collect())
    }
}

const fn bound(value: SqlValue<'_>) -> crate::sql::Value<'_> {
    match value {
        SqlValue::Null => crate::sql::Value::Null,
        SqlValue::Number(number) => crate::sql::Value::Number(number),
        SqlValue::Text(text) => crate::sql::Value::Text(text),
        SqlValue::Blob(bytes) => crate::sql::Value::Blob(bytes),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn failure(error: SqlError) -> SqlFailure {
    let message = error.to_string();
    // The runtime's own words for the limit of an object's storage.
    if message.contains("SQLITE_FULL") { SqlFailure::Full } else { SqlFailure::Other(message) }
}
