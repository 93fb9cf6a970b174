//! The message of a terminal whose code did not load.

use leptos::prelude::*;

use crate::bindings::page;
use crate::pages::terminal::state::TerminalState;

/// Says that the terminal's code did not load, and offers to try again. A relay that was updated
/// has other code: then only another page helps.
#[component]
pub fn Broken() -> impl IntoView {
    let state = TerminalState::expect();
    view! {
        <div class="verdict bad" data-testid="broken" role="alert">
            <h2>"The terminal did not load"</h2>
            <p>
                "The network may be down, or the relay has another version by now. The session \
                 itself keeps running."
            </p>
            <div class="actions">
                <button class="button" on:click=move |_| page::reload()>"Reload the page"</button>
                <button
                    class="button primary"
                    data-testid="load-again"
                    on:click=move |_| state.load_emulator()
                >
                    "Try again"
                </button>
            </div>
        </div>
    }
}
