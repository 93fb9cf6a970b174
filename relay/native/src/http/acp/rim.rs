//! The way from a connection to the relay that it is a part of.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, SEC_WEBSOCKET_PROTOCOL};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use futures_util::future::BoxFuture;
use moorline_core::acp::{ApiAnswer, ApiCall, StreamNews};
use moorline_core::routes::{find, stream_route};
use moorline_shared::message::close;

use super::stream::follow;
use crate::acp::{AcpRim, RimSocket};
use crate::http::{App, Caller, rest};

/// Limit of an answer of the API.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Answers a request to the API, as the relay's router does.
pub(super) type ApiRouter = fn(Arc<App>, Request) -> BoxFuture<'static, Response>;

/// Reaches the sessions and the API of this relay with a client's access.
pub(super) struct LocalRim {
    app: Arc<App>,
    caller: Arc<Caller>,
    api: ApiRouter,
    /// The headers by which each request is identified as the client's.
    headers: HeaderMap,
}

impl LocalRim {
    pub(super) fn new(app: &Arc<App>, parts: &Parts, caller: Caller, api: ApiRouter) -> Self {
        let mut headers = HeaderMap::new();
        for name in [HOST, AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL, COOKIE] {
            if let Some(value) = parts.headers.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { app: Arc::clone(app), caller: Arc::new(caller), api, headers }
    }
}

impl AcpRim for LocalRim {
    fn stream(&self, end: RimSocket) -> impl Future<Output = ()> + Send + 'static {
        let (app, caller) = (Arc::clone(&self.app), Arc::clone(&self.caller));
        async move {
            let Ok((_, scope)) = rest::allowed(&app, &caller, end.session.as_str()) else {
                end.report(StreamNews::Closed(close::FORBIDDEN)).await;
                return;
            };
            match rest::find(&app, &end.session).await {
                Ok(session) => {
                    let lease = app.lease(&caller, stream_route(), end.session.as_str());
                    follow(&session, end, (scope, caller.grant.clone()), lease).await;
                }
                Err(error) => {
                    let is_missing = error.status().as_u16() == 404;
                    let code = if is_missing { close::NOT_FOUND } else { close::INTERNAL };
                    end.report(StreamNews::Closed(code)).await;
                }
            }
        }
    }

    fn call(&self, call: ApiCall) -> impl Future<Output = ApiAnswer> + Send + 'static {
        let (app, api, headers) = (Arc::clone(&self.app), self.api, self.headers.clone());
        async move {
            let ApiCall { method, path, body, number: _ } = call;
            let found = find(&method, path.split('?').next().unwrap_or_default());
            let request = Request::builder().method(method).uri(&path).extension(found);
            let Ok(mut request) = request.body(Body::from(body.unwrap_or_default())) else {
                tracing::error!(path, "a request of a connection is not valid");
                return ApiAnswer::Unreachable;
            };
            *request.headers_mut() = headers;
            let answer = api(app, request).await;
            let status = answer.status().as_u16();
            match to_bytes(answer.into_body(), ANSWER_BYTES).await {
                Ok(body) => ApiAnswer::Answered { status, body: body.into() },
                Err(_) => ApiAnswer::Unreachable,
            }
        }
    }
}
