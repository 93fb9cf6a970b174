//! Web storage, as a bonus only: inside a cross-site frame with third-party data blocked, even
//! asking for it throws, and then nothing is kept.

use web_sys::Storage;

/// Which storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Of this tab, over reloads.
    Tab,
    /// Of this browser.
    Browser,
}

fn storage(area: Area) -> Option<Storage> {
    let window = web_sys::window()?;
    match area {
        Area::Tab => window.session_storage(),
        Area::Browser => window.local_storage(),
    }
    .ok()
    .flatten()
}

/// What is stored under `key`; `None` where nothing is or storage is not allowed.
#[must_use]
pub fn get(area: Area, key: &str) -> Option<String> {
    storage(area)?.get_item(key).ok().flatten()
}

/// Stores `value` under `key` and tells whether that worked.
pub fn set(area: Area, key: &str, value: &str) -> bool {
    storage(area).is_some_and(|storage| storage.set_item(key, value).is_ok())
}

/// Forgets what is stored under `key`.
pub fn remove(area: Area, key: &str) {
    if let Some(storage) = storage(area) {
        // Where removing is not allowed, nothing can have been stored.
        let _ = storage.remove_item(key);
    }
}
