//! The relay as the page of a request knows it.

use http::HeaderMap;
use http::header::ORIGIN;
use serde::{Deserialize, Serialize};

use crate::api::ApiError;
use crate::auth::is_same_origin;

/// The relay's name and the origin of its pages. Devices keep each passkey for one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelyingParty {
    /// The DNS name.
    pub id: String,
    /// The origin, as browsers write it.
    pub origin: String,
}

impl RelyingParty {
    /// Returns the relay that the page of a request was loaded from: over HTTPS, which a cookie needs on
    /// loopback and passkeys everywhere else, and by a name. Browsers make no passkeys for addresses.
    ///
    /// # Errors
    /// `passkey_unavailable`, also if the request is not from one of the relay's own pages.
    pub fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
        let origin = origin.filter(|_| is_same_origin(headers));
        let rp = origin.and_then(|origin| {
            let authority = origin.strip_prefix("https://")?;
            let (name, port) = authority.split_once(':').unwrap_or((authority, "443"));
            let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            let id = name.to_owned();
            (is_port && is_domain(name)).then(|| Self { id, origin: origin.to_owned() })
        });
        rp.ok_or_else(ApiError::no_passkeys)
    }
}

/// Returns true for a name of the DNS in lower case, as browsers write it, that is no address.
fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
        };
        (1..=63).contains(&label.len()) && label.bytes().all(is_plain)
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253
        && name.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(origin: &str, host: &str, site: Option<&str>) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().unwrap());
        headers.insert("origin", origin.parse().unwrap());
        if let Some(site) = site {
            headers.insert("sec-fetch-site", site.parse().unwrap());
        }
        RelyingParty::of(&headers).ok().map(|rp| (rp.id, rp.origin))
    }

    #[test]
    fn a_name_over_https_can_have_passkeys() {
        for (origin, id) in [
            ("https://moor.example", "moor.example"),
            ("https://moor.example:8443", "moor.example"),
            ("https://localhost:3010", "localhost"),
            ("https://box", "box"),
        ] {
            let host = origin.trim_start_matches("https://");
            assert_eq!(of(origin, host, None), Some((id.to_owned(), origin.to_owned())));
        }
        // A proxy has replaced the name.
        assert!(of("https://moor.example", "localhost:3010", Some("same-origin")).is_some());
    }

    #[test]
    fn nothing_else_can() {
        for (origin, host) in [
            ("http://moor.example", "moor.example"),
            ("http://localhost:3010", "localhost:3010"),
            ("https://127.0.0.1:3010", "127.0.0.1:3010"),
            ("https://[::1]:3010", "[::1]:3010"),
            ("https://10.1", "10.1"),
            ("https://", ""),
            ("https://a..b", "a..b"),
            ("https://a:b", "a:b"),
            ("https://evil.example", "moor.example"),
            ("https://127.0.0.1:3010", "localhost:3010"),
            ("app://obsidian.md", "moor.example"),
            ("null", "moor.example"),
        ] {
            assert_eq!(of(origin, host, None), None, "{origin} {host}");
        }
        assert_eq!(of("https://evil.example", "moor.example", Some("same-site")), None);
        assert!(RelyingParty::of(&HeaderMap::new()).is_err());
    }
}
