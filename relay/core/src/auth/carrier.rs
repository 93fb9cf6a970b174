//! Finds the credential that a request carries. The query never has one: addresses end up in logs.

use http::header::{AUTHORIZATION, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderName, Version};
use moorline_shared::message::TOKEN_SUBPROTOCOL_PREFIX;

use super::cookie;
use super::header_list::items;
use super::origin::OriginPolicy;

/// The credential that a request presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// A token.
    Token(&'a str),
    /// A cookie's secret, which stands for a token.
    Cookie(&'a str),
}

/// Returns the credential of a request: `Authorization: Bearer`, else the WebSocket subprotocol
/// `moorline.bearer.<token>`, else the cookie.
#[must_use]
pub fn presented(headers: &HeaderMap) -> Option<Credential<'_>> {
    let token = bearer(headers).or_else(|| subprotocol(headers)).map(Credential::Token);
    token.or_else(|| cookie::secret(headers).map(Credential::Cookie))
}

/// Returns a header that the request repeats although it can have only one value. A proxy in front
/// of the relay may have read the other one.
#[must_use]
pub fn repeated(headers: &HeaderMap) -> Option<HeaderName> {
    let is_repeated = |name: &HeaderName| {
        // Some proxies join two headers with a comma, which neither `host` nor `origin` can
        // contain.
        let is_list = |value: &http::HeaderValue| value.as_bytes().contains(&b',');
        let list = *name != AUTHORIZATION && headers.get(name).is_some_and(is_list);
        list || headers.get_all(name).iter().nth(1).is_some()
    };
    [HOST, ORIGIN, AUTHORIZATION].into_iter().find(is_repeated)
}

/// Returns true if a request of HTTP/1.1 has no `Host` header. Earlier versions do not require it.
#[must_use]
pub fn lacks_host(version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_11 && !headers.contains_key(HOST)
}

/// Returns true if a request that changes something may do so. Browsers send `Origin` with all of these, so one with a
/// cookie and without `Origin` is refused: a cookie says only whose browser it is, not whose page.
#[must_use]
pub fn may_change(headers: &HeaderMap, origins: &OriginPolicy) -> bool {
    let has_cookie = matches!(presented(headers), Some(Credential::Cookie(_)));
    origins.allows(headers) && (headers.contains_key(ORIGIN) || !has_cookie)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    // A value that is not text is a wrong token, not an absent one.
    let value = headers.get(AUTHORIZATION)?.to_str().unwrap_or("bearer \u{fffd}");
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn subprotocol(headers: &HeaderMap) -> Option<&str> {
    items(headers, &SEC_WEBSOCKET_PROTOCOL, ',')
        .find_map(|name| name.strip_prefix(TOKEN_SUBPROTOCOL_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_changes_nothing_without_an_origin() {
        let policy = OriginPolicy::default();
        let allows = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "moor.example".parse().unwrap());
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            may_change(&headers, &policy)
        };
        let cookie = ("cookie", "moorline-443=abc");
        assert!(!allows(&[cookie]));
        assert!(!allows(&[cookie, ("origin", "https://evil.example")]));
        assert!(allows(&[cookie, ("origin", "https://moor.example")]));
        // Not this relay's cookie, a token beside it, and neither.
        assert!(allows(&[("cookie", "other=abc")]));
        assert!(allows(&[cookie, ("authorization", "Bearer abc")]));
        assert!(allows(&[]));
    }

    #[test]
    fn a_token_comes_by_one_of_three_ways() {
        use Credential::{Cookie, Token};
        type Case = (&'static [(&'static str, &'static str)], Option<Credential<'static>>);
        let cases: [Case; 9] = [
            (&[], None),
            (&[("authorization", "Bearer abc")], Some(Token("abc"))),
            (&[("authorization", "bearer  abc ")], Some(Token("abc"))),
            (&[("authorization", "Basic abc")], None),
            (&[("sec-websocket-protocol", "moorline.v1, moorline.bearer.abc")], Some(Token("abc"))),
            (&[("sec-websocket-protocol", "moorline.v1")], None),
            (&[("host", "box:1"), ("cookie", "a=b; moorline-1=abc; c=d")], Some(Cookie("abc"))),
            (&[("host", "box:1"), ("cookie", "xmoorline-1=abc")], None),
            // The cookie of an earlier version, which browsers sent to every server of the machine.
            (&[("host", "box:1"), ("cookie", "moorline_token=abc")], None),
        ];
        for (pairs, expected) in cases {
            assert_eq!(presented(&headers(pairs)), expected, "{pairs:?}");
        }
        let all = headers(&[
            ("host", "box:1"),
            ("cookie", "moorline-1=c"),
            ("sec-websocket-protocol", "moorline.bearer.b"),
            ("authorization", "Bearer a"),
        ]);
        assert_eq!(presented(&all), Some(Token("a")));
    }

    #[test]
    fn what_can_be_there_once_is_not_there_twice() {
        let one = ("host", "box");
        assert_eq!(repeated(&headers(&[one, ("cookie", "a"), ("cookie", "b")])), None);
        assert_eq!(repeated(&headers(&[one, one])), Some(HOST));
        assert_eq!(repeated(&headers(&[("host", "box, evil.example")])), Some(HOST));
        assert_eq!(repeated(&headers(&[one, ("origin", "a"), ("origin", "b")])), Some(ORIGIN));
        let twice = [one, ("authorization", "Bearer a"), ("authorization", "Bearer b")];
        assert_eq!(repeated(&headers(&twice)), Some(AUTHORIZATION));
    }
}
