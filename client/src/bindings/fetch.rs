//! Requests to the server that the page came from.

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, Request, RequestCache, RequestCredentials, RequestInit, Response, window};

use super::storage;

/// An HTTP request. The token is sent in the `Authorization` header. Without one, the browser's cookie
/// stands for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct FetchCall<'a> {
    /// The HTTP method, such as `GET` or `POST`.
    pub method: &'a str,
    /// The path and query, relative to the server's root.
    pub path: &'a str,
    /// The bearer token, if any.
    pub token: Option<&'a str>,
    /// The JSON body, if any.
    pub body: Option<&'a str>,
}

/// A complete answer with any status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchAnswer {
    /// The HTTP status code.
    pub status: u16,
    /// The whole body as text.
    pub text: String,
}

/// No answer arrived, or only a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer")]
pub struct NoAnswer;

impl From<JsValue> for NoAnswer {
    fn from(_: JsValue) -> Self {
        Self
    }
}

/// Sends a request and waits for the complete answer.
///
/// # Errors
/// [`NoAnswer`].
pub async fn send(call: FetchCall<'_>) -> Result<FetchAnswer, NoAnswer> {
    let response = response(&request(call)?).await?;
    let text = JsFuture::from(response.text()?).await?;
    Ok(FetchAnswer { status: response.status(), text: text.as_string().unwrap_or_default() })
}

async fn response(request: &Request) -> Result<Response, NoAnswer> {
    let fetch = window().ok_or(NoAnswer)?.fetch_with_request(request);
    Ok(JsFuture::from(fetch).await?.unchecked_into())
}

fn request(call: FetchCall<'_>) -> Result<Request, NoAnswer> {
    let headers = Headers::new()?;
    if let Some(token) = call.token {
        headers.set("authorization", &format!("Bearer {token}"))?;
    }
    let options = RequestInit::new();
    if let Some(body) = call.body {
        headers.set("content-type", "application/json")?;
        options.set_body(&body.into());
    }
    options.set_method(call.method);
    options.set_cache(RequestCache::NoStore);
    if storage::is_off() {
        options.set_credentials(RequestCredentials::Omit);
    }
    options.set_headers(&headers);
    Ok(Request::new_with_str_and_init(call.path, &options)?)
}
