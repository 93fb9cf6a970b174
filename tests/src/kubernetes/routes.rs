//! The way of each request: who asks, what for, and who answers.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Extension, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::changes::{self, DeleteOptions};
use super::json::text;
use super::line::LineFaults;
use super::query::QueryParameters;
use super::resource::{ACCESS_REVIEWS, ResourcePath};
use super::state::SharedState;
use super::status::{ApiError, ApiResult, no_page};
use super::{discovery, exec, logs, objects, table, watching};

/// The largest body of a request, as of a real server.
const BODY_LIMIT_BYTES: usize = 3 * 1024 * 1024;

/// The server of a cluster.
pub(super) fn router(state: SharedState) -> Router {
    Router::new().fallback(answer).with_state(state)
}

async fn answer(
    State(state): State<SharedState>,
    Extension(line): Extension<Arc<LineFaults>>,
    request: Request,
) -> Response {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Err(error) = state.access.authenticate(header) {
        return error.into_response();
    }
    if let Some(answer) = discovery::answer(&state, request.uri().path()) {
        return answer;
    }
    let Some(path) = ResourcePath::parse(request.uri().path()) else { return no_page() };
    let answer = match path.part.as_str() {
        "" => about_object(&state, &path, request).await,
        "exec" if path.resource.plural == "pods" => {
            exec::answer(&state, &path, line, request).await
        }
        "log" if path.resource.plural == "pods" => {
            let query = QueryParameters::of(request.uri());
            let allowed =
                state.access.authorize("get", path.resource, "log", &path.namespace, &path.name);
            match allowed {
                Ok(()) => logs::answer(&state, &path, &query).await,
                Err(error) => Err(error),
            }
        }
        _ => return no_page(),
    };
    answer.unwrap_or_else(ApiError::into_response)
}

async fn about_object(
    state: &SharedState,
    path: &ResourcePath,
    request: Request,
) -> ApiResult<Response> {
    let query = QueryParameters::of(request.uri());
    let verb = verb(request.method(), path, &query).ok_or_else(ApiError::method_not_allowed)?;
    state.access.authorize(verb, path.resource, "", &path.namespace, &path.name)?;
    let headers = request.headers().clone();
    let body = body(request).await?;
    match verb {
        "list" => Ok(shown(&headers, path, objects::list(state, path, &query)?)),
        "watch" => watching::answer(state, path, &query),
        "get" => Ok(shown(&headers, path, objects::get(state, path)?)),
        "create" if *path.resource == ACCESS_REVIEWS => Ok(review(state, body)),
        "create" => objects::create(state, path, &query, body),
        "update" => changes::update(state, path, &query, body),
        "patch" => {
            let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            changes::patch(state, path, &query, content_type.unwrap_or_default(), body)
        }
        "delete" => changes::delete(state, path, &DeleteOptions::new(&query, &body)),
        _ => {
            let options = DeleteOptions::new(&query, &body);
            changes::delete_all(state, path, &query, &options)
                .map(|list| Json(list).into_response())
        }
    }
}

/// The verb of a request, by which access to it is granted.
fn verb(method: &Method, path: &ResourcePath, query: &QueryParameters) -> Option<&'static str> {
    let is_one = !path.name.is_empty();
    let is_real = !path.resource.virtual_only;
    match *method {
        Method::GET if is_real && query.is_true("watch") && !is_one => Some("watch"),
        Method::GET if is_real => Some(if is_one { "get" } else { "list" }),
        Method::POST if !is_one => Some("create"),
        Method::PUT if is_real && is_one => Some("update"),
        Method::PATCH if is_real && is_one => Some("patch"),
        Method::DELETE if is_real => Some(if is_one { "delete" } else { "deletecollection" }),
        _ => None,
    }
}

/// Reads the body of a request: JSON, or YAML that is JSON, as server-side apply may send it.
async fn body(request: Request) -> ApiResult<Value> {
    let content_type = request.headers().get(CONTENT_TYPE).cloned();
    let body = to_bytes(request.into_body(), BODY_LIMIT_BYTES).await;
    let body = body.map_err(|error| ApiError::bad_request(error.to_string()))?;
    if body.is_empty() {
        return Ok(Value::Null);
    }
    let content_type = content_type.as_ref().and_then(|value| value.to_str().ok());
    if content_type.is_some_and(|kind| kind.contains("protobuf")) {
        return Err(ApiError::unsupported_type("application/json"));
    }
    serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(error.to_string()))
}

/// Objects as JSON, or as the table that `kubectl get` asks for.
fn shown(headers: &HeaderMap, path: &ResourcePath, object: Value) -> Response {
    let accepted = headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepted.contains("as=Table;v=v1;") {
        return Json(table::of(path.resource, &object)).into_response();
    }
    Json(object).into_response()
}

/// Says whether the account may do what it asks about.
fn review(state: &SharedState, mut review: Value) -> Response {
    let asked = &review["spec"]["resourceAttributes"];
    let resource = match text(&asked["subresource"]) {
        "" => text(&asked["resource"]).to_owned(),
        part => format!("{}/{part}", text(&asked["resource"])),
    };
    let allowed = state.access.may(text(&asked["verb"]), &resource);
    review["status"] = json!({ "allowed": allowed });
    if allowed {
        review["status"]["reason"] = "RBAC: allowed by the test".into();
    }
    (StatusCode::CREATED, Json(review)).into_response()
}
