//! Layers around all requests: admission, headers that every answer has, and slowing down.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE, STRICT_TRANSPORT_SECURITY, VARY};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use moorline_shared::time::Time;
use tokio::sync::Semaphore;

use super::App;
use super::error::{ApiError, HttpError, WrongToken};
use crate::clock::wall_ms;
use crate::listen::{OverTls, PeerAddress};
use moorline_core::api::answering;
use moorline_core::audit::AuditRecord;
use moorline_core::auth::{Count, Guesses, cookie, cors, lacks_host, may_change, repeated};

/// The header by which a proxy says whether the client uses TLS.
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Makes browsers use only HTTPS for the relay's name, for half a year after each answer.
const ALWAYS_TLS: HeaderValue = HeaderValue::from_static("max-age=15552000");
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
    if (changes || is_preflight) && !may_change(headers, &app.origins) {
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
    let is_tls = app.is_always_tls && request.extensions().get::<OverTls>().is_some();
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
    // `localhost` would be meant for all programs of the machine.
    if is_tls && cookie::is_beyond_loopback(&asked) {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, ALWAYS_TLS);
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
struct ClientAddress(IpAddr);

/// Returns the address of the client that sends a request.
pub(super) fn client_address(extensions: &Extensions) -> IpAddr {
    extensions.get().map_or([0; 4].into(), |ClientAddress(address)| *address)
}

/// Finds the client's address, and whether it uses TLS, which only trusted proxies may say in headers. All within
/// this layer read that in `X-Forwarded-Proto`.
pub(super) async fn identify(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<PeerAddress>().map_or([0; 4].into(), |peer| peer.0);
    let is_tls = request.extensions().get::<OverTls>().is_some();
    let address = app.proxies.client(peer, request.headers());
    request.extensions_mut().insert(ClientAddress(address));
    if !app.proxies.trusts(peer) {
        request.headers_mut().remove(FORWARDED_PROTO);
    }
    if is_tls {
        request.headers_mut().entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("https"));
    }
    next.run(request).await
}

/// Refuses requests of addresses that send too many.
pub(super) async fn pace(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let from = client_address(request.extensions());
    match app.rates.request_from(from, Time::from_ms(wall_ms())) {
        Some(wait) => HttpError::from(ApiError::too_many_requests(wait)).into_response(),
        None => next.run(request).await,
    }
}

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
pub(super) async fn slow(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let from = client_address(request.extensions());
    let response = next.run(request).await;
    if response.extensions().get::<WrongToken>().is_none() {
        return response;
    }
    let judged = app.slowing.guesses.wrong(from, Time::from_ms(wall_ms()));
    if let Some(Count { here, elsewhere }) = judged.log {
        tracing::warn!(%from, count = here, elsewhere, "wrong, expired or revoked tokens");
        app.record(AuditRecord::wrong_token(wall_ms()).from(from));
    }
    let Some(wait) = judged.wait else { return response };
    if let Ok(_held) = app.slowing.held.try_acquire() {
        tokio::time::sleep(HELD).await;
    }
    HttpError::from(ApiError::too_many_wrong_tokens(wait)).into_response()
}
