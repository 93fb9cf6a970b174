//! Headers for trusted pages of other origins (CORS, Fetch standard § 3.2).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::OriginPolicy;

/// The name and value of an answer's header.
pub type Header = (HeaderName, HeaderValue);

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
/// The headers to allow if a preflight does not list any.
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, last-event-id");
/// The headers of an answer that a page may read, in addition to those that every page may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "accept-ranges, allow, content-range, deprecation, etag, link, retry-after, sunset, \
         www-authenticate, x-moorline-mode, x-moorline-revision",
);
/// Seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const PRIVATE_ASKED: &str = "access-control-request-private-network";
const PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// Returns true if a request is a preflight: a browser asks whether a page may send a request.
#[must_use]
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Returns the headers that let a trusted page read an answer; none for other pages.
#[must_use]
pub fn of_answer(origins: &OriginPolicy, request: &HeaderMap) -> Vec<Header> {
    match request.get(ORIGIN) {
        Some(origin) if origins.allows(request) => vec![
            (ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE),
            (ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED),
        ],
        _ => Vec::new(),
    }
}

/// Returns the headers that the answer to a preflight, a 204, needs as well. The caller has checked
/// that the page is trusted.
#[must_use]
pub fn of_preflight(request: &HeaderMap) -> Vec<Header> {
    let wanted = request.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut headers = vec![
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, wanted.unwrap_or(HEADERS)),
        (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    // A page of the Internet asks for an address of a private network.
    if request.contains_key(PRIVATE_ASKED) {
        headers.push((PRIVATE, TRUE));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_trusted_page_is_told_and_no_other() {
        let origins = OriginPolicy::new(vec!["https://notes.example".to_owned()]);
        let of = |origin: &'static str| {
            of_answer(&origins, &headers(&[("host", "box:1"), ("origin", origin)]))
        };
        let told = of("https://notes.example");
        assert_eq!(
            told[0],
            (ACCESS_CONTROL_ALLOW_ORIGIN, "https://notes.example".parse().unwrap())
        );
        assert_eq!(told[1], (ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE));
        for other in ["https://notes.example.evil", "http://notes.example", "null", "*", ""] {
            assert_eq!(of(other), [], "{other}");
        }
        assert_eq!(of_answer(&origins, &headers(&[("host", "box:1")])), []);
    }

    #[test]
    fn a_preflight_is_told_apart_and_answered() {
        let asked = headers(&[
            ("origin", "https://notes.example"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,x-own"),
        ]);
        assert!(is_preflight(&Method::OPTIONS, &asked));
        assert!(!is_preflight(&Method::POST, &asked));
        assert!(!is_preflight(&Method::OPTIONS, &headers(&[("origin", "https://notes.example")])));
        let told = of_preflight(&asked);
        assert!(
            told.contains(&(ACCESS_CONTROL_ALLOW_HEADERS, "authorization,x-own".parse().unwrap()))
        );
        assert!(!told.iter().any(|(name, _)| *name == PRIVATE));
    }
}
