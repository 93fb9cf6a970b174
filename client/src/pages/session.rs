//! The page of one session: what it did and does.

use leptos::prelude::*;
use moorline_shared::id::SessionId;

use crate::bindings::page;
use crate::route::Route;

/// Shows a session besides its terminal.
#[component]
pub fn SessionPage(
    /// Which.
    id: SessionId,
) -> impl IntoView {
    page::set_title("Session · Moorline");
    view! {
        <main class="lone">
            <div class="card">
                <a href=Route::Terminal(id).address() class="button primary">"Open its terminal"</a>
                <a href="/sessions" class="button">"All sessions"</a>
            </div>
        </main>
    }
}
