//! The root component around all pages.

use leptos::prelude::*;

use crate::bindings::observe::{self, VisibleHeight};
use crate::bindings::page;
use crate::pages::frame::asks::Asks;
use crate::pages::frame::notices::announce_questions;
use crate::pages::frame::palette::Palette;
use crate::pages::parts::{self, PagePart};
use crate::pages::{AskToken, NotFound, SessionsPage};
use crate::session::access::PageAccess;
use crate::session::actions::Actions;
use crate::session::code;
use crate::session::overview::OverviewState;
use crate::session::route::{PageRoute, Router};
use crate::ui::When;
use crate::ui::preferences::Preferences;
use crate::ui::when::live;

/// The root component of the application.
#[component]
pub fn App() -> impl IntoView {
    let access = PageAccess::provide();
    code::redeem(access);
    let _ = Preferences::provide();
    let _ = OverviewState::provide();
    announce_questions();
    let _: StoredValue<VisibleHeight, LocalStorage> =
        StoredValue::new_local(observe::visible_height());
    let router = Router::provide();
    let _ = Actions::provide();
    page::remove_id("boot");
    view! {
        <When condition=move || access.is_opening()>
            <main class="lone" aria-busy="true">"Opening…"</main>
        </When>
        <When condition=move || access.is_refused() && !access.is_opening()>
            <AskToken />
        </When>
        <When condition=move || !access.is_refused() && !access.is_opening()>
            {pages(router)}
            <Palette />
            <Asks />
        </When>
    }
}

/// Renders the current page. Another page, and the same page of another session, is built anew.
fn pages(router: Router) -> AnyView {
    let page = Memo::new(move |_| router.page());
    live(move || match page.get() {
        PageRoute::Sessions { .. } => view! { <SessionsPage /> }.into_any(),
        PageRoute::Session(id) => parts::page_by_driver(id),
        PageRoute::Terminal(id) => parts::session_page(PagePart::Terminal, id),
        PageRoute::Approvals => parts::approvals_page(),
        PageRoute::NotFound => view! { <NotFound /> }.into_any(),
    })
}
