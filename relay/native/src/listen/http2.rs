//! Serves a connection over HTTP/2, within the limits that hold for connections over HTTP/1.1.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http2;
use hyper::service::{Service as _, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::connections::AddressConnections;
use super::streams::{PiecedBody, Streams};
use super::unread::Drained;
use super::{HEAD_DEADLINE, OverTls, PeerAddress, as_http1, begun};
use moorline_core::api::ApiError;
use moorline_shared::limits::{DEAD_AFTER, HEARTBEAT, REQUEST_HEAD_BYTES};

#[cfg(test)]
mod tests;

/// Limit of requests at a time on a connection, including event streams and WebSockets. Browsers have one connection
/// for all of their tabs.
const STREAMS: u32 = 100;
/// Limit of header fields of a request, which is that of HTTP/1.1.
const HEADER_FIELDS: usize = 100;
/// Limit of requests that a client has taken back before they were handled, and of those that the relay has reset for
/// errors of the client. Beyond it the connection ends (CVE-2023-44487, CVE-2025-8671).
const RESET_STREAMS: usize = 20;
/// Limit of a body's bytes that wait to be read, for each request and for all requests of a connection.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;
/// Limit of an answer's bytes that wait to be sent. A piece more is added before it counts.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Serves one connection over TLS.
pub(super) struct Http2Service {
    pub(super) router: Router,
    pub(super) peer: PeerAddress,
    /// Counts the requests of each address, as it does connections.
    pub(super) connections: Option<Arc<AddressConnections>>,
}

impl Http2Service {
    /// Serves until the connection has ended. It ends once it has had no request for [`HEAD_DEADLINE`], and when its
    /// requests have been answered once `closing` is true.
    pub(super) async fn run<S>(self, stream: S, mut closing: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let streams = Streams::new(self.peer, self.connections);
        let builder = builder(streams.clone());
        let (router, peer, counter) =
            (TowerToHyperService::new(self.router), self.peer, streams.clone());
        let service = service_fn(move |request| {
            let (router, is_full) = (router.clone(), counter.is_full());
            async move {
                if is_full {
                    return Ok(answer(as_http1::refusal(&ApiError::too_many_connections())));
                }
                respond(router, request, peer).await
            }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = async {
                tokio::select! {
                    () = begun(&mut closing) => {}
                    () = streams.idle_for(HEAD_DEADLINE) => {}
                }
            } => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    // A client that does not answer is disconnected.
                    () = streams.idle_for(HEARTBEAT) => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection has ended");
        }
    }
}

fn builder(streams: Streams) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_local_error_reset_streams(RESET_STREAMS)
        .max_header_list_size(u32::try_from(REQUEST_HEAD_BYTES).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        // A client whose head is incomplete cannot answer a ping either: the limit of a head's time while other
        // requests are open.
        .keep_alive_interval(HEARTBEAT)
        .keep_alive_timeout(DEAD_AFTER.saturating_sub(HEARTBEAT));
    builder
}

async fn respond(
    router: TowerToHyperService<Router>,
    mut request: Request<Incoming>,
    peer: PeerAddress,
) -> Result<Response<PiecedBody>, Infallible> {
    if request.headers().len() > HEADER_FIELDS {
        return Ok(answer(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }
    let is_socket = match as_http1::present(&mut request) {
        Ok(is_socket) => is_socket,
        Err(error) => return Ok(answer(as_http1::refusal(&error))),
    };
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(OverTls);
    let response = router.call(Drained::wrap(request)).await?;
    let response = if is_socket { as_http1::answer_socket(response) } else { response };
    Ok(response.map(PiecedBody::new))
}

/// Returns an answer that comes from no route.
fn answer(refusal: impl IntoResponse) -> Response<PiecedBody> {
    let mut response = refusal.into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.map(PiecedBody::new)
}
