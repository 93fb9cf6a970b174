//! The page of all sessions.

mod arrange;
pub mod create;
mod desk;
pub mod dialogs;
pub mod list;
pub mod row;
pub mod row_menu;
pub mod sidebar;
mod store;
pub mod toolbar;

use gloo_timers::callback::Timeout;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::rest::CreateSession;

use desk::{Ask, Desk};
use dialogs::Dialogs;
use list::SessionList;
use row_menu::RowMenu;
use sidebar::{ShelfButton, Sidebar};
use store::Store;
use toolbar::Toolbar;

use crate::bindings::keyboard::{self, Keys, Press};
use crate::bindings::page;
use crate::bindings::screen::Emulator;
use crate::components::menu::{AppMenu, MenuButton};
use crate::components::stream_status::StreamPill;
use crate::components::when::effect;
use crate::components::{Icon, IconName, Mark, When};

/// The terminal's code is fetched ahead once the page has been still for so long.
const PRELOAD_MS: u32 = 2_000;

/// Lists the sessions by project, and creates, changes and deletes them.
#[component]
pub fn SessionsPage() -> impl IntoView {
    let store = Store::provide();
    let desk = Desk::provide(store);
    let field = NodeRef::<html::Input>::new();
    effect(move || page::set_title(&format!("{} · Moorline", sidebar::shelf_name(store))));
    let start_shell = Callback::new(move |()| {
        let project = untrack(|| store.router.shelf()).project().cloned();
        store.create(CreateSession { project, ..CreateSession::default() });
    });
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
                <StreamPill status=store.status retry=Callback::new(move |()| store.reconnect()) />
                <NewButtons start_shell />
                <MenuButton />
            </header>
            <AppMenu />
            <div class="columns">
                <Sidebar />
                <main class="sessions">
                    <Problem />
                    <Toolbar field />
                    <SessionList start_shell />
                    <Hints />
                </main>
            </div>
            <RowMenu />
            <Dialogs />
        </div>
    }
}

/// Most visits go on to a terminal.
fn preload() -> Timeout {
    Timeout::new(PRELOAD_MS, || {
        spawn_local(async {
            // The terminal's page tells what goes wrong.
            let _ = Emulator::load().await;
        });
    })
}

#[component]
fn NewButtons(start_shell: Callback<()>) -> impl IntoView {
    let (store, desk) = (Store::expect(), Desk::expect());
    view! {
        <div class="button-pair">
            <button
                class="button primary"
                data-testid="create"
                title="Start your login shell (n)"
                aria-label="New shell"
                disabled=store.creating
                on:click=move |_| start_shell.run(())
            >
                <Icon name=IconName::Plus />
                <span>"New shell"</span>
            </button>
            <button
                class="button primary"
                data-testid="create-custom"
                title="Start a command (c)"
                aria-label="Start a command"
                on:click=move |_| desk.ask(Ask::Create)
            >
                <Icon name=IconName::Sliders />
            </button>
        </div>
    }
}

/// Why the last action failed.
#[component]
fn Problem() -> impl IntoView {
    let store = Store::expect();
    let text = move || store.problem.with(|problem| problem.as_ref().map(ToString::to_string));
    view! {
        <div role="alert">
            <When condition=move || store.problem.with(Option::is_some)>
                <div class="notice bad" data-testid="problem">
                    <span>{move || text()}</span>
                    <button
                        class="icon-button"
                        aria-label="Close"
                        on:click=move |_| store.problem.set(None)
                    >
                        <Icon name=IconName::Cross />
                    </button>
                </div>
            </When>
        </div>
    }
}

#[component]
fn Hints() -> impl IntoView {
    let desk = Desk::expect();
    view! {
        <When condition=move || desk.with_order(|ids| !ids.is_empty())>
            <p class="keys" aria-hidden="true">
                <kbd>"n"</kbd> " shell" <kbd>"c"</kbd> " command" <kbd>"j"</kbd> <kbd class="near">"k"</kbd>
                " move" <kbd>"⏎"</kbd> " open" <kbd>"d"</kbd> " details" <kbd>"x"</kbd> " select" <kbd>"."</kbd>
                " more" <kbd>"/"</kbd> " search"
            </p>
        </When>
    }
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
    match press.key.as_str() {
        "n" => start_shell.run(()),
        "c" => desk.ask(Ask::Create),
        "a" => desk.select_all(),
        "Escape" => return desk.deselect(),
        "/" => {
            if let Some(field) = field.get_untracked() {
                page::focus(&field);
            }
        }
        "j" | "ArrowDown" => page::move_focus(".row-link", 1),
        "k" | "ArrowUp" => page::move_focus(".row-link", -1),
        _ => return false,
    }
    true
}
