//! Where a request carries its token. Never in the query: addresses end up in logs.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE as COOKIE_HEADER, SEC_WEBSOCKET_PROTOCOL};
use moorline_shared::message::TOKEN_SUBPROTOCOL_PREFIX;

/// The cookie that holds a token.
pub const COOKIE: &str = "moorline_token";

/// The token that a request presents: `Authorization: Bearer`, else the WebSocket subprotocol
/// `moorline.bearer.<token>`, else the cookie.
#[must_use]
pub fn presented(headers: &HeaderMap) -> Option<&str> {
    bearer(headers).or_else(|| subprotocol(headers)).or_else(|| cookie(headers))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn subprotocol(headers: &HeaderMap) -> Option<&str> {
    items(headers, &SEC_WEBSOCKET_PROTOCOL, ',')
        .find_map(|name| name.strip_prefix(TOKEN_SUBPROTOCOL_PREFIX))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    items(headers, &COOKIE_HEADER, ';')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

fn items<'a>(
    headers: &'a HeaderMap,
    name: &http::HeaderName,
    separator: char,
) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(move |value| value.split(separator)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_comes_by_one_of_three_ways() {
        type Case = (&'static [(&'static str, &'static str)], Option<&'static str>);
        let cases: [Case; 8] = [
            (&[], None),
            (&[("authorization", "Bearer abc")], Some("abc")),
            (&[("authorization", "bearer  abc ")], Some("abc")),
            (&[("authorization", "Basic abc")], None),
            (&[("sec-websocket-protocol", "moorline.v1, moorline.bearer.abc")], Some("abc")),
            (&[("sec-websocket-protocol", "moorline.v1")], None),
            (&[("cookie", "a=b; moorline_token=abc; c=d")], Some("abc")),
            (&[("cookie", "xmoorline_token=abc")], None),
        ];
        for (pairs, token) in cases {
            assert_eq!(presented(&headers(pairs)), token, "{pairs:?}");
        }
        let all = headers(&[
            ("cookie", "moorline_token=c"),
            ("sec-websocket-protocol", "moorline.bearer.b"),
            ("authorization", "Bearer a"),
        ]);
        assert_eq!(presented(&all), Some("a"));
    }
}
