//! Which pages may talk to this relay.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

/// The origins from which a browser may open streams and change something.
#[derive(Debug, Clone, Default)]
pub struct OriginPolicy {
    allowed: Vec<String>,
}

impl OriginPolicy {
    /// The relay's own pages, and the given origins, as `https://example.org`.
    #[must_use]
    pub fn new(allowed: Vec<String>) -> Self {
        Self { allowed }
    }

    /// Whether a request may do what only trusted pages may. A request without `Origin` is not a
    /// browser's: its token decides.
    #[must_use]
    pub fn allows(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        if self.allowed.iter().any(|allowed| allowed == origin) {
            return true;
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let page = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
        match (page, host) {
            (Some(page), Some(host)) => {
                page.eq_ignore_ascii_case(host) || same_loopback(page, host)
            }
            _ => false,
        }
    }
}

/// `localhost:3010` and `127.0.0.1:3010` are the same server.
fn same_loopback(page: &str, host: &str) -> bool {
    match (loopback_port(page), loopback_port(host)) {
        (Some(page), Some(host)) => page == host,
        _ => false,
    }
}

/// The port of a loopback authority, with the colon.
fn loopback_port(authority: &str) -> Option<&str> {
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .find_map(|name| authority.strip_prefix(name))
        .filter(|rest| rest.is_empty() || rest.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(policy: &OriginPolicy, origin: Option<&str>, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        policy.allows(&headers)
    }

    #[test]
    fn own_pages_loopback_and_listed_origins_are_allowed() {
        let policy = OriginPolicy::new(vec!["app://obsidian.md".into()]);
        for (origin, host) in [
            (None, "127.0.0.1:3010"),
            (Some("http://127.0.0.1:3010"), "127.0.0.1:3010"),
            (Some("http://localhost:3010"), "127.0.0.1:3010"),
            (Some("http://[::1]:3010"), "localhost:3010"),
            (Some("https://moor.example"), "moor.example"),
            (Some("app://obsidian.md"), "127.0.0.1:3010"),
        ] {
            assert!(allows(&policy, origin, host), "{origin:?} {host}");
        }
        for (origin, host) in [
            ("http://evil.example", "127.0.0.1:3010"),
            ("http://localhost:8080", "127.0.0.1:3010"),
            ("http://localhost.evil.example:3010", "127.0.0.1:3010"),
            ("http://127.0.0.1:3010.evil.example", "127.0.0.1:3010"),
            ("null", "127.0.0.1:3010"),
            ("", "127.0.0.1:3010"),
            ("file://", "127.0.0.1:3010"),
        ] {
            assert!(!allows(&policy, Some(origin), host), "{origin} {host}");
        }
    }
}
