//! Web storage, on a best-effort basis: inside a cross-site frame with third-party data blocked,
//! even accessing it throws, and then nothing is kept.

use std::cell::Cell;

use gloo_events::EventListener;

use web_sys::Storage;

thread_local! {
    /// True if this page uses nothing that the browser has stored.
    static IS_OFF: Cell<bool> = const { Cell::new(false) };
}

/// Keeps this page from reading and storing anything, also where the browser would allow it. Its
/// requests carry no cookies from then on.
pub fn turn_off() {
    IS_OFF.set(true);
}

/// Returns true if this page uses nothing that the browser has stored.
pub(super) fn is_off() -> bool {
    IS_OFF.get()
}

/// A storage area of the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Storage of this tab, which survives reloads.
    Tab,
    /// Storage of this browser, shared by all tabs.
    Browser,
}

fn storage(area: Area) -> Option<Storage> {
    let window = web_sys::window().filter(|_| !IS_OFF.get())?;
    match area {
        Area::Tab => window.session_storage(),
        Area::Browser => window.local_storage(),
    }
    .ok()
    .flatten()
}

/// Returns true if the browser lets this page store something.
#[must_use]
pub fn is_allowed(area: Area) -> bool {
    storage(area).is_some()
}

/// Listens for what other tabs store until dropped.
#[must_use = "dropping it stops listening"]
pub struct StorageWatch {
    _listener: Option<EventListener>,
}

/// Calls `changed` whenever another tab of this browser has stored or removed something.
pub fn watch(changed: impl Fn() + 'static) -> StorageWatch {
    let window = web_sys::window().filter(|_| !IS_OFF.get());
    let listener = window.map(|window| EventListener::new(&window, "storage", move |_| changed()));
    StorageWatch { _listener: listener }
}

/// Returns the value stored under `key`, or `None` if there is none or storage is not allowed.
#[must_use]
pub fn get(area: Area, key: &str) -> Option<String> {
    storage(area)?.get_item(key).ok().flatten()
}

/// Stores `value` under `key`. Returns true if that succeeded.
pub fn set(area: Area, key: &str, value: &str) -> bool {
    storage(area).is_some_and(|storage| storage.set_item(key, value).is_ok())
}

/// Removes the value stored under `key`.
pub fn remove(area: Area, key: &str) {
    if let Some(storage) = storage(area) {
        // If removing is not allowed, nothing can have been stored.
        let _ = storage.remove_item(key);
    }
}

/// Returns the keys under which something is stored and that begin with `prefix`, in no order.
#[must_use]
pub fn keys(area: Area, prefix: &str) -> Vec<String> {
    let Some(storage) = storage(area) else { return Vec::new() };
    let count = storage.length().unwrap_or_default();
    let all = (0..count).filter_map(|index| storage.key(index).ok().flatten());
    all.filter(|key| key.starts_with(prefix)).collect()
}
