//! Serves `/docs/api`, the readable form of the API's description ([`moorline_core::api::docs`]).

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::routing::get;

use super::App;
use moorline_core::api::docs::{self, File};

type PageAnswer = ([(HeaderName, String); 3], &'static str);

pub(super) fn routes() -> Router<Arc<App>> {
    docs::files().fold(Router::new(), |routes, file| {
        routes.route(file.path, get(async move || answer(file)))
    })
}

fn answer(file: File) -> PageAnswer {
    let headers = [
        (CONTENT_TYPE, format!("text/{}; charset=utf-8", file.kind)),
        (CONTENT_SECURITY_POLICY, docs::POLICY.to_owned()),
        (CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (headers, file.content)
}
