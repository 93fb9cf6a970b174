//! The icons that only these pages have, on a grid of 16.

use leptos::prelude::*;

pub(super) const DOWNLOAD: &str = "M8 2.5v7.5M4.5 6.8 8 10.3l3.5-3.5M3 13.5h10";
pub(super) const UPLOAD: &str = "M8 10.5V3M4.5 6.2 8 2.7l3.5 3.5M3 13.5h10";
pub(super) const UPLOAD_FOLDER: &str =
    "M1.5 4.5v8h13v-7H8L6.5 3.5h-5zM8 10.8V7.2M6.3 8.8 8 7.1l1.7 1.7";
pub(super) const NEW_FILE: &str = "M3.5 2h6l3 3v9h-9zM9.5 2v3h3M8 7.2v4M6 9.2h4";
pub(super) const NEW_FOLDER: &str = "M1.5 4.5v8h13v-7H8L6.5 3.5h-5zM8 7v4M6 9h4";

/// Draws an icon. Screen readers skip it: the control around it has the label.
pub(super) fn icon(path: &'static str) -> AnyView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
            <path d=path />
        </svg>
    }
    .into_any()
}
