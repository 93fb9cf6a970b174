//! The button that loads a list again.

use leptos::prelude::*;

use super::icon::{Icon, IconName};

/// A button that loads what a page shows again.
#[component]
pub fn ReloadButton(
    /// Called when the button is pressed.
    load: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            class="icon-button"
            title="Load again"
            aria-label="Load again"
            data-testid="reload"
            on:click=move |_| load.run(())
        >
            <Icon name=IconName::Again />
        </button>
    }
}
