//! Layers around all requests: admission, headers that every answer has, and slowing down.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use moorline_shared::rest::AuditKind;
use moorline_shared::time::Time;
use tokio::sync::Semaphore;

use super::App;
use super::error::{ApiError, HttpError, WrongToken};
use crate::clock::wall_ms;
use crate::listen::PeerAddress;
use moorline_core::api::answering;
use moorline_core::audit::AuditRecord;
use moorline_core::auth::{Count, Guesses, cookie, cors, lacks_host, repeated};

/// The health check is served under any host name, as monitors may use any.
const HEALTH: &str = "/healthz";
/// Delay of the answer to a wrong token, if many came before.
const HELD: Duration = Duration::from_secs(1);
/// Limit of answers that are delayed at a time; further ones are sent at once.
const HELD_AT_ONCE: usize = 64;

/// Refuses requests that are not addressed to this relay, and requests that change something and
/// come from a page that is not trusted. The stream checks the latter itself, to refuse in a way
/// that browsers can read. Answers preflight requests of trusted pages.
pub(super) async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (method, headers) = (request.method(), request.headers());
    if lacks_host(request.version(), headers) {
        return HttpError::from(ApiError::no_host_header()).into_response();
    }
    if let Some(header) = repeated(headers) {
        return HttpError::from(ApiError::repeated(&header)).into_response();
    }
    // The authority of an absolute request target takes precedence over `Host`.
    let named = request.uri().authority().is_none_or(|name| app.hosts.is_known(name.as_str()));
    if request.uri().path() != HEALTH && !(named && app.hosts.allows(headers)) {
        return HttpError::from(ApiError::host()).into_response();
    }
    let is_preflight = cors::is_preflight(method, headers);
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if (changes || is_preflight) && !app.origins.allows(headers) {
        return HttpError::from(ApiError::origin()).into_response();
    }
    if is_preflight {
        let told = cors::of_preflight(headers);
        return (StatusCode::NO_CONTENT, HeaderMap::from_iter(told)).into_response();
    }
    next.run(request).await
}

/// Adds the headers that every answer has.
pub(super) async fn finish(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let asked = request.headers().clone();
    let mut response = next.run(request).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let said = response.headers();
    let (cache_control, vary) = (said.get(CACHE_CONTROL), said.get(VARY));
    let headers = answering::headers(&app.origins, &asked, cache_control, vary);
    for (name, value) in headers {
        response.headers_mut().insert(name, value);
    }
    if let Some(clear) = cookie::clear_former(&asked)
        && let Ok(clear) = HeaderValue::from_str(&clear)
    {
        response.headers_mut().append(SET_COOKIE, clear);
    }
    response
}

/// Extension of a request: the address of the client.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientAddress(pub(super) IpAddr);

/// Counts wrong tokens and limits the answers that are delayed.
#[derive(Debug)]
pub struct Slowing {
    guesses: Guesses,
    held: Semaphore,
}

impl Default for Slowing {
    fn default() -> Self {
        Self { guesses: Guesses::default(), held: Semaphore::new(HELD_AT_ONCE) }
    }
}

/// Slows down clients that send many wrong tokens, whatever the route, and logs them.
pub(super) async fn slow(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let from = address(&request);
    request.extensions_mut().insert(ClientAddress(from));
    let response = next.run(request).await;
    if response.extensions().get::<WrongToken>().is_none() {
        return response;
    }
    let judged = app.slowing.guesses.wrong(from, Time::from_ms(wall_ms()));
    if let Some(Count { here, elsewhere }) = judged.log {
        tracing::warn!(%from, count = here, elsewhere, "wrong, expired or revoked tokens");
        let record = AuditRecord::nobodys(wall_ms(), AuditKind::Denied).from(from);
        app.registry.services().audit.record(record.with("wrong, expired or revoked token"));
    }
    let Some(wait) = judged.wait else { return response };
    if let Ok(_held) = app.slowing.held.try_acquire() {
        tokio::time::sleep(HELD).await;
    }
    HttpError::from(ApiError::too_many_wrong_tokens(wait)).into_response()
}

/// Returns the client's address. A proxy on this machine may name it in `X-Forwarded-For`.
fn address(request: &Request) -> IpAddr {
    let peer =
        request.extensions().get::<PeerAddress>().map_or(IpAddr::from([0; 4]), |peer| peer.0);
    let forwarded = request.headers().get_all("x-forwarded-for").iter().next_back();
    let last =
        forwarded.and_then(|list| list.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.filter(|_| peer.is_loopback()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn only_a_proxy_on_this_machine_says_where_a_request_comes_from() {
        let from = |peer: &str, forwarded: &str| {
            let request = Request::builder().header("x-forwarded-for", forwarded);
            let mut request = request.body(Body::empty()).unwrap();
            request.extensions_mut().insert(PeerAddress(peer.parse().unwrap()));
            address(&request).to_string()
        };
        assert_eq!(from("127.0.0.1", "198.51.100.7, 192.0.2.1"), "192.0.2.1");
        assert_eq!(from("::1", "2001:db8::1"), "2001:db8::1");
        assert_eq!(from("127.0.0.1", "unknown"), "127.0.0.1");
        assert_eq!(from("192.0.2.9", "192.0.2.1"), "192.0.2.9");
    }
}
