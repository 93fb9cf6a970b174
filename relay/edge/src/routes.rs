//! What there is to ask for, who may, and who answers. The same routes as on the native relay.

use std::borrow::Cow;

use http::Method;
use moorline_core::{legacy, naming};
use percent_encoding::percent_decode_str;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The Worker: whether it works.
    Health,
    /// The Worker: the API's description.
    Description,
    /// The Worker: sets the cookie.
    LogIn,
    /// The Worker: takes the cookie away.
    LogOut,
    /// The session's object: a client's WebSocket.
    Stream,
    /// The session's object: a WebSocket of plain text.
    Plain,
    /// The Worker: the deprecated WebSocket of JSON.
    Chat,
    /// The session's object: its host's WebSocket.
    Publish,
    /// The session's object.
    Session,
    /// The directory.
    Directory,
}

/// What a caller must be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: open to everyone.
    Nothing,
    /// Anything: a token that is good.
    Token,
    /// To watch the session that is named.
    Read,
    /// To steer it.
    Write,
    /// To publish sessions.
    Host,
    /// Everything.
    Admin,
}

/// What an id in a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Session,
    Other,
}

/// A route and a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Who answers.
    pub target: Target,
    /// Who may ask.
    pub need: Need,
    /// Whether a ticket is as good as a token.
    pub ticket: bool,
}

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'a> {
    /// A route that takes the method.
    Route {
        /// Which.
        route: Route,
        /// The session that the path names, as it is: it may be no id.
        session: Option<Cow<'a, str>>,
    },
    /// A route that takes these methods alone.
    Other {
        /// As in `Allow`.
        allow: String,
    },
    /// None.
    Nothing,
}

type Entry = (&'static str, &'static [(Method, Route)]);

const fn route(target: Target, need: Need) -> Route {
    Route { target, need, ticket: false }
}

const fn by_ticket(target: Target, need: Need) -> Route {
    Route { target, need, ticket: true }
}

const fn directory(need: Need) -> Route {
    route(Target::Directory, need)
}

const fn session(need: Need) -> Route {
    route(Target::Session, need)
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// A path that is fixed comes before one that has an id in its place.
static ROUTES: &[Entry] = &[
    ("/healthz", &[(GET, route(Target::Health, Need::Nothing))]),
    ("/metrics", &[(GET, directory(Need::Admin))]),
    ("/api/openapi.json", &[(GET, route(Target::Description, Need::Nothing))]),
    ("/api/debug/metrics", &[(GET, directory(Need::Admin))]),
    (
        "/api/login",
        &[
            (POST, route(Target::LogIn, Need::Token)),
            (DELETE, route(Target::LogOut, Need::Nothing)),
        ],
    ),
    ("/api/tickets", &[(POST, directory(Need::Token))]),
    ("/api/events", &[(GET, by_ticket(Target::Directory, Need::Admin))]),
    ("/api/hosts", &[(GET, directory(Need::Admin))]),
    (
        "/api/tokens",
        &[(GET, directory(Need::Admin)), (POST, by_ticket(Target::Directory, Need::Admin))],
    ),
    ("/api/tokens/{id}", &[(DELETE, directory(Need::Admin))]),
    ("/api/projects", &[(GET, directory(Need::Admin)), (POST, directory(Need::Admin))]),
    (
        "/api/projects/{id}",
        &[
            (GET, directory(Need::Admin)),
            (PATCH, directory(Need::Admin)),
            (DELETE, directory(Need::Admin)),
        ],
    ),
    ("/api/sessions", &[(GET, directory(Need::Admin)), (POST, directory(Need::Admin))]),
    ("/api/sessions/{session}", &[(PATCH, directory(Need::Write))]),
    ("/api/sessions/{session}/move", &[(POST, directory(Need::Admin))]),
    ("/api/sessions/{session}/duplicate", &[(POST, directory(Need::Admin))]),
    ("/api/sessions/{session}/fork", &[(POST, directory(Need::Admin))]),
    ("/api/session/{session}", &[(DELETE, directory(Need::Write))]),
    ("/api/session/{session}/status", &[(GET, session(Need::Read))]),
    ("/api/session/{session}/prompt", &[(POST, session(Need::Write))]),
    ("/api/session/{session}/context", &[(GET, session(Need::Read))]),
    ("/api/session/{session}/events", &[(GET, by_ticket(Target::Session, Need::Read))]),
    ("/api/session/{session}/events/status", &[(GET, session(Need::Read))]),
    ("/api/terminal", &[(POST, directory(Need::Admin))]),
    ("/api/terminal/ws/{session}", &[(GET, route(Target::Plain, Need::Read))]),
    ("/api/terminal/{session}", &[(DELETE, directory(Need::Write))]),
    ("/api/terminal/{session}/output", &[(GET, session(Need::Read))]),
    ("/api/terminal/{session}/input", &[(POST, session(Need::Write))]),
    ("/sessions/{session}/stream", &[(GET, route(Target::Stream, Need::Read))]),
    ("/sessions/{session}/publish", &[(GET, route(Target::Publish, Need::Host))]),
    ("/hosts/{id}/control", &[(GET, directory(Need::Host))]),
    (legacy::SESSIONS, &[(GET, directory(Need::Admin)), (POST, directory(Need::Admin))]),
    (legacy::CHAT, &[(GET, route(Target::Chat, Need::Token))]),
];

/// What a path, as it is in an address, is for a method. `HEAD` is `GET` without a body.
#[must_use]
pub fn find<'a>(method: &Method, path: &'a str) -> Found<'a> {
    let wanted = if *method == Method::HEAD { &GET } else { method };
    for (pattern, methods) in ROUTES {
        let Some(id) = matched(pattern, path) else { continue };
        let route = methods.iter().find(|(method, _)| method == wanted);
        return match route {
            Some((_, route)) => {
                let session = id.filter(|(names, _)| *names == Names::Session).map(|(_, id)| id);
                Found::Route { route: *route, session }
            }
            None => Found::Other { allow: allow(methods) },
        };
    }
    Found::Nothing
}

/// Without one, `Some(None)`.
#[expect(clippy::option_option, reason = "a path without an id matches as well")]
fn matched<'a>(pattern: &str, path: &'a str) -> Option<Option<(Names, Cow<'a, str>)>> {
    let mut id = None;
    let mut parts = path.split('/');
    for expected in pattern.split('/') {
        let part = parts.next()?;
        let names = match expected {
            "{session}" => Names::Session,
            "{id}" => Names::Other,
            _ if part == expected => continue,
            _ => return None,
        };
        if part.is_empty() {
            return None;
        }
        // What is no UTF-8 is no id.
        let mut decoded = percent_decode_str(part).decode_utf8().unwrap_or(Cow::Borrowed(part));
        // A terminal may go by a longer name.
        if pattern.starts_with("/api/terminal/")
            && naming::own_name(&decoded).is_some()
            && let Ok(id) = naming::id_of(&decoded)
        {
            decoded = Cow::Owned(id.into());
        }
        id = Some((names, decoded));
    }
    parts.next().is_none().then_some(id)
}

fn allow(methods: &[(Method, Route)]) -> String {
    let names = methods.iter().map(|(method, _)| match *method {
        Method::GET => "GET,HEAD",
        ref other => other.as_str(),
    });
    names.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_session<'a>(method: &Method, path: &'a str) -> Option<(Target, Need, Cow<'a, str>)> {
        match find(method, path) {
            Found::Route { route, session } => Some((route.target, route.need, session?)),
            _ => None,
        }
    }

    #[test]
    fn a_path_names_a_session_as_it_was_written() {
        let found = of_session(&Method::GET, "/sessions/abcdefgh/stream");
        assert_eq!(found, Some((Target::Stream, Need::Read, "abcdefgh".into())));
        let found = of_session(&Method::GET, "/api/session/a%20b/status");
        assert_eq!(found, Some((Target::Session, Need::Read, "a b".into())));
        let found = of_session(&Method::HEAD, "/api/terminal/ws/abcdefgh");
        assert_eq!(found, Some((Target::Plain, Need::Read, "abcdefgh".into())));
        let found = of_session(&Method::DELETE, "/api/session/%ff");
        assert_eq!(found, Some((Target::Directory, Need::Write, "%ff".into())));
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
            let (_, _, found) = of_session(&method, &path).unwrap();
            assert_eq!(found, id.as_str(), "{path}");
        }
        let path = format!("/api/session/{name}/status");
        let (_, _, found) = of_session(&Method::GET, &path).unwrap();
        assert_eq!(found, name);
    }

    #[test]
    fn what_is_no_route_is_told_apart_from_what_takes_another_method() {
        for path in ["/", "/api", "/api/session", "/api/session/", "/api/session//status", "/x"] {
            assert_eq!(find(&Method::GET, path), Found::Nothing, "{path}");
        }
        let allow = |text: &str| Found::Other { allow: text.to_owned() };
        assert_eq!(find(&Method::PUT, "/api/sessions"), allow("GET,HEAD,POST"));
        assert_eq!(find(&Method::GET, "/api/session/abcdefgh"), allow("DELETE"));
    }

    #[test]
    fn nothing_internal_is_a_route() {
        for path in [crate::internal::CREATE, crate::internal::VERIFY, "/internal/x"] {
            assert_eq!(find(&Method::POST, path), Found::Nothing, "{path}");
        }
    }
}
