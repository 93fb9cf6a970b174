//! The relay's routes.

mod assets;
mod csp;
mod error;
mod events;
mod legacy;
mod overview;
mod pages;
mod plain;
mod rest;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get};
use moorline_shared::limits::REQUEST_BODY_BYTES;
use moorline_shared::time::Time;
use tower_http::catch_panic::CatchPanicLayer;

use super::auth::{Access, OriginPolicy, Tokens, VerifyError, presented};
use super::clock::wall_ms;
use super::registry::Registry;
pub use assets::Client;
pub use csp::DEFAULT_FRAME_ANCESTORS;
pub use error::ApiError;

/// What the routes need.
#[derive(Debug)]
pub struct App {
    /// The sessions.
    pub registry: Arc<Registry>,
    /// Who may do what.
    pub tokens: Tokens,
    /// Which pages may talk to this relay.
    pub origins: OriginPolicy,
    /// The browser's client.
    pub client: Client,
    /// Who may show it in a frame, as CSP sources.
    pub frame_ancestors: Vec<String>,
}

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/api/sessions", get(rest::list).post(rest::create))
        .route("/api/session/{id}/status", get(rest::status))
        .route("/api/session/{id}", delete(rest::delete))
        .route("/api/session/{id}/events", get(events::open))
        .route("/api/session/{id}/events/status", get(events::status))
        .route("/api/events", get(overview::open))
        .route("/api/terminal/ws/{id}", get(plain::open))
        .merge(legacy::routes())
        .route("/sessions/{id}/stream", get(stream::open))
        .route("/healthz", get(rest::health))
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES));
    api.fallback(pages::serve)
        .layer(from_fn_with_state(Arc::clone(&app), check_origin))
        .layer(CatchPanicLayer::custom(error::panicked))
        .with_state(app)
}

/// Refuses requests that change something and come from a page that is not trusted. The stream
/// does the same by itself, in a way that browsers can read.
async fn check_origin(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && !app.origins.allows(request.headers()) {
        return ApiError::origin().into_response();
    }
    next.run(request).await
}

impl App {
    /// Who makes this request.
    fn caller(&self, headers: &HeaderMap) -> Result<Access, ApiError> {
        let token = presented(headers).ok_or_else(ApiError::no_token)?;
        match self.tokens.verify(token, Time::from_ms(wall_ms())) {
            Ok(access) => Ok(access),
            Err(VerifyError::Refused) => Err(ApiError::wrong_token()),
            Err(VerifyError::Store(error)) => Err(ApiError::internal(&error)),
        }
    }
}

/// A caller with a valid token.
struct Caller(Access);

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        app.caller(&parts.headers).map(Self)
    }
}

/// A caller who may list, create and delete sessions.
struct Admin;

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let access = app.caller(&parts.headers)?;
        if access.is_admin() { Ok(Self) } else { Err(ApiError::forbidden()) }
    }
}
