//! The buttons of a search bar.

use leptos::prelude::*;

use super::icon::{Icon, IconName};

/// The buttons at the end of a search bar: previous match, next match, close.
#[component]
pub fn SearchButtons(
    /// Called to go to the next match; with false, to the previous one.
    step: Callback<bool>,
    /// Called to close the bar.
    close: Callback<()>,
) -> impl IntoView {
    view! {
        <button class="icon-button" title="Previous (Enter with Shift)" aria-label="Previous match"
            data-testid="find-previous" on:click=move |_| step.run(false)>
            <Icon name=IconName::Up />
        </button>
        <button class="icon-button" title="Next (Enter)" aria-label="Next match"
            data-testid="find-next" on:click=move |_| step.run(true)>
            <Icon name=IconName::Down />
        </button>
        <button class="icon-button" title="Close (Esc)" aria-label="Close search"
            on:click=move |_| close.run(())>
            <Icon name=IconName::Cross />
        </button>
    }
}
