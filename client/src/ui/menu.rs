//! A menu at the end of the bar: its button and its entries. The browser itself opens and closes it
//! (`popover`): it goes away on Escape and on a click elsewhere.

use leptos::prelude::*;

use crate::ui::{Icon, IconName};

/// The id of the menu that the button opens.
pub const MENU: &str = "menu";

/// Opens the menu.
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

/// An entry of the menu that leads elsewhere.
#[component]
pub fn MenuLink(
    /// Its icon.
    icon: IconName,
    /// Where it leads.
    address: String,
    /// For tests.
    name: &'static str,
    /// Its text.
    children: Children,
) -> impl IntoView {
    view! {
        <a class="menu-item" href=address data-testid=name>
            <Icon name=icon />
            <span>{children()}</span>
        </a>
    }
}

/// An entry of the menu that closes it.
#[component]
pub fn MenuItem(
    /// Its icon.
    icon: IconName,
    /// Its keys, where it has any.
    #[prop(optional)]
    keys: &'static str,
    /// For tests.
    #[prop(optional)]
    name: &'static str,
    /// What it does.
    on_pick: Callback<()>,
    /// Its text.
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
