//! How one object asks another: see [`crate::internal`].

use moorline_shared::id::SessionId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use worker::{Env, Headers, Method, Request, RequestInit, Response, Result, Stub};

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
    let headers = Headers::new();
    headers.set("content-type", "application/json")?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_headers(headers);
    let body = serde_json::to_string(body).map_err(worker::Error::from)?;
    init.with_body(Some(JsValue::from_str(&body)));
    let request = Request::new_with_init(&format!("{ORIGIN}{path}"), &init)?;
    let response = object.fetch_with_request(request).await?;
    if (200..300).contains(&response.status_code()) {
        Ok(response)
    } else {
        Err(Failure::Passed(Box::new(response)))
    }
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
