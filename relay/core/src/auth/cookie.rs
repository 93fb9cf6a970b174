//! The cookie of a browser that asked for one: `POST /api/login`.
//!
//! Browsers send a cookie to every port of a machine. So it holds a secret of its own instead of a
//! token: it expires, can be revoked, and is renewed only while it is used. Its name contains the
//! port, so that two relays of one machine keep one each. Over plain HTTP on loopback, any other
//! program that serves HTTP there would get the cookie, so none is set.

use std::time::Duration;

use http::HeaderMap;
use http::header::{COOKIE, HOST, ORIGIN};

use super::header_list::items;
use super::name::{is_loopback, name_of};
use super::origin::is_same_origin;

/// The lifetime of a cookie, unless the browser asks for another one.
pub const COOKIE_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// The longest lifetime of a cookie. A page that is used renews it before.
pub const LONGEST_COOKIE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The number of valid cookies of a token; one more replaces the one that expires first.
pub const COOKIES: u64 = 256;
/// The paths to which a browser sends the cookie: the API's, and those of sessions' streams.
const PATHS: [&str; 2] = ["/api", "/sessions"];
/// The prefix of the cookies' names; a port follows.
const PREFIX: &str = "moorline-";
/// The cookie of earlier versions, which held the token itself and was sent to every path.
const FORMER: &str = "moorline_token";

/// Returns true if the browser may store a cookie: over TLS, or if `Host` is not a loopback name.
#[must_use]
pub fn may_keep(headers: &HeaderMap) -> bool {
    is_secure(headers) || is_beyond_loopback(headers)
}

/// Returns true if `Host` is not a loopback name, which every program of a machine shares.
#[must_use]
pub fn is_beyond_loopback(headers: &HeaderMap) -> bool {
    !host(headers).is_some_and(|host| is_loopback_name(name_of(host)))
}

/// Returns the `Set-Cookie` values that store a secret for a time, one for each path.
#[must_use]
pub fn set(headers: &HeaderMap, secret: &str, lifetime: Duration) -> Vec<String> {
    let secure = is_secure(headers);
    let port = port(headers).unwrap_or(if secure { "443" } else { "80" });
    let (age, secure) = (lifetime.as_secs(), if secure { "; Secure" } else { "" });
    let of = |path| {
        format!(
            "{PREFIX}{port}={secret}; Path={path}; Max-Age={age}; HttpOnly; \
             SameSite=Strict{secure}"
        )
    };
    PATHS.map(of).into()
}

/// Returns the `Set-Cookie` values that remove each cookie of this relay.
#[must_use]
pub fn clear(headers: &HeaderMap) -> Vec<String> {
    let clear = |name: String| {
        PATHS.map(|path| format!("{name}=; Path={path}; Max-Age=0; HttpOnly; SameSite=Strict"))
    };
    names(headers).into_iter().flat_map(clear).collect()
}

/// Returns the `Set-Cookie` value that removes the cookie of an earlier version, if the browser
/// still has it.
#[must_use]
pub fn clear_former(headers: &HeaderMap) -> Option<String> {
    pairs(headers)
        .any(|(name, _)| name == FORMER)
        .then(|| format!("{FORMER}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"))
}

/// Returns the secret that a browser presents to this relay.
pub(super) fn secret(headers: &HeaderMap) -> Option<&str> {
    let names = names(headers);
    pairs(headers).find(|(name, _)| names.iter().any(|own| own == name)).map(|(_, value)| value)
}

/// Returns the names that this relay's cookie may have. Behind a proxy, only the browser knows
/// which of the default ports it uses.
fn names(headers: &HeaderMap) -> Vec<String> {
    let ports = port(headers).map_or_else(|| vec!["443", "80"], |port| vec![port]);
    ports.into_iter().map(|port| format!("{PREFIX}{port}")).collect()
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    items(headers, &COOKIE, ';').filter_map(|pair| pair.split_once('='))
}

/// Returns true if the browser connects over TLS. Behind a proxy, only `x-forwarded-proto` or the
/// page's origin shows that.
fn is_secure(headers: &HeaderMap) -> bool {
    let text = |value: &http::HeaderValue| value.to_str().map(str::to_owned).ok();
    let forwarded = headers.get("x-forwarded-proto").and_then(text);
    let origin = headers.get(ORIGIN).and_then(text);
    forwarded.is_some_and(|protocol| protocol.trim().eq_ignore_ascii_case("https"))
        || origin.is_some_and(|origin| origin.starts_with("https://") && is_same_origin(headers))
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST)?.to_str().ok()
}

fn port(headers: &HeaderMap) -> Option<&str> {
    let (_, port) = host(headers)?.rsplit_once(':')?;
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    is_port.then_some(port)
}

fn is_loopback_name(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let address = inner.unwrap_or(name).parse::<std::net::IpAddr>();
    is_loopback(name)
        || address
            .is_ok_and(|address| address.to_canonical().is_loopback() || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn there_is_none_over_plain_http_on_loopback() {
        for host in [
            "127.0.0.1:3010",
            "localhost",
            "a.localhost:1",
            "[::1]:3010",
            "127.9.9.9",
            "0.0.0.0:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(!may_keep(&headers(&[("host", host)])), "{host}");
        }
        for host in ["moor.example", "192.168.1.7:3010", "[fe80::1]:3010"] {
            assert!(may_keep(&headers(&[("host", host)])), "{host}");
        }
        let local = ("host", "127.0.0.1:3010");
        assert!(may_keep(&headers(&[local, ("origin", "https://127.0.0.1:3010")])));
        assert!(may_keep(&headers(&[local, ("x-forwarded-proto", "https")])));
        // The origin of another site's trusted page says nothing about how this relay is reached.
        assert!(!may_keep(&headers(&[local, ("origin", "https://notes.example")])));
        assert!(!may_keep(&headers(&[local, ("origin", "http://127.0.0.1:3010")])));
    }

    #[test]
    fn its_name_has_the_port_and_its_paths_are_those_of_requests() {
        let set = |headers: &HeaderMap| set(headers, "s", COOKIE_LIFETIME);
        let plain = headers(&[("host", "192.168.1.7:3010")]);
        assert_eq!(
            set(&plain),
            [
                "moorline-3010=s; Path=/api; Max-Age=3600; HttpOnly; SameSite=Strict",
                "moorline-3010=s; Path=/sessions; Max-Age=3600; HttpOnly; SameSite=Strict",
            ]
        );
        let tls = headers(&[("host", "moor.example"), ("origin", "https://moor.example")]);
        assert!(set(&tls)[0].starts_with("moorline-443=s; "));
        assert!(set(&tls).iter().all(|set| set.ends_with("; Secure")));
        assert!(set(&headers(&[("host", "[fe80::1]")]))[0].starts_with("moorline-80=s; "));
        assert_eq!(
            clear(&plain),
            [
                "moorline-3010=; Path=/api; Max-Age=0; HttpOnly; SameSite=Strict",
                "moorline-3010=; Path=/sessions; Max-Age=0; HttpOnly; SameSite=Strict",
            ]
        );
    }

    #[test]
    fn only_this_ports_is_read() {
        let both = "moorline_token=t; moorline-3010=a; moorline-3011=b; moorline-443=c";
        let of = |host| secret(&headers(&[("host", host), ("cookie", both)])).map(str::to_owned);
        assert_eq!(of("box:3010").as_deref(), Some("a"));
        assert_eq!(of("box:3011").as_deref(), Some("b"));
        assert_eq!(of("box").as_deref(), Some("c"));
        assert_eq!(of("box:3012"), None);
        assert!(clear_former(&headers(&[("cookie", both)])).is_some());
        assert_eq!(clear_former(&headers(&[("cookie", "moorline-443=c")])), None);
    }
}
