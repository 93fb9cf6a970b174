//! Passkeys, by the browser's own readers and writers of JSON.

use js_sys::{JSON, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::window;

use super::origin::PageOrigin;
use super::page;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = PublicKeyCredential, js_name = parseCreationOptionsFromJSON, catch)]
    fn creation(options: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = PublicKeyCredential, js_name = parseRequestOptionsFromJSON, catch)]
    fn request(options: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = ["navigator", "credentials"], js_name = create, catch)]
    async fn make(options: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = ["navigator", "credentials"], js_name = get, catch)]
    async fn sign(options: &JsValue) -> Result<JsValue, JsValue>;
}

/// Returns true if this browser can use passkeys for this page: over HTTPS, and by a name.
#[must_use]
pub fn is_offered() -> bool {
    let credential = window().and_then(|it| Reflect::get(&it, &"PublicKeyCredential".into()).ok());
    let has = |name: &str| {
        let has = |it: &JsValue| it.is_function() && Reflect::has(it, &name.into()) == Ok(true);
        credential.as_ref().is_some_and(has)
    };
    has("parseCreationOptionsFromJSON")
        && has("parseRequestOptionsFromJSON")
        && has_name(&page::origin())
}

/// Has a device make a passkey, by the relay's options. Both are JSON.
///
/// # Errors
/// The reason, as a sentence for the user.
pub async fn create(options: &str) -> Result<String, &'static str> {
    let options = JSON::parse(options).and_then(|options| creation(&options));
    let made = async { written(&make(&argument(&options?)?).await?) };
    made.await.map_err(|error| reason(&error))
}

/// Has a device sign the relay's challenge. Both are JSON.
///
/// # Errors
/// The reason, as a sentence for the user.
pub async fn get(options: &str) -> Result<String, &'static str> {
    let options = JSON::parse(options).and_then(|options| request(&options));
    let signed = async { written(&sign(&argument(&options?)?).await?) };
    signed.await.map_err(|error| reason(&error))
}

fn argument(options: &JsValue) -> Result<JsValue, JsValue> {
    let argument = js_sys::Object::new();
    Reflect::set(&argument, &"publicKey".into(), options)?;
    Ok(argument.into())
}

/// Returns a credential as JSON: the browser calls its `toJSON`.
fn written(credential: &JsValue) -> Result<String, JsValue> {
    JSON::stringify(credential).map(String::from)
}

fn reason(error: &JsValue) -> &'static str {
    let name = Reflect::get(error, &"name".into()).ok().and_then(|name| name.as_string());
    match name.as_deref() {
        Some("InvalidStateError") => "This device has a passkey for the same token already.",
        Some("NotAllowedError" | "AbortError") => "No passkey was used.",
        Some("SecurityError") => "This browser uses no passkeys under the relay's name.",
        _ => "This browser could not use a passkey.",
    }
}

/// Returns true for a page that was loaded over HTTPS by a name: browsers make no passkeys for
/// addresses.
fn has_name(origin: &str) -> bool {
    PageOrigin::read(origin).is_some_and(|origin| origin.is_tls && !origin.is_address())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn passkeys_need_a_name_and_https() {
        for origin in ["https://moor.example", "https://localhost:3010", "https://box"] {
            assert!(has_name(origin), "{origin}");
        }
        for origin in [
            "http://moor.example",
            "https://127.0.0.1:3010",
            "https://[::1]:3010",
            "app://obsidian.md",
            "null",
        ] {
            assert!(!has_name(origin), "{origin}");
        }
    }
}
