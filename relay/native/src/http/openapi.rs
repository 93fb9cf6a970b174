//! `GET /api/openapi.json`: the API's own description.

pub(super) mod words;

use axum::Extension;
use axum::body::Bytes;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use moorline_shared::rest::ErrorBody;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Deprecated, OpenApi};
use utoipa::{Modify, OpenApi as _};

use super::answers::Open;

/// The tag of the routes of before.
pub(super) const DEPRECATED: &str = "Deprecated";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Moorline", description = words::API),
    components(schemas(ErrorBody)),
    modifiers(&Schemes),
    security(("bearer" = []), ("cookie" = [])),
    tags(
        (name = "Sessions", description = "All sessions."),
        (name = "Session", description = "One session."),
        (name = "Events", description = "Event streams, for `EventSource`."),
        (name = "Projects", description = "Named folders that sessions belong to."),
        (name = "Terminals", description = "Sessions that are read by polling."),
        (name = "Hosts", description = "The machines that run sessions."),
        (name = "Access", description = "Tokens, and what browsers bring instead of a header."),
        (name = "Relay", description = "The relay itself."),
    ),
)]
struct Base;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token: `moorline token new` makes one."));
        let cookie = ApiKeyValue::with_description(
            "moorline-3010",
            "Set by `POST /api/login`; its name has the relay's port.",
        );
        let ticket = ApiKeyValue::with_description(
            "ticket",
            "For event streams, and to make one token: see `POST /api/tickets`.",
        );
        let components = document.components.get_or_insert_default();
        for (name, scheme) in [
            ("bearer", SecurityScheme::Http(bearer.build())),
            ("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie))),
            ("ticket", SecurityScheme::ApiKey(ApiKey::Query(ticket))),
        ] {
            components.add_security_scheme(name, scheme);
        }
    }
}

/// What the document says besides the routes.
pub(super) fn base() -> OpenApi {
    Base::openapi()
}

/// Marks what is not for new clients.
pub(super) fn finish(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            if operation.tags.iter().flatten().any(|tag| tag == DEPRECATED) {
                operation.deprecated = Some(Deprecated::True);
            }
        }
    }
}

/// The document as it is sent.
#[derive(Debug, Clone)]
pub(super) struct Document(Bytes);

impl Document {
    pub(super) fn of(document: &OpenApi) -> Self {
        let json = document.to_json().expect("texts, numbers and maps of them always encode");
        Self(json.into())
    }

    /// As text.
    pub(super) fn into_text(self) -> Bytes {
        self.0
    }
}

/// This document
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "Relay", operation_id = "openapi", security(()),
    responses(Open, (status = 200, description = "OpenAPI.", body = Object)),
)]
pub(super) async fn document(
    Extension(Document(json)): Extension<Document>,
) -> ([(HeaderName, &'static str); 2], Bytes) {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], json)
}
