//! Looking up routes, and admitting callers.

use super::*;

fn matched(method: &Method, path: &str) -> Matched {
    match find(method, path) {
        Found::Route(matched) => matched,
        other => panic!("{method} {path}: {other:?}"),
    }
}

fn path_of(route: &Route) -> String {
    route.path.replace("{id}", "abcdefgh").replace("{item}", "ijklmnop").replace("{path}", "a/b")
}

#[test]
fn every_route_is_found() {
    for route in ROUTES {
        let found = matched(&route.method, &path_of(route));
        assert!(std::ptr::eq(found.route, route), "{} {}", route.method, route.path);
        assert_eq!(route.subject == Subject::Nothing, !route.path.contains("{id}"));
        let has_item = route.path.contains("{item}") || route.path.contains("{path}");
        assert_eq!(found.item.is_empty(), !has_item);
    }
}

#[test]
fn the_routes_of_a_sessions_streams_are_found() {
    assert_eq!(events_route().path, "/api/session/{id}/events");
    assert_eq!(stream_route().path, "/sessions/{id}/stream");
}

#[test]
fn a_path_names_a_session_as_it_was_written() {
    let found = matched(&Method::GET, "/api/session/a%20b/status");
    assert_eq!((found.id.as_str(), found.route.need), ("a b", Need::Read));
    assert_eq!(matched(&Method::HEAD, "/api/terminal/ws/abcdefgh").id, "abcdefgh");
    assert_eq!(matched(&Method::DELETE, "/api/session/%ff").id, "%ff");
    let file = matched(&Method::PUT, "/api/workspaces/abcdefgh/files/a%20b/c%2Fd/../e");
    assert_eq!((file.id.as_str(), file.item.as_str()), ("abcdefgh", "a b/c/d/../e"));
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
        let reached = |reach: Reach<'_>| {
            let (id, sessions) = match reach {
                Reach::Session(id) => (id.as_str(), Vec::new()),
                Reach::Workspace(id) if id.as_str() == "abcdefgh" => {
                    (id.as_str(), vec!["abcdefgh".parse().unwrap()])
                }
                Reach::Workspace(id) => (id.as_str(), Vec::new()),
            };
            let project = (id == "abcdefgh").then(|| "project_1".parse().unwrap());
            Reached { project, sessions, ..Reached::default() }
        };
        found
            .route
            .admit(&access.parse().unwrap(), &found.id, reached)
            .map_err(|error| error.status().as_u16())
    };
    for (access, lists, starts, sessions, forks, others) in [
        ("admin", true, true, Ok(Some(Scope::Write)), true, true),
        ("project:project_1:write", true, true, Ok(Some(Scope::Write)), true, false),
        ("project:project_1:read", true, false, Ok(Some(Scope::Read)), false, false),
        ("project:project_2:write", true, true, Err(403), false, false),
        ("session:abcdefgh:write", false, false, Ok(Some(Scope::Write)), false, false),
        ("host", false, false, Err(403), false, false),
    ] {
        assert_eq!(may(Method::GET, "/api/sessions", access).is_ok(), lists, "{access}");
        assert_eq!(may(Method::POST, "/api/sessions", access).is_ok(), starts, "{access}");
        assert_eq!(may(Method::GET, "/api/session/abcdefgh/status", access), sessions);
        let fork = "/api/sessions/abcdefgh/fork";
        assert_eq!(may(Method::POST, fork, access).is_ok(), forks, "{access}");
        let other = "/api/session/ijklmnop/status";
        assert_eq!(may(Method::GET, other, access).is_ok(), others, "{access}");
        assert_eq!(may(Method::GET, "/api/tokens", access).is_ok(), access == "admin");
    }
    let project = "/api/projects/project_1";
    assert!(may(Method::GET, project, "project:project_1:read").is_ok());
    assert_eq!(may(Method::GET, project, "project:project_2:read"), Err(403));
    assert_eq!(may(Method::PATCH, project, "project:project_1:write"), Err(403));
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
    let tree =
        |id: &str, access: &str| may(Method::GET, &format!("/api/workspaces/{id}/files"), access);
    let sync = "/api/workspaces/abcdefgh/sync";
    assert_eq!(tree("abcdefgh", "project:project_1:read"), Ok(Some(Scope::Read)));
    assert_eq!(may(Method::POST, sync, "project:project_1:read"), Err(403));
    assert_eq!(may(Method::POST, sync, "session:abcdefgh:write"), Ok(Some(Scope::Write)));
    for access in ["project:project_2:write", "session:ijklmnop:write"] {
        assert_eq!(tree("abcdefgh", access), Err(403), "{access}");
    }
    // A host reaches the workspaces of sessions.
    assert_eq!(may(Method::POST, sync, "host"), Ok(Some(Scope::Write)));
    assert_eq!(tree("ijklmnop", "host"), Err(403));
    assert_eq!(tree("ijklmnop", "admin"), Ok(Some(Scope::Write)));
}
