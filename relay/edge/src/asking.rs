//! How one object asks another: see [`crate::internal`].

use moorline_shared::id::SessionId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use worker::worker_sys::web_sys;
use worker::{Env, Headers, Response, Result, Stub};

use crate::internal::{DIRECTORY, DIRECTORY_NAME, ORIGIN, SESSION};
use crate::reply::Failure;

/// The directory.
pub(crate) fn directory(env: &Env) -> Result<Stub> {
    env.durable_object(DIRECTORY)?.get_by_name(DIRECTORY_NAME)
}

/// A session's object, whether or not there is such a session.
pub(crate) fn session(env: &Env, id: &SessionId) -> Result<Stub> {
    env.durable_object(SESSION)?.get_by_name(id.as_str())
}

/// Sends JSON to an object, which has to answer with a success.
///
/// # Errors
/// The answer, where it is none.
pub(crate) async fn post(
    object: &Stub,
    path: &str,
    body: &impl Serialize,
) -> std::result::Result<Response, Failure> {
    let body = serde_json::to_string(body).map_err(worker::Error::from)?;
    succeeded(send(object, path, &body).await?)
}

/// An answer that is a success.
///
/// # Errors
/// It, where it is none.
pub(crate) fn succeeded(response: Response) -> std::result::Result<Response, Failure> {
    if (200..300).contains(&response.status_code()) {
        Ok(response)
    } else {
        Err(Failure::Passed(Box::new(response)))
    }
}

/// Sends JSON to an object.
pub(crate) async fn send(object: &Stub, path: &str, body: &str) -> Result<Response> {
    call(object, path, &Headers::new(), Some(body)).await
}

/// Asks an object for something with these headers, or sends it JSON.
pub(crate) async fn call(
    object: &Stub,
    path: &str,
    headers: &Headers,
    body: Option<&str>,
) -> Result<Response> {
    // Not worker's own: that one brings all that Cloudflare can do with images.
    let init = web_sys::RequestInit::new();
    if let Some(body) = body {
        headers.set("content-type", "application/json")?;
        init.set_method("POST");
        init.set_body(&JsValue::from_str(body));
    }
    init.set_headers(&headers.0);
    let request = web_sys::Request::new_with_str_and_init(&format!("{ORIGIN}{path}"), &init)?;
    object.fetch_with_request(request.into()).await
}

/// The same, with the JSON that is answered.
///
/// # Errors
/// The answer, where it is no success.
pub(crate) async fn ask<T: DeserializeOwned>(
    object: &Stub,
    path: &str,
    body: &impl Serialize,
) -> std::result::Result<T, Failure> {
    let text = post(object, path, body).await?.text().await?;
    Ok(serde_json::from_str(&text).map_err(worker::Error::from)?)
}
