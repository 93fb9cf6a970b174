//! The routes of the API, in one table for every relay: who may use a route, what its path names, and what handles it.
//!
//! A relay looks a request up with [`find`], lets its caller in with [`Route::admit`], and does what the route's
//! [`Handler`] says. A handler decides; whatever waits or is stored is the relay's part.

pub(crate) mod hosts;
pub(crate) mod output;
pub(crate) mod projects;
mod request;
pub(crate) mod session;
pub(crate) mod sessions;
mod table;
pub(crate) mod terminals;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::Method;
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::message::Scope;
use moorline_shared::rest::SessionSummary;
use percent_encoding::percent_decode_str;

use crate::api::ApiError;
use crate::auth::Access;
use crate::directory::{Change, Directory, Draft, Effect, created_event};
use crate::naming;
use crate::record::SessionRecord;
use crate::session::Session;
pub use output::{OutputPoll, OutputRead};
pub use request::{Reply, Request, parse};
pub use session::{Write, prompt_of};
pub use sessions::forked;
pub use table::ROUTES;

/// One route.
#[derive(Debug)]
pub struct Route {
    /// Its method. `HEAD` is `GET` without a body.
    pub method: Method,
    /// Its path. `{id}` stands for one part.
    pub path: &'static str,
    /// What `{id}` names.
    pub subject: Subject,
    /// What a caller must be allowed.
    pub need: Need,
    /// What handles it.
    pub handler: Handler,
}

/// What the id in a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Nothing: the path has none.
    Nothing,
    /// A session.
    Session,
    /// A session that may go by a longer name: see [`naming`].
    Terminal,
    /// A project, token or host.
    Other,
}

/// What a caller must be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: open to everyone.
    Nothing,
    /// Anything: a valid token.
    Token,
    /// To watch the session that the path names.
    Read,
    /// To steer it.
    Write,
    /// To publish sessions.
    Host,
    /// Everything.
    Admin,
}

/// What handles a request. The functions wait for nothing.
#[derive(Debug, Clone, Copy)]
pub enum Handler {
    /// Reads the directory.
    Read(fn(&View<'_>, &Request) -> Result<Reply, ApiError>),
    /// Changes the directory: the change is stored, applied and carried out, and then answered.
    Change(fn(&Directory, &Request) -> Result<Decision, ApiError>),
    /// Starts a session.
    Start(fn(&Directory, &Request) -> Result<Start, ApiError>),
    /// Removes the session that the path names, and answers this.
    Remove(fn(&SessionId) -> Reply),
    /// Reads a session: its row as it is now, and itself.
    Session(fn(&SessionRecord, &Session, &Request) -> Result<Reply, ApiError>),
    /// Reads a session's output.
    Output(fn(&Session, &Request) -> Result<OutputRead, ApiError>),
    /// Types into a session.
    Write(fn(&SessionId, &Request) -> Result<Write, ApiError>),
    /// Something that each relay does in its own way.
    Relay(Call),
}

/// What each relay does in its own way: sockets, streams, and what needs its database or another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Whether the relay works.
    Health,
    /// The API's description.
    Description,
    /// Metrics for Prometheus.
    Metrics,
    /// Metrics as JSON.
    DebugMetrics,
    /// Sets the browser's cookie.
    LogIn,
    /// Takes it away.
    LogOut,
    /// Makes a ticket.
    CreateTicket,
    /// All tokens.
    ListTokens,
    /// Makes a token.
    CreateToken,
    /// Revokes a token.
    RevokeToken,
    /// The event stream of the lists.
    ListEvents,
    /// Starts a session on another one's log.
    Fork,
    /// The files that a session works with: its host is asked.
    SessionContext,
    /// A session's event stream.
    SessionEvents,
    /// A client's WebSocket.
    Stream,
    /// A WebSocket of plain text.
    Plain,
    /// The deprecated WebSocket of JSON.
    Chat,
    /// A session's WebSocket of its host.
    Publish,
    /// A host's own WebSocket.
    Control,
}

/// The directory, and who is connected.
pub struct View<'a> {
    /// The directory.
    pub directory: &'a Directory,
    /// Whether a host is connected.
    pub is_here: &'a dyn Fn(&HostId) -> bool,
}

/// A change that was decided, and its answer.
pub struct Decision {
    /// What is to be stored.
    pub change: Change,
    /// The answer.
    pub answer: Answer,
}

/// The answer to a change.
pub enum Answer {
    /// It was known before, as that of something that is removed.
    Known(Reply),
    /// It is read from the directory once the change was applied and carried out.
    Read(fn(&Directory, &Request) -> Result<Reply, ApiError>),
}

/// A session to be started.
pub struct Start {
    /// The session.
    pub draft: Draft,
    /// What follows.
    pub then: Started,
}

/// What follows once a session was started.
pub struct Started {
    /// The session that it was opened beside, and what it is for there.
    beside: Option<(SessionId, Option<String>)>,
    reply: fn(SessionSummary) -> Reply,
}

impl Started {
    /// What is to be carried out, and the answer. A session's log tells of a terminal that was opened beside it.
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
    /// Whether the session that its path names handles it, and not the directory or what every request comes to first.
    #[must_use]
    pub const fn is_of_session(&self) -> bool {
        match self.handler {
            Handler::Session(_) | Handler::Output(_) | Handler::Write(_) => true,
            Handler::Relay(call) => matches!(
                call,
                Call::SessionContext
                    | Call::SessionEvents
                    | Call::Stream
                    | Call::Plain
                    | Call::Publish
            ),
            Handler::Read(_) | Handler::Change(_) | Handler::Start(_) | Handler::Remove(_) => false,
        }
    }

    /// Whether a ticket in the address is as good as a token.
    #[must_use]
    pub const fn takes_ticket(&self) -> bool {
        let Handler::Relay(call) = self.handler else { return false };
        matches!(call, Call::ListEvents | Call::SessionEvents | Call::CreateToken)
    }

    /// Whether its answer is an event stream, which may go over a WebSocket: see [`crate::event_socket`].
    #[must_use]
    pub const fn is_event_stream(&self) -> bool {
        matches!(self.handler, Handler::Relay(Call::ListEvents | Call::SessionEvents))
    }

    /// Lets a caller in who has this access. Returns what it may do with the session that the path names, if it names one.
    ///
    /// # Errors
    /// `invalid_id` or `forbidden`.
    pub fn admit(&self, access: &Access, id: &str) -> Result<Option<Scope>, ApiError> {
        let scope = match self.subject {
            Subject::Session | Subject::Terminal => {
                let id: SessionId = id.parse().map_err(|_| ApiError::invalid_id(id))?;
                access.scope_of(&id)
            }
            Subject::Nothing | Subject::Other => None,
        };
        let is_enough = match self.need {
            Need::Nothing | Need::Token => true,
            Need::Read => scope.is_some(),
            Need::Write => scope == Some(Scope::Write),
            Need::Host => matches!(access, Access::Host | Access::Admin),
            Need::Admin => access.is_admin(),
        };
        if is_enough { Ok(scope) } else { Err(ApiError::forbidden()) }
    }
}

/// What a path is for a method.
#[derive(Debug, Clone)]
pub enum Found {
    /// A route.
    Route(Matched),
    /// Routes with this path take these methods alone, as the header `Allow` has them.
    OtherMethod {
        /// `GET,HEAD,POST`, for example.
        allow: String,
    },
    /// No route.
    Nothing,
}

/// A route, and what a path names.
#[derive(Debug, Clone)]
pub struct Matched {
    /// The route.
    pub route: &'static Route,
    /// The id in the path, without escapes. It may be no id. Empty if the path has none.
    pub id: String,
    /// The longer name of a terminal, from which `id` was made. It names something only once there is such a terminal.
    pub long_name: Option<String>,
}

/// Each path, with its routes.
static PATHS: LazyLock<matchit::Router<Vec<&'static Route>>> = LazyLock::new(|| {
    let mut by_path: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
    for route in ROUTES {
        by_path.entry(route.path).or_default().push(route);
    }
    let mut paths = matchit::Router::new();
    for (path, routes) in by_path {
        paths.insert(path, routes).expect("a test looks each path up");
    }
    paths
});

/// Looks a path up, as it is in an address, for a method.
#[must_use]
pub fn find(method: &Method, path: &str) -> Found {
    let Ok(found) = PATHS.at(path) else { return Found::Nothing };
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let Some(route) = found.value.iter().find(|route| route.method == *wanted) else {
        return Found::OtherMethod { allow: allow(found.value) };
    };
    let id = found.params.get("id");
    if id.is_some_and(str::is_empty) {
        return Found::Nothing;
    }
    let id = id.unwrap_or_default();
    // What is not UTF-8 is no id.
    let id = percent_decode_str(id).decode_utf8().unwrap_or(Cow::Borrowed(id)).into_owned();
    let short = match route.subject {
        Subject::Terminal => naming::own_name(&id).and_then(|name| naming::id_of(name).ok()),
        _ => None,
    };
    match short {
        Some(short) => Found::Route(Matched { route, id: short.into(), long_name: Some(id) }),
        None => Found::Route(Matched { route, id, long_name: None }),
    }
}

fn allow(routes: &[&Route]) -> String {
    let names = routes.iter().map(|route| match route.method {
        Method::GET => "GET,HEAD",
        ref other => other.as_str(),
    });
    names.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(method: &Method, path: &str) -> Matched {
        match find(method, path) {
            Found::Route(matched) => matched,
            other => panic!("{method} {path}: {other:?}"),
        }
    }

    #[test]
    fn every_route_is_found() {
        for route in ROUTES {
            let found = matched(&route.method, &route.path.replace("{id}", "abcdefgh"));
            assert!(std::ptr::eq(found.route, route), "{} {}", route.method, route.path);
            assert_eq!(route.subject == Subject::Nothing, !route.path.contains("{id}"));
        }
    }

    #[test]
    fn a_path_names_a_session_as_it_was_written() {
        let found = matched(&Method::GET, "/api/session/a%20b/status");
        assert_eq!((found.id.as_str(), found.route.need), ("a b", Need::Read));
        assert_eq!(matched(&Method::HEAD, "/api/terminal/ws/abcdefgh").id, "abcdefgh");
        assert_eq!(matched(&Method::DELETE, "/api/session/%ff").id, "%ff");
    }

    #[test]
    fn a_terminal_may_go_by_a_longer_name() {
        let name = "user_1_ws_3f1c9a52-7c1f-4a53-9f0e-0d6a3c1b2e4f";
        let id = naming::id_of(name).unwrap();
        for (method, path) in [
            (Method::GET, format!("/api/terminal/ws/{name}")),
            (Method::GET, format!("/api/terminal/{name}/output")),
            (Method::POST, format!("/api/terminal/{name}/input")),
            (Method::DELETE, format!("/api/terminal/{name}")),
        ] {
            let found = matched(&method, &path);
            assert_eq!((found.id.as_str(), found.long_name.as_deref()), (id.as_str(), Some(name)));
        }
        let found = matched(&Method::GET, &format!("/api/session/{name}/status"));
        assert_eq!((found.id.as_str(), found.long_name), (name, None));
    }

    #[test]
    fn another_method_differs_from_no_route() {
        for path in ["/", "/api", "/api/session", "/api/session/", "/api/session//status", "/x"] {
            assert!(matches!(find(&Method::GET, path), Found::Nothing), "{path}");
        }
        for (method, path, allowed) in [
            (Method::PUT, "/api/sessions", "GET,HEAD,POST"),
            (Method::GET, "/api/session/abcdefgh", "DELETE"),
        ] {
            let Found::OtherMethod { allow } = find(&method, path) else { panic!("{path}") };
            assert_eq!(allow, allowed);
        }
    }

    #[test]
    fn a_caller_is_let_in_by_what_its_token_allows() {
        let may = |method: Method, path: &str, access: &str| {
            let found = matched(&method, path);
            found
                .route
                .admit(&access.parse().unwrap(), &found.id)
                .map_err(|error| error.status().as_u16())
        };
        let status = "/api/session/abcdefgh/status";
        assert_eq!(may(Method::GET, status, "admin"), Ok(Some(Scope::Write)));
        assert_eq!(may(Method::GET, status, "session:abcdefgh:read"), Ok(Some(Scope::Read)));
        assert_eq!(may(Method::GET, status, "session:ijklmnop:write"), Err(403));
        assert_eq!(may(Method::GET, status, "host"), Err(403));
        let prompt = "/api/session/abcdefgh/prompt";
        assert_eq!(may(Method::POST, prompt, "session:abcdefgh:read"), Err(403));
        assert_eq!(may(Method::POST, prompt, "session:abcdefgh:write"), Ok(Some(Scope::Write)));
        let publish = "/sessions/abcdefgh/publish";
        assert_eq!(may(Method::GET, publish, "session:abcdefgh:write"), Err(403));
        assert!(may(Method::GET, publish, "host").is_ok());
        assert_eq!(may(Method::GET, "/api/session/short/status", "host"), Err(400));
        assert_eq!(may(Method::GET, "/api/sessions", "host"), Err(403));
        assert_eq!(may(Method::POST, "/api/tickets", "host"), Ok(None));
    }
}
