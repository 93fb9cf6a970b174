//! Requests between the Worker's objects: see [`crate::internal`].

use http::Method;
use moorline_shared::id::{SessionId, WorkspaceId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use worker::worker_sys::web_sys;
use worker::{Env, Headers, Response, Result, Stub};

use crate::internal::{DIRECTORY, DIRECTORY_NAME, ORIGIN, SESSION, WORKSPACE_OBJECT};
use crate::reply::RequestFailure;

/// The stub of the one directory object.
pub(crate) fn directory(env: &Env) -> Result<Stub> {
    env.durable_object(DIRECTORY)?.get_by_name(DIRECTORY_NAME)
}

/// The stub of a session's object, whether or not the session exists.
pub(crate) fn session(env: &Env, id: &SessionId) -> Result<Stub> {
    env.durable_object(SESSION)?.get_by_name(id.as_str())
}

/// The stub of a workspace's object, whether or not the workspace exists.
pub(crate) fn workspace(env: &Env, id: &WorkspaceId) -> Result<Stub> {
    env.durable_object(WORKSPACE_OBJECT)?.get_by_name(id.as_str())
}

/// Posts JSON to an object, which must answer with a success.
///
/// # Errors
/// [`RequestFailure::Passed`] with the answer if its status is not 2xx.
pub(crate) async fn post(
    object: &Stub,
    path: &str,
    body: &impl Serialize,
) -> std::result::Result<Response, RequestFailure> {
    let body = serde_json::to_string(body).map_err(worker::Error::from)?;
    succeeded(send(object, path, &body).await?)
}

/// Returns the response if it is a success.
///
/// # Errors
/// [`RequestFailure::Passed`] with the response if its status is not 2xx.
pub(crate) fn succeeded(response: Response) -> std::result::Result<Response, RequestFailure> {
    if (200..300).contains(&response.status_code()) {
        Ok(response)
    } else {
        Err(RequestFailure::Passed(Box::new(response)))
    }
}

/// Posts JSON to an object and returns its answer, whatever the status.
pub(crate) async fn send(object: &Stub, path: &str, body: &str) -> Result<Response> {
    call(object, path, &Headers::new(), Some(body)).await
}

/// Sends an object a request with these headers: a POST if there is a JSON body, else a GET.
pub(crate) async fn call(
    object: &Stub,
    path: &str,
    headers: &Headers,
    body: Option<&str>,
) -> Result<Response> {
    let method = if body.is_some() { Method::POST } else { Method::GET };
    call_by(object, &method, path, headers, body).await
}

/// Sends an object a request with this method and these headers.
pub(crate) async fn call_by(
    object: &Stub,
    method: &Method,
    path: &str,
    headers: &Headers,
    body: Option<&str>,
) -> Result<Response> {
    // Not worker's own type: it pulls in all of Cloudflare's image options.
    let init = web_sys::RequestInit::new();
    init.set_method(method.as_str());
    if let Some(body) = body {
        headers.set("content-type", "application/json")?;
        init.set_body(&JsValue::from_str(body));
    }
    init.set_headers(&headers.0);
    let request = web_sys::Request::new_with_str_and_init(&format!("{ORIGIN}{path}"), &init)?;
    object.fetch_with_request(request.into()).await
}

/// Posts JSON to an object and decodes the JSON that it answers.
///
/// # Errors
/// [`RequestFailure::Passed`] with the answer if its status is not 2xx.
pub(crate) async fn ask<T: DeserializeOwned>(
    object: &Stub,
    path: &str,
    body: &impl Serialize,
) -> std::result::Result<T, RequestFailure> {
    let text = post(object, path, body).await?.text().await?;
    Ok(serde_json::from_str(&text).map_err(worker::Error::from)?)
}
