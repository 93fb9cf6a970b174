//! `/docs/api`: the page that shows the API's description. Swagger UI itself, which knows OpenAPI and
//! tries requests out, is among the files of the browser's client.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::routing::get;

use super::App;

const PAGE: &str = include_str!("docs/page.html");
const SCRIPT: &str = include_str!("docs/api.js");
const STYLE: &str = include_str!("docs/api.css");

type File = ([(HeaderName, String); 5], &'static str);

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/docs/api", get(async |State(app): State<Arc<App>>| file(&app, "html", PAGE)))
        .route(
            "/docs/api.js",
            get(async |State(app): State<Arc<App>>| file(&app, "javascript", SCRIPT)),
        )
        .route("/docs/api.css", get(async |State(app): State<Arc<App>>| file(&app, "css", STYLE)))
}

/// Swagger UI sets styles on its elements and has its icons in its style sheet.
fn file(app: &App, kind: &str, content: &'static str) -> File {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
         connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors {}",
        app.frame_ancestors.join(" ")
    );
    let headers = [
        (CONTENT_TYPE, format!("text/{kind}; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, "no-cache".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (headers, content)
}
