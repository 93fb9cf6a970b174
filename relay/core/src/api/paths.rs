//! Paths that a relay serves.

use crate::naming::{id_of, own_name};

/// Returns true if a path belongs to the API.
#[must_use]
pub fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// Returns true if the client shows something under this path, which has no leading slash.
#[must_use]
pub fn is_route(path: &str) -> bool {
    let parts: Vec<_> = path.trim_end_matches('/').split('/').collect();
    match parts[..] {
        ["sessions" | "approvals" | "access" | "workspaces"] => true,
        ["terminal" | "session" | "workspace", id] => !id.is_empty(),
        _ => is_embed(path),
    }
}

/// Returns true if a path, without leading slash, is that of a session's page for frames.
#[must_use]
pub fn is_embed(path: &str) -> bool {
    let parts: Vec<_> = path.trim_end_matches('/').split('/').collect();
    matches!(parts[..], ["embed", "terminal" | "session", id] if !id.is_empty())
}

/// The path, without leading slash, of the script that shows sessions in pages of other sites.
pub const ELEMENT: &str = "moorline-session.js";

/// The headers of [`ELEMENT`]: pages of any site may load it, and keep it for an hour.
pub const ELEMENT_HEADERS: [(&str, &str); 3] = [
    ("access-control-allow-origin", "*"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("cache-control", "public, max-age=3600"),
];

/// Returns true if the request's `Accept` asks for a page, as a browser does. For an unknown path,
/// a browser gets the client, which shows that the path leads nowhere; programs get an error.
#[must_use]
pub fn is_reader(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Returns the path of a session's page, for a path that has a name longer than an id.
#[must_use]
pub fn of_long_name(path: &str) -> Option<String> {
    let (kind, name) = path.trim_end_matches('/').rsplit_once('/')?;
    let pages = ["terminal", "session", "embed/terminal", "embed/session"];
    let is_page = pages.contains(&kind);
    let name = own_name(name).filter(|_| is_page)?;
    Some(format!("/{kind}/{}", id_of(name).ok()?))
}

/// Returns true for `name-0123456789abcdef.js`, `name-0123456789abcdef_bg.wasm`, or anything in a
/// folder with such a name.
#[must_use]
pub fn is_hashed(path: &str) -> bool {
    let has_hash = |part: &str| {
        part.rsplit_once('-').is_some_and(|(_, rest)| {
            rest.len() >= 16 && rest.bytes().take(16).all(|byte| byte.is_ascii_hexdigit())
        })
    };
    path.split('/').any(has_hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_last_forever() {
        for name in [
            "moorline-client-87d69c88040080ec.js",
            "moorline-client-87d69c88040080ec_bg.wasm",
            "snippets/moorline-client-c82f4f105dca1a96/src/a.js",
        ] {
            assert!(is_hashed(name), "{name}");
        }
        for name in ["favicon.svg", "index.html", "fonts/plain-name.woff2", "a-1234.js"] {
            assert!(!is_hashed(name), "{name}");
        }
    }

    #[test]
    fn a_long_name_leads_to_the_sessions_page() {
        let name = "user_1_ws_3f1c9a52-7c1f-4a53-9f0e-0d6a3c1b2e4f";
        let id = id_of(name).unwrap();
        assert_eq!(of_long_name(&format!("terminal/{name}")), Some(format!("/terminal/{id}")));
        assert_eq!(of_long_name(&format!("session/{name}/")), Some(format!("/session/{id}")));
        let embed = of_long_name(&format!("embed/session/{name}"));
        assert_eq!(embed, Some(format!("/embed/session/{id}")));
        for other in ["terminal/abcdefgh", "sessions", "x/y", &format!("api/{name}")] {
            assert_eq!(of_long_name(other), None, "{other}");
        }
    }

    #[test]
    fn the_clients_own_routes_are_known() {
        for route in [
            "sessions",
            "sessions/",
            "terminal/abcdefgh",
            "session/abcdefgh",
            "workspaces",
            "workspace/abcdefgh",
        ] {
            assert!(is_route(route) && !is_embed(route), "{route}");
        }
        for route in ["embed/terminal/abcdefgh", "embed/session/abcdefgh/"] {
            assert!(is_route(route) && is_embed(route), "{route}");
        }
        for other in ["terminal", "terminal/", "sessions/abcdefgh", "favicon.svg", "session/a/b"] {
            assert!(!is_route(other), "{other}");
        }
        for other in ["embed", "embed/sessions", "embed/terminal", "embed/embed/terminal/abcdefgh"]
        {
            assert!(!is_route(other), "{other}");
        }
    }
}
