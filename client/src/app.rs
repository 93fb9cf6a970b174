//! The root component around all pages.

use leptos::prelude::*;
use moorline_shared::embed::EmbedKind;
use moorline_shared::id::SessionId;

use crate::bindings::observe::{self, VisibleHeight};
use crate::bindings::{history, page, storage};
use crate::pages::frame::asks::{Asks, PodTemplatesView, TmuxPickerView};
use crate::pages::frame::notices::announce_questions;
use crate::pages::frame::palette::Palette;
use crate::pages::parts;
use crate::pages::{NotFound, SessionsPage};
use crate::session::access::PageAccess;
use crate::session::actions::Actions;
use crate::session::code;
use crate::session::login;
use crate::session::overview::OverviewState;
use crate::session::route::{PageRoute, Router};
use crate::ui::When;
use crate::ui::preferences::Preferences;
use crate::ui::when::live;

/// The root component of the application.
#[component]
pub fn App() -> AnyView {
    match PageRoute::of(&history::address()) {
        PageRoute::Embed { id, kind } => framed(id, kind),
        _ => whole(),
    }
}

/// Renders a session for a frame on another page. The page there may be anyone's, so this one uses
/// neither the cookie nor a token that the browser has stored, and stores none.
fn framed(id: SessionId, kind: EmbedKind) -> AnyView {
    storage::turn_off();
    let (access, _) = provide_state(true);
    access.watch_address(PageAccess::accept);
    parts::embed_page(id, kind)
}

/// Provides what all pages need.
fn provide_state(framed: bool) -> (PageAccess, Router) {
    let access = PageAccess::provide(framed);
    let _ = Preferences::provide();
    let _ = OverviewState::provide();
    let _: StoredValue<VisibleHeight, LocalStorage> =
        StoredValue::new_local(observe::visible_height());
    let router = Router::provide();
    let _ = Actions::provide();
    page::remove_id("boot");
    (access, router)
}

/// Renders the pages in a tab of their own.
fn whole() -> AnyView {
    let (access, router) = provide_state(false);
    login::begin(access);
    code::redeem(access);
    announce_questions();
    provide_context(TmuxPickerView(parts::tmux_picker));
    provide_context(PodTemplatesView(parts::pod_templates));
    view! {
        <When condition=move || access.is_opening()>
            <main class="lone" aria-busy="true">"Opening…"</main>
        </When>
        <When condition=move || access.is_refused() && !access.is_opening()>
            {parts::log_in_page()}
        </When>
        <When condition=move || !access.is_refused() && !access.is_opening()>
            {pages(router)}
            <Palette />
            <Asks />
        </When>
    }
    .into_any()
}

/// Renders the current page. Another page, and the same page of another session, is built anew.
fn pages(router: Router) -> AnyView {
    let page = Memo::new(move |_| router.page());
    live(move || match page.get() {
        PageRoute::Sessions { .. } => view! { <SessionsPage /> }.into_any(),
        PageRoute::Session(id) => parts::page_by_driver(id),
        PageRoute::Terminal(id) => parts::terminal_page(id),
        PageRoute::Approvals => parts::approvals_page(),
        PageRoute::Access => parts::access_page(),
        PageRoute::Workspaces => parts::workspaces_page(),
        PageRoute::Workspace(id) => parts::workspace_page(id),
        // Such an address is only loaded, never navigated to.
        PageRoute::Embed { .. } | PageRoute::NotFound => view! { <NotFound /> }.into_any(),
    })
}
