//! The page of tokens, and of what was done with them.

pub mod audit;
pub mod dialogs;
mod events;
pub mod form;
pub mod passkeys;
mod scope;
pub mod secret;
mod state;
pub mod tokens;

use leptos::prelude::*;

use audit::AuditSection;
use dialogs::TokenDialogs;
use passkeys::PasskeySection;
use state::AccessState;
use tokens::TokenSection;

use crate::bindings::page::{self, PageEvent, PageWatch};
use crate::pages::frame::back::BackLink;
use crate::pages::frame::menu::AppMenu;
use crate::session::overview::OverviewState;
use crate::ui::ReloadButton;
use crate::ui::menu::MenuButton;
use crate::ui::when::live;

const STYLE: &str = include_str!("../style/access.css");

/// Lists the tokens, passkeys and what was done with them, and makes, changes and ends them. Others
/// than administrators learn what their token allows, and have their own passkeys.
#[component]
pub fn AccessPage() -> impl IntoView {
    // Scopes are shown by the names of sessions and projects.
    OverviewState::expect().follow();
    let state = AccessState::provide();
    page::set_title("Access");
    state.load();
    // The sections stay, with the focus and the scrolled place, while only the rights are read again.
    let is_admin = Memo::new(move |_| state.is_admin());
    let watch = page::watch(move |event| {
        if event == PageEvent::Visible {
            state.refresh();
        }
    });
    let _: StoredValue<PageWatch, LocalStorage> = StoredValue::new_local(watch);
    view! {
        <div class="page">
            <style>{STYLE}</style>
            <header class="bar">
                <BackLink hint="All sessions" />
                <h1>"Access"</h1>
                <span class="bar-fill"></span>
                <ReloadButton load=Callback::new(move |()| state.load()) />
                <MenuButton />
            </header>
            <AppMenu />
            <main class="access" data-testid="access-page">
                <div class="access-column">
                    <p class="problem" role="alert" data-testid="access-problem">
                        {move || state.problem.get()}
                    </p>
                    {live(move || content(is_admin.get()))}
                </div>
            </main>
            <TokenDialogs />
        </div>
    }
}

fn content(is_admin: Option<bool>) -> AnyView {
    match is_admin {
        None => ().into_any(),
        Some(true) => view! {
            <TokenSection />
            <PasskeySection />
            <AuditSection />
        }
        .into_any(),
        Some(false) => view! {
            <NoAdmin />
            <PasskeySection />
        }
        .into_any(),
    }
}

/// Says what the browser's token allows, because it does not allow this page.
#[component]
fn NoAdmin() -> impl IntoView {
    let state = AccessState::expect();
    let allowed =
        move || state.status.with(|status| status.as_ref().map(|it| state.words(&it.scope)));
    view! {
        <section class="access-empty" data-testid="no-admin">
            <h2>"Only an administrator sees who has access"</h2>
            <p>"This browser's token is for: " <b>{allowed}</b> "."</p>
            <p>
                "To manage tokens, log out and log in with an administrator's token, such as one that "
                <code>"moorline open"</code> " gives."
            </p>
        </section>
    }
}
