//! The frame around all pages.

use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;

use crate::access::Access;
use crate::bindings::observe::{self, VisibleHeight};
use crate::bindings::page;
use crate::pages::{AskToken, NotFound, SessionsPage, TerminalPage};
use crate::preferences::Preferences;

/// The whole application.
#[component]
pub fn App() -> impl IntoView {
    let access = Access::provide();
    let _ = Preferences::provide();
    let _: StoredValue<VisibleHeight, LocalStorage> =
        StoredValue::new_local(observe::visible_height());
    page::remove_id("boot");
    view! {
        <Router>
            <ErrorBoundary fallback=|_| view! { <p class="fault">"This page failed. Reload it."</p> }>
                <Show when=move || !access.is_refused() fallback=AskToken>
                    <Routes fallback=NotFound>
                        <Route path=path!("/") view=SessionsPage />
                        <Route path=path!("/sessions") view=SessionsPage />
                        <Route path=path!("/terminal/:id") view=TerminalPage />
                    </Routes>
                </Show>
            </ErrorBoundary>
        </Router>
    }
}
