//! Small facts of a terminal that change at each frame, where pages and scripts read them.

use leptos::prelude::*;

use crate::bindings::page;
use crate::session::Progress;

/// Sets a signal only if its value changes, so that reports at each frame do not wake its readers.
pub(super) fn set_if_other(signal: RwSignal<bool>, value: bool) {
    if signal.get_untracked() != value {
        signal.set(value);
    }
}

/// Sets attributes with the progress of the terminal's content, for scripts.
pub(super) fn mark(place: &page::HtmlElement, progress: &Progress) {
    let mut attributes = vec![
        ("data-applied-seq", progress.seq.to_string()),
        ("data-applied-bytes", progress.bytes.to_string()),
        ("data-applied-from", progress.from.to_string()),
    ];
    attributes.extend(progress.digest.map(|digest| ("data-applied-digest", digest.hex())));
    page::set_attributes(place, &attributes);
}
