//! Media queries and changes of their results.

use gloo_events::EventListener;
use web_sys::{MediaQueryList, window};

fn query(text: &str) -> Option<MediaQueryList> {
    window()?.match_media(text).ok().flatten()
}

/// Returns true if the media query `text` matches now.
#[must_use]
pub fn matches(text: &str) -> bool {
    query(text).is_some_and(|list| list.matches())
}

/// Watches a media query until dropped.
#[must_use = "dropping it stops watching"]
pub struct MediaWatch {
    _listener: Option<EventListener>,
}

/// Calls `changed` with the new result whenever the result of the media query `text` changes.
pub fn watch(text: &str, changed: impl Fn(bool) + 'static) -> MediaWatch {
    let listener = query(text).map(|list| {
        let target = list.clone();
        EventListener::new(&target, "change", move |_| changed(list.matches()))
    });
    MediaWatch { _listener: listener }
}
