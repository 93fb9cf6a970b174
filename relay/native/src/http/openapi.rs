//! `GET /api/openapi.json`: the API's description.

use std::sync::OnceLock;

use axum::body::Bytes;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use moorline_shared::rest::ErrorBody;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Deprecated, OpenApi};
use utoipa::{Modify, OpenApi as _};

use super::{
    acp, descriptions, events, hosts, legacy, overview, plain, rest, stream, workspace_events,
};
use moorline_core::api::responses::Open;
use moorline_core::openapi::DEPRECATED;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Moorline", description = descriptions::API),
    components(schemas(ErrorBody)),
    modifiers(&Schemes),
    security(("bearer" = []), ("cookie" = [])),
    tags(
        (name = "Sessions", description = "All sessions."),
        (name = "Session", description = "One session."),
        (name = "Agents", description = "Sessions that run a coding agent."),
        (name = "tmux", description = "Sessions that show a pane of tmux."),
        (name = "Approvals", description = "Questions of sessions that await a person's decision."),
        (name = "Events", description = "Event streams, for `EventSource`."),
        (name = "Projects", description = "Named folders that sessions belong to."),
        (name = "Workspaces", description = "Files in sync with the folders of sessions."),
        (name = "Terminals", description = "Sessions that are read by polling."),
        (name = "Hosts", description = "The machines that run sessions."),
        (name = "Notices", description = "Notices for browsers whose pages are closed."),
        (name = "Access", description = "Tokens, and what browsers send instead of a header."),
        (name = "Relay", description = "The relay itself."),
    ),
)]
struct DocumentBase;

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

/// The routes that this relay implements itself.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    rest::sessions::fork,
    rest::session::context,
    rest::hosts::agents,
    rest::hosts::tmux,
    rest::access::log_in,
    rest::access::log_out,
    rest::access::log_out_everywhere,
    rest::access::ticket,
    rest::passkeys::list,
    rest::passkeys::begin,
    rest::passkeys::add,
    rest::passkeys::remove,
    rest::passkeys::ask,
    rest::passkeys::log_in,
    rest::push::key,
    rest::push::subscribe,
    rest::push::unsubscribe,
    rest::tokens::list,
    rest::tokens::create,
    rest::tokens::change,
    rest::tokens::revoke,
    rest::audit::list,
    rest::metrics::prometheus,
    rest::metrics::debug,
    rest::health,
    hosts::control,
    hosts::publish,
    events::open,
    overview::open,
    acp::open,
    stream::open,
    plain::open,
    workspace_events::open,
    document,
))]
struct OwnPaths;

/// The deprecated routes.
#[derive(utoipa::OpenApi)]
#[openapi(paths(legacy::open))]
struct Legacy;

/// Builds the document, with or without the deprecated routes.
fn build(legacy: bool) -> OpenApi {
    let mut document = DocumentBase::openapi();
    document.merge(moorline_core::openapi::handlers());
    document.merge(OwnPaths::openapi());
    if legacy {
        document.merge(moorline_core::openapi::legacy());
        document.merge(Legacy::openapi());
    }
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            if operation.tags.iter().flatten().any(|tag| tag == DEPRECATED) {
                operation.deprecated = Some(Deprecated::True);
            }
        }
    }
    document
}

/// Returns the document as JSON text, which is encoded once.
#[must_use]
pub(super) fn text(legacy: bool) -> Bytes {
    static TEXTS: [OnceLock<Bytes>; 2] = [OnceLock::new(), OnceLock::new()];
    let encode = || {
        let json = build(legacy).to_json();
        json.expect("texts, numbers and maps of them always encode").into()
    };
    TEXTS[usize::from(legacy)].get_or_init(encode).clone()
}

/// Read this document
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "Relay", operation_id = "openapi", security(()),
    responses(Open, (status = 200, description = "OpenAPI.", body = Object)),
)]
pub(super) fn document(legacy: bool) -> ([(HeaderName, &'static str); 2], Bytes) {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], text(legacy))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use moorline_core::routes::ROUTES;
    use utoipa::openapi::PathItem;

    use super::*;

    fn methods(item: &PathItem) -> impl Iterator<Item = &'static str> {
        let all = [
            ("GET", item.get.is_some()),
            ("POST", item.post.is_some()),
            ("PATCH", item.patch.is_some()),
            ("DELETE", item.delete.is_some()),
            ("PUT", item.put.is_some()),
        ];
        all.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name)
    }

    #[test]
    fn the_document_describes_the_table_of_routes() {
        let document = build(true);
        let described: BTreeSet<(String, &str)> = document
            .paths
            .paths
            .iter()
            .flat_map(|(path, item)| methods(item).map(move |method| (path.clone(), method)))
            .collect();
        let routed: BTreeSet<(String, &str)> =
            ROUTES.iter().map(|route| (route.path.to_owned(), route.method.as_str())).collect();
        assert_eq!(described, routed);
    }
}
