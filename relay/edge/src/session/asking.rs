//! What the session asks of other objects.

use moorline_shared::rest::ErrorBody;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use worker::{Env, Headers, Method, Request, RequestInit, Response, Stub};

use crate::internal::{DIRECTORY, DIRECTORY_NAME, ORIGIN};

/// Why another object gave no answer of use.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// It was not reached, or the answer is not as it must be.
    #[error("{0}")]
    Failed(#[from] worker::Error),
    /// It says no.
    #[error("{status}: {error}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Why.
        error: String,
    },
}

/// Asks the directory. An answer without a body is `()`.
pub(super) async fn directory<T: DeserializeOwned>(
    env: &Env,
    path: &str,
    body: &impl Serialize,
) -> Result<T, AskError> {
    let directory = env.durable_object(DIRECTORY)?.get_by_name(DIRECTORY_NAME)?;
    answer(post(&directory, path, body).await?).await
}

/// Sends JSON to an object.
pub(super) async fn post(
    object: &Stub,
    path: &str,
    body: &impl Serialize,
) -> worker::Result<Response> {
    let headers = Headers::new();
    headers.set("content-type", "application/json")?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_headers(headers);
    init.with_body(Some(JsValue::from_str(&serde_json::to_string(body)?)));
    let request = Request::new_with_init(&format!("{ORIGIN}{path}"), &init)?;
    object.fetch_with_request(request).await
}

async fn answer<T: DeserializeOwned>(mut response: Response) -> Result<T, AskError> {
    let status = response.status_code();
    let text = response.text().await?;
    if !(200..300).contains(&status) {
        let body = serde_json::from_str::<ErrorBody>(&text);
        let error = body.map_or_else(|_| "no reason was given".to_owned(), |body| body.error);
        return Err(AskError::Refused { status, error });
    }
    let text = if text.is_empty() { "null" } else { &text };
    Ok(serde_json::from_str(text).map_err(worker::Error::from)?)
}
