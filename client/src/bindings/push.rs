//! Notices for when no page is open: `push.js`, which is loaded once it is needed.

use js_sys::{Array, JsString, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::window;

use super::part::import;
use super::storage::{self, Area};

/// The address of the script, which is the service worker as well.
const SCRIPT: &str = "/push.js";
/// The key in the browser's storage under which the script keeps the id of its subscription.
const KEPT: &str = "moorline.push";

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = moorlinePush, js_name = isOffered, catch)]
    async fn is_offered_by(token: Option<String>) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = moorlinePush, js_name = turnOn, catch)]
    async fn subscribe(token: Option<String>) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = moorlinePush, js_name = turnOff, catch)]
    async fn unsubscribe(token: Option<String>) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = moorlinePush, js_name = close, catch)]
    async fn close_others(sessions: Array) -> Result<JsValue, JsValue>;
}

/// Returns true if this browser can get notices while no page is open.
fn is_supported() -> bool {
    let Some(window) = window() else { return false };
    let has = |object: &JsValue, name: &str| Reflect::has(object, &name.into()).unwrap_or_default();
    has(&window, "PushManager") && has(&window.navigator(), "serviceWorker")
}

async fn load() -> Result<(), JsValue> {
    JsFuture::from(import(SCRIPT)).await.map(drop)
}

/// Returns true if this browser gets notices while no page is open.
#[must_use]
pub fn is_on() -> bool {
    storage::get(Area::Browser, KEPT).is_some()
}

/// Returns true if both this browser and the relay can do it.
pub async fn is_offered(token: Option<String>) -> bool {
    is_supported()
        && load().await.is_ok()
        && is_offered_by(token).await.is_ok_and(|offered| offered.is_truthy())
}

/// Subscribes to notices, or renews the subscription.
///
/// # Errors
/// The reason, as a sentence for the user.
pub async fn turn_on(token: Option<String>) -> Result<(), String> {
    let reason = |error: JsValue| {
        let message = Reflect::get(&error, &"message".into()).ok().and_then(|it| it.as_string());
        message.unwrap_or_else(|| "This browser cannot subscribe to notices.".to_owned())
    };
    load().await.map_err(reason)?;
    subscribe(token).await.map(drop).map_err(reason)
}

/// Ends this browser's subscription at its push service and at the relay.
pub async fn turn_off(token: Option<String>) {
    // What fails is gone with the token, or ends by itself.
    if load().await.is_ok() {
        let _ = unsubscribe(token).await;
    }
}

/// Closes the notices of all sessions but these, which still ask.
pub async fn close(asking: Vec<String>) {
    let asking: Array = asking.iter().map(|id| JsString::from(&**id)).collect();
    if load().await.is_ok() {
        // A notice that stays is only old.
        let _ = close_others(asking).await;
    }
}
