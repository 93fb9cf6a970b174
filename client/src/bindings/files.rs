//! Files on their way to and from the relay, with the code that is loaded with the page of files.

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DataTransfer, HtmlInputElement};

use super::chunk::Chunk;
use super::images::PickedFile;
use super::options::set;
use super::part::{self, LoadError};

/// The script for files, once it is loaded.
#[derive(Debug, Clone)]
pub struct FilesCode(FilesModule);

/// The body of a request.
#[derive(Debug, Clone)]
pub enum SendBody {
    /// A request without a body.
    Nothing,
    /// A file of the user.
    File(PickedFile),
    /// A text, sent as UTF-8.
    Text(String),
    /// Bytes that the browser holds.
    Bytes(Chunk),
}

/// A request about a file.
#[derive(Debug)]
pub struct SendCall {
    /// The HTTP method, such as `PUT`.
    pub method: &'static str,
    /// The path and query.
    pub path: String,
    /// The bearer token; the browser's cookie stands for it otherwise.
    pub token: Option<String>,
    /// Headers besides the token, by name.
    pub headers: Vec<(&'static str, String)>,
    /// The body of the request.
    pub body: SendBody,
}

/// The outcome of a request: the relay's answer, or a status that says why there was none.
#[derive(Debug, Clone)]
pub struct SendAnswer {
    /// The HTTP status; 0 if there was no answer, and -1 if the request was given up.
    pub status: i32,
    /// The header `ETag`, quotes included.
    pub tag: String,
    /// The body of the answer.
    pub body: Chunk,
}

/// A request that is being sent. Dropping it does not end it.
pub struct Sending {
    answer: Promise,
    abort: AbortHandle,
    progress: Closure<dyn FnMut(f64)>,
}

/// Gives up a request.
#[derive(Debug, Clone)]
pub struct AbortHandle(SentRequest);

/// A file or an empty folder that somebody has dropped or picked.
#[derive(Debug, Clone)]
pub struct DroppedFile {
    /// The path, relative to where it was dropped.
    pub path: String,
    /// The file; `None` for a folder, or if it cannot be read.
    pub file: Option<PickedFile>,
    /// True if the browser cannot read it.
    pub is_unreadable: bool,
}

/// An address of an image, until it is dropped.
#[must_use = "dropping it frees the image"]
pub struct ImageAddress {
    module: FilesModule,
    address: String,
}

impl FilesCode {
    /// Loads the code, and adds the page's style to the page. Later calls return it at once.
    ///
    /// # Errors
    /// [`LoadError`]; a later call may succeed.
    pub async fn load() -> Result<Self, LoadError> {
        Ok(Self(part::FILES.load().await?.unchecked_into()))
    }

    /// Sends a request. Calls `progress` with the number of bytes that were sent, or received if the
    /// request has no body.
    #[must_use]
    pub fn send(&self, call: SendCall, progress: impl FnMut(f64) + 'static) -> Sending {
        let SendCall { method, path, token, headers, body } = call;
        let progress: Closure<dyn FnMut(f64)> = Closure::new(progress);
        let list = Array::new();
        for (name, value) in headers {
            list.push(&Array::of2(&name.into(), &value.into()));
        }
        let body = match body {
            SendBody::Nothing => JsValue::NULL,
            SendBody::File(file) => file.into(),
            SendBody::Text(text) => text.into(),
            SendBody::Bytes(bytes) => bytes.array().into(),
        };
        let options = Object::new();
        set(&options, "method", &method.into());
        set(&options, "path", &path.into());
        set(&options, "token", &token.into());
        set(&options, "headers", &list);
        set(&options, "body", &body);
        set(&options, "progress", progress.as_ref());
        let request = self.0.send(&options);
        Sending { answer: request.answer(), abort: AbortHandle(request), progress }
    }

    /// Returns the files of a drop, with those in its folders. Stops after `most`.
    pub async fn dropped(&self, transfer: &DataTransfer, most: u32) -> Vec<DroppedFile> {
        let found = JsFuture::from(self.0.dropped(transfer, most)).await;
        found.map(|found| listed(&found.unchecked_into())).unwrap_or_default()
    }

    /// Returns the files that were picked in a field for files, and empties it.
    #[must_use]
    pub fn picked(&self, field: &HtmlInputElement) -> Vec<DroppedFile> {
        listed(&self.0.picked(field))
    }

    /// Has the browser store a content as a file.
    pub fn save(&self, name: &str, content: &Chunk) {
        self.0.save(name, content.array());
    }

    /// Returns an address at which the browser shows an image. `kind` must be its media type.
    pub fn image_address(&self, content: &Chunk, kind: &str) -> ImageAddress {
        ImageAddress {
            module: self.0.clone(),
            address: self.0.image_address(content.array(), kind),
        }
    }
}

fn listed(found: &Array) -> Vec<DroppedFile> {
    let one = |value: JsValue| {
        let get = |key: &str| Reflect::get(&value, &key.into()).unwrap_or_default();
        let file = get("file");
        DroppedFile {
            path: get("path").as_string().unwrap_or_default(),
            is_unreadable: file.is_undefined(),
            file: (!file.is_undefined() && !file.is_null()).then(|| file.unchecked_into()),
        }
    };
    found.iter().map(one).collect()
}

impl Sending {
    /// Returns what gives up the request.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        self.abort.clone()
    }

    /// Waits for the answer.
    pub async fn answer(self) -> SendAnswer {
        let Self { answer, progress, .. } = self;
        // It is always resolved.
        let answer: SentAnswer = JsFuture::from(answer).await.unwrap_or_default().unchecked_into();
        drop(progress);
        let (status, tag) = (answer.status(), answer.tag());
        SendAnswer { status, tag, body: Chunk::of_array(answer.body()) }
    }
}

impl AbortHandle {
    /// Gives up the request. Its answer has the status -1, unless it was there already.
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl ImageAddress {
    /// Returns the address for the `src` of an image.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.address
    }
}

impl Drop for ImageAddress {
    fn drop(&mut self) {
        self.module.free_address(&self.address);
    }
}

#[wasm_bindgen]
extern "C" {
    #[derive(Debug, Clone)]
    type FilesModule;
    #[wasm_bindgen(method)]
    fn dropped(this: &FilesModule, transfer: &DataTransfer, most: u32) -> Promise;
    #[wasm_bindgen(method)]
    fn picked(this: &FilesModule, field: &HtmlInputElement) -> Array;
    #[wasm_bindgen(method)]
    fn send(this: &FilesModule, options: &Object) -> SentRequest;
    #[wasm_bindgen(method)]
    fn save(this: &FilesModule, name: &str, bytes: &Uint8Array);
    #[wasm_bindgen(method, js_name = imageAddress)]
    fn image_address(this: &FilesModule, bytes: &Uint8Array, kind: &str) -> String;
    #[wasm_bindgen(method, js_name = freeAddress)]
    fn free_address(this: &FilesModule, address: &str);

    #[derive(Debug, Clone)]
    type SentRequest;
    #[wasm_bindgen(method, getter)]
    fn answer(this: &SentRequest) -> Promise;
    #[wasm_bindgen(method)]
    fn abort(this: &SentRequest);

    type SentAnswer;
    #[wasm_bindgen(method, getter)]
    fn status(this: &SentAnswer) -> i32;
    #[wasm_bindgen(method, getter)]
    fn tag(this: &SentAnswer) -> String;
    #[wasm_bindgen(method, getter)]
    fn body(this: &SentAnswer) -> Uint8Array;
}
