//! The menu of a row. All rows share it; it opens beside the button that was pressed.

use leptos::prelude::*;
use moorline_shared::id::SessionId;

use super::desk::{Ask, Desk};
use super::hold::Aim;
use super::store::SessionsStore;
use crate::bindings::dialog as popover;
use crate::bindings::page::{self, HtmlElement};
use crate::session::actions::FORK_HINT;
use crate::session::route::PageRoute;
use crate::ui::{Icon, IconName};

const MENU: &str = "row-menu";
const ENTRIES: &str = "#row-menu [role=menuitem]";

/// Opens the menu of `id` beside `button`.
pub(super) fn open(desk: Desk, id: SessionId, button: &HtmlElement) {
    desk.menu_of.set(Some(id));
    let button = button.clone();
    // By then the entries are in the page.
    request_animation_frame(move || {
        popover::open_at(MENU, &button);
        page::move_focus(ENTRIES, 1);
    });
}

/// The menu of the row whose button was pressed.
#[component]
pub fn RowMenu() -> impl IntoView {
    let (store, desk) = (SessionsStore::expect(), Desk::expect());
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        match event.key().as_str() {
            "ArrowDown" => page::move_focus(ENTRIES, 1),
            "ArrowUp" => page::move_focus(ENTRIES, -1),
            "Home" => page::move_focus(ENTRIES, i32::MIN / 2),
            "End" => page::move_focus(ENTRIES, i32::MAX / 2),
            "Tab" => popover::hide(MENU),
            _ => return,
        }
        event.prevent_default();
    };
    view! {
        <div
            id=MENU
            class="menu row-menu"
            popover="auto"
            role="menu"
            aria-label="Session"
            data-testid="row-menu"
            on:keydown=on_key
            on:toggle=move |_| desk.hold.aim(Aim::Menu, popover::is_open(MENU))
        >
            {move || desk.menu_of.get().map(|id| entries(store, desk, id))}
        </div>
    }
}

fn entries(store: SessionsStore, desk: Desk, id: SessionId) -> impl IntoView {
    let own = StoredValue::new(id);
    let entry = move |icon, keys, label, pick: fn(SessionsStore, Desk, SessionId)| {
        view! {
            <button
                class="menu-item"
                role="menuitem"
                title=(label == "Fork").then_some(FORK_HINT)
                tabindex="-1"
                on:click=move |_| {
                    popover::hide(MENU);
                    pick(store, desk, own.get_value());
                }
            >
                <Icon name=icon />
                <span>{label}</span>
                <kbd aria-hidden="true">{keys}</kbd>
            </button>
        }
    };
    view! {
        {entry(IconName::Prompt, "⏎", "Open terminal", |store, _, id| {
            store.router.go(&PageRoute::Terminal(id));
        })}
        {entry(IconName::Info, "d", "Details", |store, _, id| {
            store.router.go(&PageRoute::Session(id));
        })}
        <hr />
        {entry(IconName::Copy, "", "Duplicate", |_, desk, id| desk.actions().duplicate(&id, None))}
        {entry(IconName::Fork, "", "Fork", |_, desk, id| desk.actions().fork(&id, None))}
        <hr />
        {entry(IconName::Folder, "m", "Move to project…", |_, desk, id| {
            desk.ask(Ask::Move(vec![id]));
        })}
        {entry(IconName::Pencil, "r", "Rename…", |_, desk, id| desk.ask(Ask::Rename(id)))}
        {entry(IconName::Bin, "Del", "Delete…", |_, desk, id| desk.ask(Ask::Delete(vec![id])))}
    }
}
