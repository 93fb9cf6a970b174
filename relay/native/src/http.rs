//! The relay's HTTP routes.

mod acp;
mod around;
mod assets;
mod descriptions;
mod dispatch;
mod docs;
mod error;
mod event_socket;
mod events;
mod extract;
mod hosts;
mod legacy;
mod openapi;
mod overview;
mod pages;
mod plain;
mod rest;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use moorline_shared::limits::REQUEST_BODY_BYTES;
use moorline_shared::time::Time;
use tower_http::catch_panic::CatchPanicLayer;

use super::auth::{Tokens, VerifyError};
use super::clock::wall_ms;
use super::push::Push;
use super::registry::Registry;
pub use around::Slowing;
pub use assets::ClientFiles;
pub use error::{ApiError, HttpError};
use extract::Caller;
pub use hosts::local_router;
use moorline_core::api::csp::FrameAncestors;
use moorline_core::auth::{
    Credential, HostPolicy, OriginPolicy, SecretHash, Tickets, hash_secret, presented,
};
use moorline_core::routes::Found;

/// State that the routes share.
#[derive(Debug)]
pub struct App {
    /// The sessions, and the connections to their hosts.
    pub registry: Arc<Registry>,
    /// The notices for browsers whose pages are closed.
    pub push: Arc<Push>,
    /// The tokens and what they allow.
    pub tokens: Arc<Tokens>,
    /// Tickets, each of which stands for a token once.
    pub tickets: Tickets,
    /// Counts wrong tokens, and slows down clients that send many.
    pub slowing: Slowing,
    /// The names by which the relay may be addressed.
    pub hosts: HostPolicy,
    /// The origins whose pages may use this relay.
    pub origins: OriginPolicy,
    /// The browser client's files.
    pub client: ClientFiles,
    /// The pages that may show the client in a frame, as CSP sources.
    pub frame_ancestors: FrameAncestors,
    /// True if the deprecated routes are served.
    pub legacy: bool,
}

/// Returns the API's description as JSON, with or without the deprecated routes.
#[must_use]
pub fn openapi_document(legacy: bool) -> axum::body::Bytes {
    openapi::text(legacy)
}

/// Builds the router with all routes.
pub fn router(app: Arc<App>) -> Router {
    docs::routes()
        .fallback(dispatch::dispatch)
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES))
        .layer(from_fn_with_state(Arc::clone(&app), event_socket::carry))
        .layer(from_fn_with_state(Arc::clone(&app), around::admit))
        .layer(from_fn_with_state(Arc::clone(&app), around::slow))
        .layer(from_fn_with_state(Arc::clone(&app), count))
        .layer(from_fn_with_state(Arc::clone(&app), dispatch::locate))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn_with_state(Arc::clone(&app), around::finish))
        .with_state(app)
}

/// Counts each request by its route.
async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let page = request.extensions().get::<MatchedPath>().cloned();
    let route = match request.extensions().get::<Found>() {
        Some(Found::Route(matched)) => Some(matched.route.path),
        _ => None,
    };
    let method = request.method().clone();
    let response = next.run(request).await;
    // Clients can send any path and method: unknown ones share one label each.
    let route = route.or_else(|| page.as_ref().map(MatchedPath::as_str)).unwrap_or("other");
    let method = match method {
        Method::GET | Method::HEAD | Method::POST | Method::PATCH | Method::DELETE => {
            method.as_str()
        }
        _ => "other",
    };
    app.registry.services().metrics.request(method, route, response.status().as_u16());
    response
}

impl App {
    /// Identifies the caller of a request by its token or cookie.
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let now = Time::from_ms(wall_ms());
        let token = match presented(headers).ok_or_else(ApiError::no_token)? {
            Credential::Token(token) => hash_secret(token),
            Credential::Cookie(secret) => self.tokens.of_cookie(secret, now).map_err(refused)?,
        };
        self.holder(token, now)
    }

    /// Returns the caller that holds the token with this hash.
    fn holder(&self, token: SecretHash, now: Time) -> Result<Caller, ApiError> {
        let access = self.tokens.verify(&token, now).map_err(refused)?;
        Ok(Caller { access, token })
    }
}

fn refused(error: VerifyError) -> ApiError {
    match error {
        VerifyError::Refused => ApiError::wrong_token(),
        VerifyError::Store(error) => ApiError::internal(&error),
    }
}
