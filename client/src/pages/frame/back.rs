//! The way back to the list of sessions.

use leptos::prelude::*;

use crate::ui::{Icon, IconName};

/// A link to the list of sessions, at the beginning of a page's bar.
#[component]
pub fn BackLink(
    /// The hint over the link.
    #[prop(optional, default = "All sessions (l)")]
    hint: &'static str,
) -> impl IntoView {
    view! {
        <a href="/sessions" class="icon-button" title=hint aria-label="All sessions">
            <Icon name=IconName::Back />
        </a>
    }
}
