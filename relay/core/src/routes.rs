//! The routes of the API, in one table for every relay: for each, the access it needs, the subject of its path, and its
//! handler.
//!
//! A relay looks a request up with [`find`], admits its caller with [`Route::admit`], and follows the route's
//! [`Handler`]. The handler decides; waiting and storing are the relay's part.

pub(crate) mod action_request;
pub(crate) mod approvals;
mod ask;
mod audit;
mod call;
pub(crate) mod changes;
pub(crate) mod files;
pub(crate) mod hosts;
pub(crate) mod login;
pub(crate) mod operations;
pub(crate) mod output;
pub(crate) mod pods;
pub(crate) mod projects;
pub(crate) mod prompts;
mod question;
mod request;
pub(crate) mod session;
pub(crate) mod sessions;
mod table;
pub(crate) mod terminals;
#[cfg(test)]
mod tests;
pub(crate) mod tmux;
mod tokens;
pub(crate) mod workspaces;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::Method;
use moorline_shared::id::{HostId, ProjectId, SessionId, WorkspaceId};
use moorline_shared::message::Scope;
use moorline_shared::rest::SessionSummary;
use percent_encoding::percent_decode_str;

use crate::api::ApiError;
use crate::auth::Access;
pub use crate::auth::{Reach, Reached};
use crate::directory::{Change, Directory, Draft, Effect, created_event};
use crate::naming;
use crate::session::Session;
pub use action_request::ActionRequest;
use action_request::{ActionPlan, DecisionPlan};
pub use ask::{QuestionHandler, answer_reply, ask_host};
pub use audit::{AuditPage, AuditQuery};
pub use call::Call;
pub use files::files_reply;
pub use hosts::{host_agents, rules_answer, rules_question};
pub use login::{LoginQuery, cookie_expiry};
pub use operations::{HostQuestion, QuestionOutcome, SessionFolder, folder_of};
pub use output::{OutputPoll, OutputRead};
pub use pods::{pods_answer, pods_question};
pub use question::{SessionAnswer, SessionQuestion};
pub use request::{Reply, Request, parse};
pub use session::{Write, prompt_of};
pub use sessions::forked;
pub use table::ROUTES;
pub use tmux::host_tmux;
pub use tokens::{changed_token, new_token};
pub use workspaces::{WorkspaceHandler, since};

/// One route of the API.
#[derive(Debug)]
pub struct Route {
    /// The method. `GET` also answers `HEAD`, without a body.
    pub method: Method,
    /// The path. `{id}` and `{item}` stand for one segment each, and `{path}` for all that follow.
    pub path: &'static str,
    /// The kind of thing that `{id}` names.
    pub subject: Subject,
    /// The access that a caller needs.
    pub need: Need,
    /// The handler of its requests.
    pub handler: Handler,
}

/// The kind of thing that the id in a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The path has no id.
    Nothing,
    /// The id of a session.
    Session,
    /// The id of a session, or a longer name for one: see [`naming`].
    Terminal,
    /// The id of a project.
    Project,
    /// The id of a workspace.
    Workspace,
    /// The id of a token, passkey or host.
    Other,
}

/// The access that a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// No access: the route is open to everyone.
    Nothing,
    /// Any valid token.
    Token,
    /// Watching the session or project that the path names.
    Read,
    /// Steering the session that the path names.
    Write,
    /// Reading lists: the caller gets what its token reaches.
    List,
    /// Starting sessions, in the project of the session that the path names, if it names one.
    Start,
    /// Publishing sessions.
    Host,
    /// Full access.
    Admin,
}

/// The handler of a request. Its functions never wait.
#[derive(Debug, Clone, Copy)]
pub enum Handler {
    /// Reads the directory.
    Read(fn(&View<'_>, &Request) -> Result<Reply, ApiError>),
    /// Changes the directory: the relay stores, applies and carries out the change, then answers.
    Change(fn(&Directory, &Request) -> Result<Decision, ApiError>),
    /// Starts a session.
    Start(fn(&Directory, &Request) -> Result<Start, ApiError>),
    /// Removes the session that the path names, and answers with this.
    Remove(fn(&SessionId) -> Reply),
    /// Reads a session, given its current row and the session itself.
    Session(fn(&Session, &Request) -> Result<Reply, ApiError>),
    /// Reads a session's output.
    Output(fn(&Session, &Request) -> Result<OutputRead, ApiError>),
    /// Types into a session.
    Write(fn(&SessionId, &Request) -> Result<Write, ApiError>),
    /// Asks something of a session that may have to be stored first.
    Act(fn(&Session, &Request) -> Result<Asked, ApiError>),
    /// Asks the session's host about operations, and reports the answer in the session's log.
    Operations(fn(&SessionId, &Request) -> Result<HostQuestion, ApiError>),
    /// Asks the session's host.
    Ask(QuestionHandler),
    /// Asks the session's host for the files in its folder that match this.
    Files(fn(&Request) -> Result<String, ApiError>),
    /// Reads or changes the files of the workspace that the path names.
    Workspace(WorkspaceHandler),
    /// Leaves the request to each relay's own code.
    Relay(Call),
}

/// A request to a session, checked.
#[derive(Debug)]
pub enum Asked {
    /// Type this, as [`Handler::Write`] does.
    Write(Write),
    /// Answer once the request is stored.
    Act(Box<ActionRequest>),
}

impl Asked {
    fn act(plan: ActionPlan) -> Self {
        Self::Act(Box::new(ActionRequest::act(plan)))
    }

    fn decide(plan: DecisionPlan) -> Self {
        Self::Act(Box::new(ActionRequest::decide(plan)))
    }
}

/// The directory, and which hosts are connected.
pub struct View<'a> {
    /// The directory of the relay.
    pub directory: &'a Directory,
    /// Returns true if a host is connected.
    pub is_here: &'a dyn Fn(&HostId) -> bool,
}

impl View<'_> {
    /// Returns true if a token with this access reaches a session.
    #[must_use]
    pub fn reaches(&self, access: &Access, session: &SessionId) -> bool {
        self.directory.reaches(access, session)
    }
}

/// A change that was decided, with its answer.
pub struct Decision {
    /// The change to store and apply.
    pub change: Change,
    /// The answer to the request.
    pub answer: DecisionAnswer,
}

/// The answer to a change.
pub enum DecisionAnswer {
    /// The answer is known before the change, such as that of a removal.
    Known(Reply),
    /// The answer is read from the directory after the change was applied and carried out.
    Read(fn(&Directory, &Request) -> Result<Reply, ApiError>),
}

/// A session to start, with its answer.
pub struct Start {
    /// The session to start.
    pub draft: Draft,
    /// The steps after the start.
    pub then: Started,
}

impl Start {
    /// Puts a session into the project that the caller's token reaches, unless it is in that project already.
    ///
    /// # Errors
    /// `forbidden` if the session is to be in another project.
    fn admit(mut draft: Draft, then: Started, access: &Access) -> Result<Self, ApiError> {
        let project = &mut draft.record.project;
        if project.is_none() {
            *project = access.only_project().cloned();
        }
        match access.scope_in(project.as_ref()) {
            Some(Scope::Write) => Ok(Self { draft, then }),
            _ => Err(ApiError::forbidden()),
        }
    }
}

/// The steps after a session was started.
pub struct Started {
    /// The session that it was opened beside, and its purpose there.
    beside: Option<(SessionId, Option<String>)>,
    reply: fn(SessionSummary) -> Reply,
}

impl Started {
    /// Returns the effect to carry out, if any, and the answer. The effect reports a terminal to the log of the session
    /// beside it.
    #[must_use]
    pub fn finish(self, session: SessionSummary, now_ms: u64) -> (Option<Effect>, Reply) {
        let append = self.beside.map(|(parent, mode)| {
            let event = created_event(&parent, &session, mode, now_ms);
            Effect::Append { session: parent, event }
        });
        (append, (self.reply)(session))
    }
}

impl Route {
    /// Returns true if the session in the path handles the request, rather than the directory or the relay's front
    /// door.
    #[must_use]
    pub const fn is_of_session(&self) -> bool {
        match self.handler {
            Handler::Session(_)
            | Handler::Output(_)
            | Handler::Write(_)
            | Handler::Act(_)
            | Handler::Operations(_)
            | Handler::Ask(_)
            | Handler::Files(_) => true,
            Handler::Relay(call) => matches!(
                call,
                Call::SessionContext
                    | Call::SessionEvents
                    | Call::Stream
                    | Call::Plain
                    | Call::Publish
            ),
            Handler::Read(_)
            | Handler::Change(_)
            | Handler::Start(_)
            | Handler::Remove(_)
            | Handler::Workspace(_) => false,
        }
    }

    /// Returns true if the workspace in the path handles the request.
    #[must_use]
    pub const fn is_of_workspace(&self) -> bool {
        matches!(self.handler, Handler::Workspace(_) | Handler::Relay(Call::WorkspaceEvents))
    }

    /// Returns true if the route accepts a ticket in the address instead of a token.
    #[must_use]
    pub const fn takes_ticket(&self) -> bool {
        let Handler::Relay(call) = self.handler else { return false };
        matches!(
            call,
            Call::ListEvents | Call::SessionEvents | Call::WorkspaceEvents | Call::CreateToken
        )
    }

    /// Returns true if the answer is an event stream, which a WebSocket may carry: see [`crate::event_socket`].
    #[must_use]
    pub const fn is_event_stream(&self) -> bool {
        matches!(
            self.handler,
            Handler::Relay(Call::ListEvents | Call::SessionEvents | Call::WorkspaceEvents)
        )
    }

    /// Admits a caller with this access. Returns the caller's scope for the session or project that the path names,
    /// if it names one. `reach` says what the access depends on.
    ///
    /// # Errors
    /// `invalid_id` or `forbidden`.
    pub fn admit(
        &self,
        access: &Access,
        id: &str,
        reach: impl FnOnce(Reach<'_>) -> Reached,
    ) -> Result<Option<Scope>, ApiError> {
        let (scope, may_start) = match self.subject {
            Subject::Session | Subject::Terminal => {
                let id: SessionId = id.parse().map_err(|_| ApiError::invalid_id(id))?;
                // Only such a token depends on the session's project.
                let project =
                    access.only_project().and_then(|_| reach(Reach::Session(&id)).project);
                let may_start = access.scope_in(project.as_ref()) == Some(Scope::Write);
                (access.scope_of(&id, project.as_ref()), may_start)
            }
            Subject::Project => {
                let id: ProjectId = id.parse().map_err(|_| ApiError::invalid_project_id())?;
                (access.scope_in(Some(&id)), false)
            }
            Subject::Workspace => {
                let id: WorkspaceId = id.parse().map_err(|_| ApiError::invalid_workspace_id())?;
                let reached = if access.is_admin() {
                    Reached::default()
                } else {
                    reach(Reach::Workspace(&id))
                };
                (reached.workspace_scope(access), false)
            }
            Subject::Nothing => {
                (None, access.scope_in(access.only_project()) == Some(Scope::Write))
            }
            Subject::Other => (None, false),
        };
        let is_enough = match self.need {
            Need::Nothing | Need::Token => true,
            Need::Read => scope.is_some(),
            Need::Write => scope == Some(Scope::Write),
            Need::List => access.is_admin() || access.only_project().is_some(),
            Need::Start => may_start,
            Need::Host => matches!(access, Access::Host | Access::Admin),
            Need::Admin => access.is_admin(),
        };
        if is_enough { Ok(scope) } else { Err(ApiError::forbidden()) }
    }
}

/// The result of looking up a path and a method.
#[derive(Debug, Clone)]
pub enum Found {
    /// The route to follow.
    Route(Matched),
    /// The path exists, but not with this method.
    OtherMethod {
        /// The value of the header `Allow`, such as `GET,HEAD,POST`.
        allow: String,
    },
    /// No route has this path.
    Nothing,
}

/// A route, with the id from the path.
#[derive(Debug, Clone)]
pub struct Matched {
    /// The route that matches.
    pub route: &'static Route,
    /// The id in the path, without escapes, not yet validated. Empty if the path has none.
    pub id: String,
    /// The second id in the path, or the path of a file that follows it, likewise.
    pub item: String,
    /// The longer name of a terminal, from which `id` was derived. Such a terminal may not exist.
    pub long_name: Option<String>,
}

/// The routes of each path.
static PATHS: LazyLock<matchit::Router<Vec<&'static Route>>> = LazyLock::new(|| {
    let mut by_path: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
    for route in ROUTES {
        by_path.entry(route.path).or_default().push(route);
    }
    let mut paths = matchit::Router::new();
    for (path, routes) in by_path {
        paths.insert(path.replace("{path}", "{*path}"), routes).expect("a test looks each path up");
    }
    paths
});

/// Returns the route of a session's event stream.
///
/// # Panics
/// Never: a test looks it up.
#[must_use]
pub fn events_route() -> &'static Route {
    own_route(Call::SessionEvents)
}

/// Returns the route of a client's WebSocket to a session.
///
/// # Panics
/// Never: a test looks it up.
#[must_use]
pub fn stream_route() -> &'static Route {
    own_route(Call::Stream)
}

fn own_route(call: Call) -> &'static Route {
    let is_it = |route: &&Route| matches!(route.handler, Handler::Relay(own) if own == call);
    ROUTES.iter().find(is_it).expect("a test looks it up")
}

/// Looks up a method and a path, which is escaped as in an address.
#[must_use]
pub fn find(method: &Method, path: &str) -> Found {
    let Ok(found) = PATHS.at(path) else { return Found::Nothing };
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let Some(route) = found.value.iter().find(|route| route.method == *wanted) else {
        return Found::OtherMethod { allow: allow(found.value) };
    };
    let item = found.params.get("item").or_else(|| found.params.get("path"));
    let id = found.params.get("id");
    if id.is_some_and(str::is_empty) || item.is_some_and(str::is_empty) {
        return Found::Nothing;
    }
    let (id, item) = (decoded(id.unwrap_or_default()), decoded(item.unwrap_or_default()));
    let short = match route.subject {
        Subject::Terminal => naming::own_name(&id).and_then(|name| naming::id_of(name).ok()),
        _ => None,
    };
    match short {
        Some(short) => Found::Route(Matched { route, id: short.into(), item, long_name: Some(id) }),
        None => Found::Route(Matched { route, id, item, long_name: None }),
    }
}

/// Returns an id of a path without escapes. One that is not UTF-8 is not valid either way.
fn decoded(id: &str) -> String {
    percent_decode_str(id).decode_utf8().unwrap_or(Cow::Borrowed(id)).into_owned()
}

fn allow(routes: &[&Route]) -> String {
    let names = routes.iter().map(|route| match route.method {
        Method::GET => "GET,HEAD",
        ref other => other.as_str(),
    });
    names.collect::<Vec<_>>().join(",")
}
