//! The page for an address that leads nowhere.

use leptos::prelude::*;

use crate::ui::Mark;

/// Says that nothing is here, and links to the sessions.
#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <main class="lone">
            <div class="card">
                <Mark />
                <h1>"Page not found"</h1>
                <p>"Moorline has no page at this address."</p>
                <a href="/sessions" class="button primary">"All sessions"</a>
            </div>
        </main>
    }
}
