//! Where no page is.

use leptos::prelude::*;

use crate::ui::Mark;

/// Says that there is nothing, and where there is something.
#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <main class="lone">
            <div class="card">
                <Mark />
                <h1>"Nothing here"</h1>
                <p>"This address leads nowhere in Moorline."</p>
                <a href="/sessions" class="button primary">"All sessions"</a>
            </div>
        </main>
    }
}
