//! The page of all sessions.

mod desk;
mod hold;
pub mod list;
mod order;
pub mod row;
pub mod row_menu;
pub mod sidebar;
mod store;
pub mod toolbar;

use std::sync::Arc;

use gloo_timers::callback::Timeout;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use desk::{Ask, Desk};
use list::SessionList;
use row_menu::RowMenu;
use sidebar::{ShelfButton, Sidebar};
use store::SessionsStore;
use toolbar::Toolbar;

use crate::bindings::keyboard::{self, Keys, Press};
use crate::bindings::page;
use crate::bindings::screen::EmulatorCode;
use crate::pages::frame::menu::AppMenu;
use crate::pages::frame::stream_status::StreamPill;
use crate::pages::parts::PagePart;
use crate::session::overview::OverviewState;
use crate::session::words;
use crate::ui::menu::MenuButton;
use crate::ui::when::effect;
use crate::ui::{Action, Icon, IconName, Mark, When};

/// Time after which the page fetches the code of other pages in advance, in milliseconds.
const PRELOAD_MS: u32 = 2_000;

/// Lists the sessions by project, and creates, changes and deletes them.
#[component]
pub fn SessionsPage() -> impl IntoView {
    let store = SessionsStore::provide();
    let desk = Desk::provide(store);
    let field = NodeRef::<html::Input>::new();
    effect(move || page::set_title(&sidebar::shelf_name(store)));
    let overview = OverviewState::expect();
    let asked = Memo::new(move |_| overview.open_approvals());
    let actions = desk.actions();
    let start_shell = Callback::new(move |()| actions.new_shell());
    actions.offer(move || offers(store, desk, field));
    let keys = keyboard::page_keys(move |press| shortcut(press, start_shell, desk, field));
    let _: StoredValue<(Keys, Timeout), LocalStorage> = StoredValue::new_local((keys, preload()));
    view! {
        <div class="page">
            <header class="bar">
                <a href="/sessions" class="brand" aria-label="Moorline, all sessions">
                    <Mark />
                    <span>"Moorline"</span>
                </a>
                <ShelfButton />
                <span class="bar-fill"></span>
                <When condition=move || asked.get() != 0>
                    <a href="/approvals" class="asks-link" data-testid="asks-link">
                        {move || words::questions(asked.get())}
                    </a>
                </When>
                <StreamPill status=store.status retry=Callback::new(move |()| store.reconnect()) />
                <NewButtons start_shell />
                <MenuButton />
            </header>
            <AppMenu />
            <div class="columns">
                <Sidebar />
                <main class="sessions">
                    <Toolbar field />
                    <SessionList start_shell />
                    <Hints />
                </main>
            </div>
            <RowMenu />
        </div>
    }
}

/// Returns the actions that only this page has.
fn offers(store: SessionsStore, desk: Desk, field: NodeRef<html::Input>) -> Vec<Action> {
    let group: Arc<str> = "This list".into();
    let search = move || search(desk, field);
    let mut offers = vec![
        Action::new(&group, "search", IconName::Search, "Search the list", search).keys("/"),
        Action::new(&group, "select-all", IconName::Stack, "Select all", move || desk.select_all())
            .keys("a"),
    ];
    if let Some(id) = store.router.shelf().project().cloned() {
        offers.push(Action::new(
            &group,
            "project",
            IconName::Sliders,
            "Change this project…",
            move || {
                desk.ask(Ask::Project(Some(id.clone())));
            },
        ));
    }
    offers
}

/// Fetches the terminal's code in advance, because most visits go on to a terminal.
fn preload() -> Timeout {
    Timeout::new(PRELOAD_MS, || {
        spawn_local(async {
            // The pages report failures.
            let _ = EmulatorCode::load().await;
            PagePart::Terminal.preload().await;
            PagePart::Session.preload().await;
        });
    })
}

#[component]
fn NewButtons(start_shell: Callback<()>) -> impl IntoView {
    let desk = Desk::expect();
    view! {
        <div class="button-pair">
            <button
                class="button primary"
                data-testid="create"
                title="Start your login shell (n)"
                aria-label="New shell"
                disabled=desk.actions().busy
                on:click=move |_| start_shell.run(())
            >
                <Icon name=IconName::Plus />
                <span>"New shell"</span>
            </button>
            <button
                class="button primary"
                data-testid="create-custom"
                title="Run a command… (c)"
                aria-label="Run a command…"
                on:click=move |_| desk.ask(Ask::Create)
            >
                <Icon name=IconName::Sliders />
            </button>
            <button
                class="button primary"
                data-testid="open-tmux"
                title="Open from tmux… (t)"
                aria-label="Open from tmux…"
                on:click=move |_| desk.ask(Ask::Tmux)
            >
                <Icon name=IconName::SplitRight />
            </button>
        </div>
    }
}

#[component]
fn Hints() -> impl IntoView {
    let desk = Desk::expect();
    view! {
        <When condition=move || !desk.is_empty()>
            <p class="keys" aria-hidden="true">
                <kbd>"n"</kbd> " shell" <kbd>"c"</kbd> " command" <kbd>"t"</kbd> " tmux" <kbd>"j"</kbd> <kbd class="near">"k"</kbd>
                " move" <kbd>"⏎"</kbd> " open" <kbd>"d"</kbd> " details" <kbd>"x"</kbd> " select" <kbd>"."</kbd>
                " more" <kbd>"/"</kbd> " search"
            </p>
        </When>
    }
}

/// Focuses the search. Ends the selection first, because its bar takes the place of the search.
fn search(desk: Desk, field: NodeRef<html::Input>) {
    desk.deselect();
    // By then the field is in the page.
    request_animation_frame(move || {
        if let Some(field) = field.try_get_untracked().flatten() {
            page::focus(&field);
        }
    });
}

fn shortcut(
    press: &Press,
    start_shell: Callback<()>,
    desk: Desk,
    field: NodeRef<html::Input>,
) -> bool {
    if !press.plain() {
        return false;
    }
    match press.latin().as_str() {
        "n" => start_shell.run(()),
        "c" => desk.ask(Ask::Create),
        "t" => desk.ask(Ask::Tmux),
        "a" => desk.select_all(),
        "Escape" => return desk.deselect(),
        "/" => search(desk, field),
        "j" | "ArrowDown" => page::move_focus(".row-link", 1),
        "k" | "ArrowUp" => page::move_focus(".row-link", -1),
        _ => return false,
    }
    true
}
