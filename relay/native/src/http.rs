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
mod workspace_events;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use moorline_shared::limits::REQUEST_BODY_BYTES;
use moorline_shared::message::Scope;
use moorline_shared::rest::AuditKind;
use moorline_shared::time::Time;
use tower_http::catch_panic::CatchPanicLayer;

use super::auth::{
    AccessLease, CallerSecret, LeaseHolder, LeasePurpose, Leases, Tokens, VerifyError,
};
use super::clock::wall_ms;
use super::proxies::TrustedProxies;
use super::push::Push;
use super::registry::Registry;
pub use around::Slowing;
use around::client_address;
pub use assets::ClientFiles;
pub use error::{ApiError, HttpError};
use extract::Caller;
pub use hosts::local_router;
use moorline_core::api::csp::FrameAncestors;
use moorline_core::audit::AuditRecord;
use moorline_core::auth::{
    Credential, Grant, HostPolicy, OriginPolicy, RequestRates, Tickets, hash_secret, presented,
};
use moorline_core::routes::{Found, Need, Route};

/// State that the routes share.
#[derive(Debug)]
pub struct App {
    /// The sessions, and the connections to their hosts.
    pub registry: Arc<Registry>,
    /// The notices for browsers whose pages are closed.
    pub push: Arc<Push>,
    /// The tokens and what they allow.
    pub tokens: Arc<Tokens>,
    /// The open connections, which end with the access of their tokens.
    pub leases: Arc<Leases>,
    /// Tickets, each of which stands for a token once.
    pub tickets: Tickets,
    /// Counts wrong tokens, and slows down clients that send many.
    pub slowing: Slowing,
    /// Limits the requests of each address and token.
    pub rates: RequestRates,
    /// The names by which the relay may be addressed.
    pub hosts: HostPolicy,
    /// The origins whose pages may use this relay.
    pub origins: OriginPolicy,
    /// The proxies that say where a request comes from.
    pub proxies: TrustedProxies,
    /// True if browsers may be told to use only HTTPS from now on: the relay has a certificate that they trust.
    pub is_always_tls: bool,
    /// The browser client's files.
    pub client: ClientFiles,
    /// The pages that may show the client in a frame, as CSP sources.
    pub frame_ancestors: FrameAncestors,
    /// True if the deprecated routes are served.
    pub legacy: bool,
    /// The driver of sessions that the plain-text socket starts; the default one if `None`.
    pub terminal_driver: Option<String>,
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
        .layer(from_fn_with_state(Arc::clone(&app), around::pace))
        .layer(from_fn_with_state(Arc::clone(&app), count))
        .layer(from_fn_with_state(Arc::clone(&app), dispatch::locate))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn_with_state(Arc::clone(&app), around::finish))
        .layer(from_fn_with_state(Arc::clone(&app), around::identify))
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
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE => method.as_str(),
        _ => "other",
    };
    app.registry.services().metrics.request(method, route, response.status().as_u16());
    response
}

impl App {
    /// Identifies the caller of a request by its token or cookie.
    fn caller(&self, parts: &Parts) -> Result<Caller, ApiError> {
        let now = Time::from_ms(wall_ms());
        let secret = match presented(&parts.headers).ok_or_else(ApiError::no_token)? {
            Credential::Token(token) => CallerSecret { token: hash_secret(token), cookie: None },
            Credential::Cookie(secret) => {
                let token = self.tokens.of_cookie(secret, now).map_err(refused)?;
                CallerSecret { token, cookie: Some(hash_secret(secret)) }
            }
        };
        self.holder(secret, parts, now)
    }

    /// Returns the caller that presents this.
    fn holder(&self, secret: CallerSecret, parts: &Parts, now: Time) -> Result<Caller, ApiError> {
        let grant = self.tokens.verify(&secret.token, now).map_err(refused)?;
        if let Some(wait) = self.rates.request_with(&grant, now) {
            return Err(ApiError::too_many_requests(wait));
        }
        self.note_use(&grant, now);
        let address = client_address(&parts.extensions);
        Ok(Caller::new(LeaseHolder { secret, grant, address }))
    }

    /// Counts a session that a caller is about to start.
    fn count_start(&self, caller: &Caller) -> Result<(), ApiError> {
        let wait = self.rates.start_with(&caller.grant, Time::from_ms(wall_ms()));
        wait.map_or(Ok(()), |wait| Err(ApiError::too_many_starts(wait)))
    }

    /// Stores a token's use, at most once a minute.
    fn note_use(&self, grant: &Grant, now: Time) {
        if self.tokens.note_use(grant, now)
            && let Some(id) = grant.token_id.clone()
        {
            drop(self.registry.services().writer.run(move |store| store.use_token(&id, now.ms)));
        }
    }

    /// Admits a caller to a route. Returns its scope for what the path names, if it names something.
    fn admit(&self, caller: &Caller, route: &Route, id: &str) -> Result<Option<Scope>, ApiError> {
        let admitted = self.admits(&caller.grant, route, id);
        if admitted.as_ref().is_err_and(|error| error.status() == StatusCode::FORBIDDEN) {
            let refused = format!("{} {}", route.method, route.path);
            self.record(caller.event(AuditKind::Denied).with(refused));
        }
        admitted
    }

    fn admits(&self, grant: &Grant, route: &Route, id: &str) -> Result<Option<Scope>, ApiError> {
        route.admit(&grant.access, id, |reach| self.registry.reach(reach))
    }

    /// Registers a lasting connection of a caller that was admitted.
    fn connect(&self, caller: &Caller, route: &'static Route, id: &str) -> AccessLease {
        self.record(caller.event_of(AuditKind::Connected, route, id));
        self.lease(caller, route, id)
    }

    fn lease(&self, caller: &Caller, route: &'static Route, id: &str) -> AccessLease {
        // Hosts leave after the clients, whose last input they still get.
        let closing = match route.need {
            Need::Host => self.registry.parting(),
            _ => self.registry.closing(),
        };
        if caller.grant.token_id.is_none() && caller.secret.cookie.is_none() {
            // The relay's own token does not change, and a pass only lets a command in.
            return AccessLease::until(closing);
        }
        let purpose = LeasePurpose { route, id: id.to_owned() };
        self.leases.hold((**caller).clone(), purpose, closing)
    }

    /// Ends the connections whose tokens no longer allow them, until the future is dropped.
    pub async fn watch_access(&self) {
        let allows = |secret: &CallerSecret| {
            let now = Time::from_ms(wall_ms());
            let has_cookie =
                secret.cookie.map_or(Ok(true), |cookie| self.tokens.has_cookie(&cookie, now));
            let grant = match (has_cookie, self.tokens.verify(&secret.token, now)) {
                (Ok(true), Ok(grant)) => Ok(Some(grant)),
                (Ok(false), _) | (_, Err(VerifyError::Refused)) => Ok(None),
                // A store that cannot be read takes nobody's access away.
                (Err(error), _) | (_, Err(VerifyError::Store(error))) => Err(error),
            };
            move |opened: &Grant, purpose: &LeasePurpose| match &grant {
                // A connection ends even if less would do: what it sends depends on its access.
                Ok(Some(grant)) => {
                    grant.access == opened.access
                        && self.admits(grant, purpose.route, &purpose.id).is_ok()
                }
                Ok(None) => false,
                Err(error) => {
                    tracing::error!(%error, "the tokens of open connections cannot be checked");
                    true
                }
            }
        };
        let cut = |holder: &LeaseHolder, purpose: &LeasePurpose| {
            let caller = Caller::new(holder.clone());
            self.record(caller.event_of(AuditKind::Cut, purpose.route, &purpose.id));
        };
        self.leases.watch(allows, cut).await;
    }

    fn record(&self, record: AuditRecord) {
        self.registry.services().audit.record(record);
    }
}

fn refused(error: VerifyError) -> ApiError {
    match error {
        VerifyError::Refused => ApiError::wrong_token(),
        VerifyError::Store(error) => ApiError::internal(&error),
    }
}
