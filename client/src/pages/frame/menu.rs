//! The menu at the end of every page's bar.

use leptos::prelude::*;

use crate::bindings::dialog as popover;
use crate::bindings::look::{Theme, ThemeChoice};
use crate::pages::frame::notices::NoticesItem;
use crate::pages::frame::palette::palette_keys;
use crate::session::actions::{API_PAGE, Actions, Ask};
use crate::session::route::PageRoute;
use crate::ui::menu::{MENU, MenuItem, MenuLink};
use crate::ui::preferences::Preferences;
use crate::ui::{Icon, IconName};

/// The menu: the page's own entries, then those of every page.
#[component]
pub fn AppMenu(
    /// Additional entries of the page.
    #[prop(optional)]
    children: Option<Children>,
    /// Called when the menu has closed and the focus would be lost.
    #[prop(optional)]
    on_close: Option<Callback<()>>,
) -> impl IntoView {
    let actions = Actions::expect();
    view! {
        <div
            id=MENU
            class="menu"
            popover="auto"
            data-testid="menu"
            on:toggle=move |_| {
                if let Some(on_close) = on_close.filter(|_| popover::is_closed(MENU)) {
                    on_close.run(());
                }
            }
        >
            {children.map(|children| children())}
            <ThemeChoices />
            <NoticesItem />
            <hr />
            <MenuItem
                icon=IconName::Command
                keys=palette_keys()
                name="commands"
                on_pick=Callback::new(move |()| actions.palette.set(true))
            >
                "Commands…"
            </MenuItem>
            <MenuItem
                icon=IconName::Keyboard
                name="keys"
                on_pick=Callback::new(move |()| actions.tell_keys())
            >
                "Keyboard shortcuts"
            </MenuItem>
            <MenuLink icon=IconName::Book address=API_PAGE.to_owned() name="api">
                "API documentation"
            </MenuLink>
            <hr />
            <MenuLink icon=IconName::Folder address=PageRoute::Workspaces.address() name="workspaces">
                "Workspaces"
            </MenuLink>
            <MenuLink icon=IconName::Key address=PageRoute::Access.address() name="access">
                "Access and tokens"
            </MenuLink>
            <MenuItem
                icon=IconName::Leave
                name="log-out"
                on_pick=Callback::new(move |()| actions.log_out(false))
            >
                "Log out"
            </MenuItem>
            <MenuItem
                icon=IconName::Leave
                name="log-out-everywhere"
                on_pick=Callback::new(move |()| actions.ask(Ask::LogOutEverywhere))
            >
                "Log out everywhere…"
            </MenuItem>
        </div>
    }
}

#[component]
fn ThemeChoices() -> impl IntoView {
    let preferences = Preferences::expect();
    let choice = move |icon: IconName, label: &'static str, choice: ThemeChoice| {
        view! {
            <button
                title=label
                aria-label=label
                aria-pressed=move || (preferences.theme_choice() == choice).to_string()
                on:click=move |_| preferences.choose_theme(choice)
            >
                <Icon name=icon />
            </button>
        }
    };
    view! {
        <div class="menu-row">
            <span>"Theme"</span>
            <div class="choices" role="group" aria-label="Theme">
                {choice(IconName::System, "System", ThemeChoice::System)}
                {choice(IconName::Sun, "Light", ThemeChoice::Always(Theme::Light))}
                {choice(IconName::Moon, "Dark", ThemeChoice::Always(Theme::Dark))}
            </div>
        </div>
    }
}
