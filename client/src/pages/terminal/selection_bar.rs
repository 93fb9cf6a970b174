//! Actions on text that a finger has selected.

use leptos::prelude::*;

use crate::pages::terminal::state::TerminalState;
use crate::ui::{Icon, IconName, When};

/// Copies or clears the selection.
#[component]
pub fn SelectionBar() -> impl IntoView {
    let state = TerminalState::expect();
    let copy = move |_| {
        state.copy();
        state.unselect();
    };
    view! {
        <When condition=move || state.selected.get()>
            <div class="selection-bar" role="toolbar" aria-label="Selection" data-testid="selection">
                <button class="button primary" data-testid="copy-selection" on:click=copy>
                    <Icon name=IconName::Copy />
                    <span>"Copy"</span>
                </button>
                <button
                    class="icon-button"
                    title="Clear selection"
                    aria-label="Clear selection"
                    on:click=move |_| state.unselect()
                >
                    <Icon name=IconName::Cross />
                </button>
            </div>
        </When>
    }
}
