//! Notices of the system, by the user's consent.

use gloo_events::EventListener;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Notification, NotificationOptions, NotificationPermission, window};

/// A notice that is shown until this is dropped, or the user dismisses it.
#[must_use = "dropping it removes the notice"]
pub struct SystemNotice {
    _listener: EventListener,
    notification: Notification,
}

impl Drop for SystemNotice {
    fn drop(&mut self) {
        self.notification.close();
    }
}

/// Returns true if the user has allowed notices for this page.
#[must_use]
pub fn are_allowed() -> bool {
    has_notices() && Notification::permission() == NotificationPermission::Granted
}

/// Asks the user to allow notices. Returns true if they do.
pub async fn ask() -> bool {
    if !has_notices() {
        return false;
    }
    if let Ok(asked) = Notification::request_permission() {
        // The permission says how it went.
        let _ = JsFuture::from(asked).await;
    }
    are_allowed()
}

/// Shows a notice. A click on it brings this page to the front. `None` if notices are not allowed,
/// or the browser has none for pages, as on some phones.
#[must_use]
pub fn show(title: &str, text: &str) -> Option<SystemNotice> {
    if !are_allowed() {
        return None;
    }
    let options = NotificationOptions::new();
    options.set_body(text);
    options.set_tag("moorline");
    let notification = Notification::new_with_options(title, &options).ok()?;
    let listener = EventListener::new(&notification, "click", |_| {
        if let Some(window) = window() {
            let _ = window.focus();
        }
    });
    Some(SystemNotice { _listener: listener, notification })
}

/// Returns true if the browser has notices at all: it may have none for pages of plain `http`.
fn has_notices() -> bool {
    let name = JsValue::from("Notification");
    window().is_some_and(|window| js_sys::Reflect::has(&window, &name).unwrap_or_default())
}
