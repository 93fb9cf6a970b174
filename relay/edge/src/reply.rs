//! Reading of requests and building of responses.

use std::fmt;

use futures_util::{Stream, StreamExt as _};
use http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, COOKIE, HOST,
    IF_MATCH, IF_NONE_MATCH, IF_RANGE, ORIGIN, RANGE, SEC_WEBSOCKET_PROTOCOL,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use moorline_core::api::ApiError;
use moorline_core::auth::Grant;
use moorline_core::auth::cors::Header;
use moorline_core::plan::{HostError, PlanError};
use moorline_core::profile::Profile;
use moorline_core::routes::{self, Reply, parse};
use moorline_shared::limits::REQUEST_BODY_BYTES;
use moorline_shared::sse;
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::{Date, Headers, Method, Request, Response, ResponseBuilder, Result, console_error};

use crate::address;
use crate::internal::Caller;
use crate::sql::SqlError;

/// Result of a handler.
pub(crate) type Answer = std::result::Result<Response, RequestFailure>;

/// Reason why a request is not answered as it asks.
pub(crate) enum RequestFailure {
    /// An error that the caller is told.
    Api(Box<ApiError>),
    /// Another object's error response, passed on unchanged.
    Passed(Box<Response>),
    /// An internal fault: logged, and answered as an internal error.
    Fault(String),
}

impl From<ApiError> for RequestFailure {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}

impl From<PlanError> for RequestFailure {
    fn from(error: PlanError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<HostError> for RequestFailure {
    fn from(error: HostError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<worker::Error> for RequestFailure {
    fn from(error: worker::Error) -> Self {
        Self::Fault(error.to_string())
    }
}

impl From<SqlError> for RequestFailure {
    fn from(error: SqlError) -> Self {
        Self::Fault(error.to_string())
    }
}

impl From<getrandom::Error> for RequestFailure {
    fn from(error: getrandom::Error) -> Self {
        Self::Fault(error.to_string())
    }
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(error) => f.write_str(&error.body().error),
            Self::Passed(answer) => write!(f, "it answered {}", answer.status_code()),
            Self::Fault(error) => f.write_str(error),
        }
    }
}

/// Turns a handler's result into a response, and logs a fault.
pub(crate) fn send(answer: Answer) -> Result<Response> {
    match answer {
        Ok(response) => Ok(response),
        Err(RequestFailure::Passed(response)) => Ok(*response),
        Err(RequestFailure::Api(error)) => refused(&error),
        Err(RequestFailure::Fault(error)) => {
            console_error!("a request failed: {error}");
            refused(&ApiError::internal(&error))
        }
    }
}

fn refused(error: &ApiError) -> Result<Response> {
    let mut response = ResponseBuilder::new().with_status(error.status().as_u16());
    if let Some(seconds) = error.retry_after() {
        response = response.with_header("retry-after", &seconds.to_string())?;
    }
    if error.status() == StatusCode::UNAUTHORIZED {
        response = response.with_header("www-authenticate", "Bearer realm=\"moorline\"")?;
    }
    response.from_json(error.body())
}

/// A response with a JSON body.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    answer(Reply::new(status, body))
}

/// Adds headers to a response. It is rebuilt, because headers of another object's response are
/// immutable.
pub(crate) fn with(
    response: Response,
    headers: Vec<Header>,
) -> std::result::Result<Response, worker::Error> {
    let all = response.headers().clone();
    for (name, value) in headers {
        all.set(name.as_str(), value.to_str().unwrap_or_default())?;
    }
    Ok(response.with_headers(all))
}

/// A 204 without a body.
pub(crate) fn nothing() -> Answer {
    Ok(ResponseBuilder::new().with_status(StatusCode::NO_CONTENT.as_u16()).empty())
}

/// A response of server-sent events, which no proxy on the way buffers.
pub(crate) fn event_stream(chunks: impl Stream<Item = Vec<u8>> + 'static) -> Answer {
    let response = ResponseBuilder::new()
        .with_header("content-type", sse::CONTENT_TYPE)?
        .with_header("cache-control", "no-cache, no-transform")?
        .with_header("x-accel-buffering", "no")?;
    Ok(response.from_stream(chunks.map(Ok::<_, worker::Error>))?)
}

/// The request's method as the `http` crate's type.
pub(crate) fn method(request: &Request) -> http::Method {
    match request.method() {
        Method::Head => http::Method::HEAD,
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
        Method::Options => http::Method::OPTIONS,
        Method::Connect => http::Method::CONNECT,
        Method::Trace | Method::Report => http::Method::TRACE,
    }
}

/// The path as a URI, for the core's errors.
pub(crate) fn uri(path: &str) -> http::Uri {
    path.parse().unwrap_or_default()
}

/// Headers that the core reads and that `http` does not name.
const OTHERS: [&str; 6] = [
    "access-control-request-private-network",
    "cf-connecting-ip",
    "last-event-id",
    "x-moorline-mode",
    "sec-fetch-site",
    "x-forwarded-proto",
];

/// The request's headers that the core reads.
pub(crate) fn headers(headers: &Headers) -> HeaderMap {
    let known = [HOST, ORIGIN, AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL, IF_NONE_MATCH];
    let of_files = [IF_MATCH, IF_RANGE, RANGE];
    let asking = [ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_REQUEST_HEADERS];
    let others = OTHERS.map(HeaderName::from_static);
    let found = known.into_iter().chain(asking).chain(of_files).chain(others).filter_map(|name| {
        let value = headers.get(name.as_str()).ok()??;
        // A page can put any character into some of these: non-ASCII text is kept as opaque bytes.
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    found.collect()
}

/// Decodes a JSON object from the body. A missing body and `null` count as an empty object.
pub(crate) async fn body<T: DeserializeOwned>(
    request: &mut Request,
) -> std::result::Result<T, RequestFailure> {
    let kind = request.headers().get("content-type")?.unwrap_or_default();
    Ok(parse(&kind, &bytes(request).await?)?)
}

/// The request as the core's handlers take it, without its body. `id` is the id in its path; a second
/// one is left out.
pub(crate) fn incoming(
    id: &str,
    request: &Request,
) -> std::result::Result<routes::Request, RequestFailure> {
    told(id, request, Caller::of(request)?.grant)
}

/// The same as [`incoming`], for a request of another object, which has no caller.
pub(crate) fn internal(
    id: &str,
    request: &Request,
) -> std::result::Result<routes::Request, RequestFailure> {
    told(id, request, Grant::unstored())
}

fn told(
    id: &str,
    request: &Request,
    grant: Grant,
) -> std::result::Result<routes::Request, RequestFailure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(routes::Request {
        id: id.to_owned(),
        item: String::new(),
        grant,
        query: address::query(&request.inner().url()).to_owned(),
        content_type: request.headers().get("content-type")?.unwrap_or_default(),
        body: bytes::Bytes::new(),
        now_ms: Date::now().as_millis(),
        random: u128::from_ne_bytes(random),
    })
}

/// The same as [`incoming`], with the body.
pub(crate) async fn with_body(
    id: &str,
    request: &mut Request,
) -> std::result::Result<routes::Request, RequestFailure> {
    let body = bytes(request).await?.into();
    Ok(routes::Request { body, ..incoming(id, request)? })
}

/// The response for a reply of the core's.
pub(crate) fn answer(reply: Reply) -> Answer {
    let response = ResponseBuilder::new().with_status(reply.status.as_u16());
    Ok(response.with_header("content-type", "application/json")?.fixed(reply.body))
}

/// Reads a request's body, up to [`REQUEST_BODY_BYTES`]; fails if it is longer.
async fn bytes(request: &mut Request) -> std::result::Result<Vec<u8>, RequestFailure> {
    bytes_within(request, REQUEST_BODY_BYTES, ApiError::too_large).await
}

/// Reads a request's body; fails if it has more than `most` bytes.
pub(crate) async fn bytes_within(
    request: &mut Request,
    most: usize,
    too_large: fn() -> ApiError,
) -> std::result::Result<Vec<u8>, RequestFailure> {
    if length(request).is_some_and(|length| length > most) {
        return Err(too_large().into());
    }
    if length(request).is_some() || request.inner().body().is_none() {
        return Ok(request.bytes().await?);
    }
    // Without a length, the body comes in pieces until it ends.
    let (mut body, mut pieces) = (Vec::new(), request.stream()?);
    while let Some(piece) = pieces.next().await {
        body.extend_from_slice(&piece?);
        if body.len() > most {
            return Err(too_large().into());
        }
    }
    Ok(body)
}

/// Reads and drops a body that the handler did not read. Otherwise workerd silently closes the
/// caller's connection after the answer, and the next request on it fails.
pub(crate) async fn drain(request: &mut Request) {
    let is_left = !request.inner().body_used();
    let may_read = |length: usize| (1..=Profile::EDGE.unread_bytes).contains(&(length as u64));
    if is_left && length(request).is_some_and(may_read) {
        let Ok(mut pieces) = request.stream() else { return };
        // On an error the caller has no more use for the connection.
        while let Some(Ok(_)) = pieces.next().await {}
    }
}

fn length(request: &Request) -> Option<usize> {
    request.headers().get("content-length").ok().flatten()?.parse().ok()
}

/// Returns true if the request asks to become a WebSocket.
pub(crate) fn is_upgrade(request: &Request) -> bool {
    let upgrade = request.headers().get("upgrade").ok().flatten();
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}
