//! The menu of a tmux session, and of one of its windows.

use leptos::prelude::*;
use moorline_shared::tmux::TmuxWindow;

use super::offers;
use super::state::TmuxState;
use crate::bindings::dialog as popover;
use crate::bindings::page::{self, HtmlElement};
use crate::ui::{Action, Icon};

const MENU: &str = "tmux-menu";
const ENTRIES: &str = "#tmux-menu [role=menuitem]";

/// Opens the menu of a window, or of everything that is shown, beside `anchor`.
pub(super) fn open(state: TmuxState, window: Option<TmuxWindow>, anchor: &HtmlElement) {
    state.menu_of.set(window);
    let anchor = anchor.clone();
    // By then the entries are in the page.
    request_animation_frame(move || {
        popover::open_at(MENU, &anchor);
        page::move_focus(ENTRIES, 1);
    });
}

/// The menu. Its entries are those of the palette.
#[component]
pub fn TmuxMenu() -> impl IntoView {
    let state = TmuxState::expect();
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
    let actions = Memo::new_with_compare(
        move |_| match state.menu_of.get() {
            Some(window) => offers::of_window(state, &window, state.may_act()),
            None => offers::all(state),
        },
        |_, _| true,
    );
    view! {
        <div
            id=MENU
            class="menu tmux-menu"
            popover="auto"
            role="menu"
            aria-label="tmux"
            data-testid="tmux-menu"
            on:keydown=on_key
            on:toggle=move |_| {
                if popover::is_closed(MENU) {
                    state.focus_terminal();
                }
            }
        >
            {move || actions.with(|actions| entries(actions))}
        </div>
    }
}

fn entries(actions: &[Action]) -> AnyView {
    let groups = actions.chunk_by(|one, other| one.group == other.group).map(|group| {
        let heading = group[0].group.to_string();
        view! {
            <div role="group" aria-label=heading.clone()>
                <p class="tmux-heading" aria-hidden="true"><bdi>{heading.clone()}</bdi></p>
                {group.iter().map(entry).collect_view()}
            </div>
        }
    });
    groups.collect_view().into_any()
}

fn entry(action: &Action) -> AnyView {
    let run = action.run;
    view! {
        <button
            class="menu-item"
            role="menuitem"
            tabindex="-1"
            data-action=action.name
            on:click=move |_| {
                popover::hide(MENU);
                run.run(());
            }
        >
            <Icon name=action.icon />
            <span>{action.title.clone()}</span>
            <kbd aria-hidden="true">{action.keys}</kbd>
        </button>
    }
    .into_any()
}
