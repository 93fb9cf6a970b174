//! The relay's routes.

mod answers;
mod around;
mod assets;
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

use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::{Extension, Router};
use moorline_shared::limits::REQUEST_BODY_BYTES;
use moorline_shared::time::Time;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{Tokens, VerifyError};
use super::clock::wall_ms;
use super::registry::Registry;
pub use around::Slowing;
pub use assets::Client;
pub use error::{ApiError, HttpError};
use extract::Caller;
pub use hosts::local_router;
use moorline_core::auth::{
    Credential, HostPolicy, OriginPolicy, SecretHash, Tickets, hash_secret, presented,
};

/// What the routes need.
#[derive(Debug)]
pub struct App {
    /// The sessions.
    pub registry: Arc<Registry>,
    /// Who may do what.
    pub tokens: Tokens,
    /// What event streams may be opened with instead.
    pub tickets: Tickets,
    /// Those who send wrong tokens.
    pub slowing: Slowing,
    /// By which names it may be addressed.
    pub hosts: HostPolicy,
    /// Which pages may talk to this relay.
    pub origins: OriginPolicy,
    /// The browser's client.
    pub client: Client,
    /// Who may show it in a frame, as CSP sources.
    pub frame_ancestors: Vec<String>,
    /// Whether the routes of before are served.
    pub legacy: bool,
}

/// The API's description, as JSON, with or without the routes of before.
#[must_use]
pub fn openapi_document(legacy: bool) -> axum::body::Bytes {
    described(legacy).1.into_text()
}

fn described(legacy: bool) -> (Router<Arc<App>>, openapi::Document) {
    let mut api = documented();
    if legacy {
        api = api.merge(legacy::routes());
    }
    let (api, mut document) = api.split_for_parts();
    openapi::finish(&mut document);
    (api, openapi::Document::of(&document))
}

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    let (api, document) = described(app.legacy);
    let api = api
        .merge(docs::routes())
        .layer(Extension(document))
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES));
    api.fallback(pages::serve)
        .layer(from_fn_with_state(Arc::clone(&app), event_socket::carry))
        .layer(from_fn_with_state(Arc::clone(&app), around::admit))
        .layer(from_fn_with_state(Arc::clone(&app), around::slow))
        .layer(from_fn_with_state(Arc::clone(&app), count))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn_with_state(Arc::clone(&app), around::finish))
        .with_state(app)
}

/// The API: what is routed is what is documented.
fn documented() -> OpenApiRouter<Arc<App>> {
    use rest::{access, metrics, projects, session, sessions, terminals, tokens};
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(sessions::list, sessions::create))
        .routes(routes!(sessions::rename))
        .routes(routes!(sessions::move_to))
        .routes(routes!(sessions::duplicate))
        .routes(routes!(sessions::fork))
        .routes(routes!(session::status))
        .routes(routes!(session::prompt))
        .routes(routes!(session::context))
        .routes(routes!(session::delete))
        .routes(routes!(projects::list, projects::create))
        .routes(routes!(projects::get, projects::change, projects::delete))
        .routes(routes!(terminals::create))
        .routes(routes!(terminals::output))
        .routes(routes!(terminals::input))
        .routes(routes!(terminals::close))
        .routes(routes!(access::log_in, access::log_out))
        .routes(routes!(access::ticket))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(rest::hosts::list))
        .routes(routes!(hosts::control))
        .routes(routes!(hosts::publish))
        .routes(routes!(events::open))
        .routes(routes!(events::status))
        .routes(routes!(overview::open))
        .routes(routes!(stream::open))
        .routes(routes!(plain::open))
        .routes(routes!(metrics::prometheus))
        .routes(routes!(metrics::debug))
        .routes(routes!(rest::health))
        .routes(routes!(openapi::document))
}

/// Counts each request by its route.
async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let response = next.run(request).await;
    // Anyone may ask for any path by any method: these are one each.
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
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
    /// Who makes this request.
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let now = Time::from_ms(wall_ms());
        let token = match presented(headers).ok_or_else(ApiError::no_token)? {
            Credential::Token(token) => hash_secret(token),
            Credential::Cookie(secret) => self.tokens.of_cookie(secret, now).map_err(refused)?,
        };
        self.holder(token, now)
    }

    /// Who has the token with this hash.
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
