//! The pages that may use this relay.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName};

/// The header with which a browser compares the page's origin to the requested one, such as
/// `same-origin`.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins from which a browser may open streams and change something.
#[derive(Debug, Clone, Default)]
pub struct OriginPolicy {
    allowed: Vec<String>,
}

impl OriginPolicy {
    /// Allows the relay's own pages, and the given origins, such as `https://example.org`.
    #[must_use]
    pub fn new(allowed: Vec<String>) -> Self {
        Self { allowed: allowed.into_iter().map(|origin| as_browsers_write(&origin)).collect() }
    }

    /// Returns true if a request may do what only trusted pages may. A request without `Origin`
    /// does not come from a browser: its token decides.
    #[must_use]
    pub fn allows(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        if self.allowed.iter().any(|allowed| allowed == origin) {
            return true;
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        is_same_origin(headers)
            || page_of(origin).zip(host).is_some_and(|(page, host)| same_loopback(page, host))
    }
}

/// Returns true if a page of this relay sends the request.
///
/// A proxy may replace `Host` by its own name for the relay. But the browser itself states whether
/// the page and the requested address share an origin, and no script can forge that (Fetch
/// Metadata).
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(page) = text(&ORIGIN).and_then(page_of) else { return false };
    text(&HOST).is_some_and(|host| page.eq_ignore_ascii_case(host))
        || text(&SEC_FETCH_SITE) == Some("same-origin")
}

/// Returns the authority of a page that was loaded over HTTP or HTTPS.
fn page_of(origin: &str) -> Option<&str> {
    ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme))
}

/// Returns an origin in lower case, without the scheme's default port.
fn as_browsers_write(origin: &str) -> String {
    let origin = origin.trim().trim_end_matches('/').to_ascii_lowercase();
    let default = match origin.split_once("://") {
        Some(("http", _)) => ":80",
        Some(("https", _)) => ":443",
        _ => return origin,
    };
    origin.strip_suffix(default).map(str::to_owned).unwrap_or(origin)
}

/// Returns true if both are the same loopback server, such as `localhost:3010` and
/// `127.0.0.1:3010`.
fn same_loopback(page: &str, host: &str) -> bool {
    match (loopback_port(page), loopback_port(host)) {
        (Some(page), Some(host)) => page == host,
        _ => false,
    }
}

/// Returns the port of a loopback authority, with the colon.
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
    fn a_proxy_that_passes_its_own_name_does_not_make_a_page_a_stranger() {
        let policy = OriginPolicy::default();
        let from = |origin: &str, site: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "localhost:3010".parse().unwrap());
            headers.insert(ORIGIN, origin.parse().unwrap());
            headers.insert(SEC_FETCH_SITE, site.parse().unwrap());
            policy.allows(&headers)
        };
        assert!(from("https://moor.example", "same-origin"));
        for site in ["same-site", "cross-site", "none", "same-origin, cross-site", ""] {
            assert!(!from("https://evil.example", site), "{site}");
        }
        // A frame without an origin of its own, or a page that was not loaded over HTTP.
        assert!(!from("null", "same-origin"));
    }

    #[test]
    fn an_origin_is_trusted_however_it_is_written() {
        let written = ["HTTPS://Notes.Example:443/", " http://box:80", "app://obsidian.md"];
        let policy = OriginPolicy::new(written.map(str::to_owned).into());
        for origin in ["https://notes.example", "http://box", "app://obsidian.md"] {
            assert!(allows(&policy, Some(origin), "127.0.0.1:3010"), "{origin}");
        }
        assert!(!allows(&policy, Some("http://notes.example"), "127.0.0.1:3010"));
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
