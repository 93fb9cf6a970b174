//! Requests to the server that the page came from.

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    AbortController, AbortSignal, Headers, ReadableStreamDefaultReader, Request, RequestCache,
    RequestInit, Response, window,
};

/// A request. The token goes into a header.
#[derive(Debug, Clone, Copy, Default)]
pub struct Call<'a> {
    /// `GET`, `POST` and so on.
    pub method: &'a str,
    /// With its query, from the server's root.
    pub path: &'a str,
    /// The token, where there is one.
    pub token: Option<&'a str>,
    /// JSON.
    pub body: Option<&'a str>,
    /// Where an event stream goes on.
    pub last_event_id: Option<&'a str>,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// All of it.
    pub text: String,
}

/// No answer came, or only a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer")]
pub struct NoAnswer;

impl From<JsValue> for NoAnswer {
    fn from(_: JsValue) -> Self {
        Self
    }
}

/// Sends a request and waits for all of its answer.
///
/// # Errors
/// [`NoAnswer`].
pub async fn send(call: Call<'_>) -> Result<Answer, NoAnswer> {
    let response = response(&request(call, None)?).await?;
    let text = JsFuture::from(response.text()?).await?;
    Ok(Answer { status: response.status(), text: text.as_string().unwrap_or_default() })
}

/// What comes of a request whose answer is read as it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Download {
    /// The answer begins.
    Answered {
        /// The HTTP status.
        status: u16,
    },
    /// The next bytes.
    Bytes(Vec<u8>),
    /// That was all; nothing follows.
    Ended,
    /// No answer, or it broke off; nothing follows.
    Failed,
}

/// A request whose answer is read as it comes. Dropping it silences it and closes the connection.
#[must_use = "dropping it ends the request"]
pub struct Fetch {
    controller: Option<AbortController>,
}

impl Fetch {
    /// Sends a request and tells `happened` what comes of it, never before this returns.
    pub fn open(call: Call<'_>, happened: impl Fn(Download) + 'static) -> Self {
        let controller = AbortController::new().ok();
        let signal = controller.as_ref().map(AbortController::signal);
        let request = request(call, signal.as_ref());
        spawn_local(async move {
            let end = match request {
                Ok(request) => read(&request, &happened).await,
                Err(none) => Err(none),
            };
            if !signal.is_some_and(|signal| signal.aborted()) {
                happened(if end.is_ok() { Download::Ended } else { Download::Failed });
            }
        });
        Self { controller }
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        if let Some(controller) = &self.controller {
            controller.abort();
        }
    }
}

async fn read(request: &Request, happened: &impl Fn(Download)) -> Result<(), NoAnswer> {
    let response = response(request).await?;
    let signal = request.signal();
    happened(Download::Answered { status: response.status() });
    let Some(body) = response.body() else { return Ok(()) };
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    loop {
        // Between two pieces the owner may have dropped the request.
        if signal.aborted() {
            return Err(NoAnswer);
        }
        let piece = JsFuture::from(reader.read()).await?;
        let field = |name: &str| js_sys::Reflect::get(&piece, &name.into());
        if field("done")?.is_truthy() {
            return Ok(());
        }
        if !signal.aborted() {
            happened(Download::Bytes(Uint8Array::new(&field("value")?).to_vec()));
        }
    }
}

async fn response(request: &Request) -> Result<Response, NoAnswer> {
    let fetch = window().ok_or(NoAnswer)?.fetch_with_request(request);
    Ok(JsFuture::from(fetch).await?.unchecked_into())
}

fn request(call: Call<'_>, signal: Option<&AbortSignal>) -> Result<Request, NoAnswer> {
    let headers = Headers::new()?;
    if let Some(token) = call.token {
        headers.set("authorization", &format!("Bearer {token}"))?;
    }
    if let Some(id) = call.last_event_id {
        headers.set("last-event-id", id)?;
    }
    let options = RequestInit::new();
    if let Some(body) = call.body {
        headers.set("content-type", "application/json")?;
        options.set_body(&body.into());
    }
    options.set_method(call.method);
    options.set_cache(RequestCache::NoStore);
    options.set_headers(&headers);
    options.set_signal(signal);
    Ok(Request::new_with_str_and_init(call.path, &options)?)
}
