//! The menu at the end of the bar: its button and its entries. The browser opens and closes it
//! (`popover`), also on Escape and on a click elsewhere.

use leptos::prelude::*;

use crate::ui::{Icon, IconName};

/// The id of the menu that the button opens.
pub const MENU: &str = "menu";

/// The button that opens the menu.
#[component]
pub fn MenuButton() -> impl IntoView {
    view! {
        <button
            class="icon-button"
            data-testid="menu-button"
            popovertarget=MENU
            aria-label="Menu"
            title="Menu"
        >
            <Icon name=IconName::More />
        </button>
    }
}

/// A menu entry that links to another page.
#[component]
pub fn MenuLink(
    /// Icon of the entry.
    icon: IconName,
    /// Address that the entry links to.
    address: String,
    /// The name for tests.
    name: &'static str,
    /// Text of the entry.
    children: Children,
) -> impl IntoView {
    view! {
        <a class="menu-item" href=address data-testid=name>
            <Icon name=icon />
            <span>{children()}</span>
        </a>
    }
}

/// A menu entry that runs a callback and closes the menu.
#[component]
pub fn MenuItem(
    /// Icon of the entry.
    icon: IconName,
    /// Keyboard shortcut of the entry, if any.
    #[prop(optional)]
    keys: &'static str,
    /// The name for tests.
    #[prop(optional)]
    name: &'static str,
    /// Called when the user picks the entry.
    on_pick: Callback<()>,
    /// Text of the entry.
    children: Children,
) -> impl IntoView {
    view! {
        <button
            class="menu-item"
            data-testid=name
            popovertarget=MENU
            popovertargetaction="hide"
            on:click=move |_| on_pick.run(())
        >
            <Icon name=icon />
            <span>{children()}</span>
            <kbd>{keys}</kbd>
        </button>
    }
}
