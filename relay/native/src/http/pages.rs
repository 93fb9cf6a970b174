//! The client's files, with the headers that make them safe and fast.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};

use super::App;
use super::assets::Asset;
use super::error::{ApiError, HttpError, method_not_allowed};
use moorline_core::api::csp;
use moorline_core::api::paths::{
    ELEMENT, ELEMENT_HEADERS, is_api, is_hashed, is_reader, is_route, of_long_name,
};

const PAGE: &str = "index.html";
/// The page's service worker, which shows notices.
const WORKER: &str = "push.js";
/// Caching of a file whose name has a hash of its content, as trunk gives it.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Caching of other files: the browser asks each time, which the ETag makes cheap.
const EACH_TIME: &str = "no-cache";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <title>Moorline</title><p>This relay runs, but the page was not built into it.</p>\
    <p>Run <code>cargo xtask run</code>, which builds both, or <code>trunk build --release</code> \
    before <code>cargo build --release</code>. The command line works without: \
    <code>moorline attach &lt;session&gt;</code>.</p></html>";

/// Answers requests that no other route handles.
pub(super) async fn serve(app: &App, request: Request) -> Response {
    let (Parts { method, uri, headers, .. }, _) = request.into_parts();
    if is_api(uri.path()) {
        return HttpError::from(ApiError::no_route(&uri)).into_response();
    }
    if !matches!(method, Method::GET | Method::HEAD) {
        return method_not_allowed(method, uri).await.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    if path.is_empty() {
        return Redirect::temporary("/sessions").into_response();
    }
    if let Some(page) = of_long_name(path) {
        return Redirect::temporary(&page).into_response();
    }
    if is_route(path) {
        return match app.client.find(PAGE).await {
            Some(page) => send_page(app, &headers, path, page),
            None => not_built(),
        };
    }
    match app.client.find(path).await {
        Some(_) if path == PAGE => Redirect::temporary("/sessions").into_response(),
        Some(asset) => {
            let lasting = if is_hashed(path) { FOREVER } else { EACH_TIME };
            let mut response = send(&headers, asset, path, lasting);
            if path == WORKER {
                // It loads nothing.
                set_policy(&mut response, "default-src 'none'; frame-ancestors 'none'");
            }
            if path == ELEMENT {
                for (name, value) in ELEMENT_HEADERS {
                    insert(&mut response, HeaderName::from_static(name), value);
                }
            }
            response
        }
        None => nowhere(app, &uri, &headers).await,
    }
}

/// Answers a request for an address that does not exist: with the client's page for browsers.
async fn nowhere(app: &App, uri: &Uri, headers: &HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let page = if is_reader(accept) { app.client.find(PAGE).await } else { None };
    let Some(page) = page else { return HttpError::from(ApiError::no_route(uri)).into_response() };
    let mut response = send_page(app, headers, uri.path().trim_start_matches('/'), page);
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

fn send_page(app: &App, headers: &HeaderMap, path: &str, page: Asset) -> Response {
    let text = String::from_utf8_lossy(&page.plain).into_owned();
    let mut response = send(headers, page, PAGE, EACH_TIME);
    set_policy(&mut response, &csp::policy(&text, path, &app.frame_ancestors));
    response
}

fn not_built() -> Response {
    let kind = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, kind, NOT_BUILT).into_response();
    set_policy(&mut response, "default-src 'none'; frame-ancestors 'none'");
    response
}

fn set_policy(response: &mut Response, policy: &str) {
    match HeaderValue::from_str(policy) {
        Ok(policy) => {
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
        // Not expected: the configuration is checked when the relay starts.
        Err(error) => tracing::error!(%error, "the page's policy is not a valid header"),
    }
}

fn send(headers: &HeaderMap, asset: Asset, path: &str, lasting: &'static str) -> Response {
    let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| {
        tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == asset.etag)
    });
    // A weak tag, as all encodings of a file share it.
    let etag = format!("W/{}", asset.etag);
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let (encoding, body) = encoded(headers, asset);
        let mut response = Response::new(Body::from(body));
        let kind = mime_guess::from_path(path).first_or_octet_stream();
        let kind = match kind.type_() {
            mime_guess::mime::TEXT => format!("{kind}; charset=utf-8"),
            _ => kind.to_string(),
        };
        insert(&mut response, CONTENT_TYPE, &kind);
        if let Some(encoding) = encoding {
            insert(&mut response, CONTENT_ENCODING, encoding);
        }
        response
    };
    insert(&mut response, ETAG, &etag);
    insert(&mut response, VARY, "accept-encoding");
    insert(&mut response, CACHE_CONTROL, lasting);
    response
}

/// Returns the smallest encoding that the browser accepts.
fn encoded(headers: &HeaderMap, asset: Asset) -> (Option<&'static str>, Bytes) {
    match asset {
        Asset { brotli: Some(body), .. } if accepts(headers, "br") => (Some("br"), body),
        Asset { gzip: Some(body), .. } if accepts(headers, "gzip") => (Some("gzip"), body),
        Asset { plain, .. } => (None, plain),
    }
}

fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused =
            parts.any(|weight| weight.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32)));
        named && !refused
    })
}

fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_used_where_it_is_accepted() {
        let accept = |value: &'static str| {
            HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))])
        };
        assert!(accepts(&accept("gzip, deflate, br"), "br"));
        assert!(accepts(&accept("br;q=0.5"), "br"));
        assert!(!accepts(&accept("br;q=0, gzip"), "br"));
        assert!(!accepts(&HeaderMap::new(), "br"));
    }
}
