//! Presents requests of HTTP/2 as requests of HTTP/1.1, so that nothing else has to know both.
//!
//! A WebSocket over HTTP/2 begins with the method `CONNECT` and a protocol (RFC 8441). Here it becomes a `GET` that asks for an
//! upgrade, and the answer to that becomes the one that HTTP/2 has.

use std::mem;

use axum::Json;
use axum::body::Body;
use axum::response::IntoResponse as _;
use hyper::ext::Protocol;
use hyper::header::{
    CONNECTION, COOKIE, HOST, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    UPGRADE,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};

use moorline_core::api::ApiError;

/// The key of a WebSocket's request. Over HTTP/2 there is none, and nobody sees what is made of it.
const KEY: HeaderValue = HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA==");

/// Changes a request into one of HTTP/1.1. Returns true if it opens a WebSocket.
///
/// # Errors
/// The request is for a tunnel of another kind.
pub(super) fn present<B>(request: &mut Request<B>) -> Result<bool, Box<ApiError>> {
    let uri = mem::take(request.uri_mut());
    let protocol = request.extensions_mut().remove::<Protocol>();
    let is_socket = protocol.is_some_and(|protocol| protocol.as_str() == "websocket");
    if request.method() == Method::CONNECT && !is_socket {
        return Err(Box::new(ApiError::no_upgrade(
            StatusCode::NOT_IMPLEMENTED,
            "`CONNECT` opens only WebSockets.",
        )));
    }
    *request.version_mut() = Version::HTTP_11;
    // The pseudo-header takes precedence over a header (RFC 9113, section 8.3.1).
    if let Some(host) = uri.authority().and_then(|name| name.as_str().parse().ok()) {
        request.headers_mut().insert(HOST, host);
    }
    let target = uri.into_parts().path_and_query;
    *request.uri_mut() = target.map_or_else(Uri::default, Uri::from);
    join_cookies(request.headers_mut());
    if is_socket {
        *request.method_mut() = Method::GET;
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_KEY, KEY);
    }
    Ok(is_socket)
}

/// Changes the answer to a request that opens a WebSocket. Any success other than an upgrade would be taken for a socket.
pub(super) fn answer_socket(mut response: Response<Body>) -> Response<Body> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        *response.status_mut() = StatusCode::OK;
        for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
            response.headers_mut().remove(name);
        }
    } else if response.status().is_success() {
        let why = "This path has no WebSocket.";
        return refusal(&ApiError::no_upgrade(StatusCode::BAD_REQUEST, why));
    }
    response
}

/// Returns the answer to a request that reaches no route.
pub(super) fn refusal(error: &ApiError) -> Response<Body> {
    let mut response = (error.status(), Json(error.body())).into_response();
    if let Some(wait) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, wait.into());
    }
    response
}

/// Joins the fields of a `Cookie` header, which HTTP/2 may split (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let parts: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if parts.len() < 2 {
        return;
    }
    if let Ok(joined) = HeaderValue::from_bytes(&parts.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, uri: &str) -> Request<()> {
        let request = Request::builder().method(method).uri(uri).version(Version::HTTP_2);
        request.body(()).unwrap()
    }

    #[test]
    fn the_authority_is_the_host_and_cookies_are_one() {
        let mut asked = request(Method::GET, "https://moor.example:443/a?b=c");
        for (name, value) in [(HOST, "evil.example"), (COOKIE, "a=1"), (COOKIE, "b=2")] {
            asked.headers_mut().append(name, HeaderValue::from_static(value));
        }
        assert!(!present(&mut asked).unwrap());
        assert_eq!(asked.uri(), "/a?b=c");
        assert_eq!(asked.headers()[HOST], "moor.example:443");
        assert_eq!(asked.headers().get_all(HOST).iter().count(), 1);
        assert_eq!(asked.headers()[COOKIE], "a=1; b=2");
    }

    #[test]
    fn a_connect_opens_a_websocket_and_no_other_tunnel() {
        let mut asked = request(Method::CONNECT, "https://moor.example/sessions/abcdefgh/stream");
        asked.extensions_mut().insert(Protocol::from_static("websocket"));
        assert!(present(&mut asked).unwrap());
        assert_eq!(
            (asked.method(), asked.uri().path()),
            (&Method::GET, "/sessions/abcdefgh/stream")
        );
        assert_eq!(asked.headers()[UPGRADE], "websocket");
        let mut tunnel = request(Method::CONNECT, "moor.example:22");
        assert_eq!(present(&mut tunnel).unwrap_err().status(), StatusCode::NOT_IMPLEMENTED);
        let mut tunnel = request(Method::CONNECT, "https://moor.example/");
        tunnel.extensions_mut().insert(Protocol::from_static("connect-udp"));
        assert!(present(&mut tunnel).is_err());
    }

    #[test]
    fn only_an_upgrade_is_answered_with_success() {
        let answer = |status: u16| {
            let response = Response::builder().status(status).header(CONNECTION, "upgrade");
            answer_socket(response.body(Body::empty()).unwrap())
        };
        let upgraded = answer(101);
        assert_eq!(upgraded.status(), StatusCode::OK);
        assert!(!upgraded.headers().contains_key(CONNECTION));
        assert_eq!(answer(200).status(), StatusCode::BAD_REQUEST);
        assert_eq!(answer(401).status(), StatusCode::UNAUTHORIZED);
    }
}
