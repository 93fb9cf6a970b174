//! Notices about questions of agents, while the page is hidden.

use std::cell::RefCell;

use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::rest::SessionSummary;

use crate::bindings::notices::{self, SystemNotice};
use crate::bindings::page::{self, PageEvent, PageWatch};
use crate::bindings::push;
use crate::session::access::PageAccess;
use crate::session::actions::Actions;
use crate::session::overview::OverviewState;
use crate::session::words;
use crate::ui::menu::MenuItem;
use crate::ui::preferences::Preferences;
use crate::ui::when::effect;
use crate::ui::{IconName, When};

thread_local! {
    static SHOWN: RefCell<Option<SystemNotice>> = const { RefCell::new(None) };
}

/// Shows the number of open questions in the tab's title and icon, and a notice when it rises while
/// the page is hidden, if the user wants that.
pub fn announce_questions() {
    let (overview, preferences) = (OverviewState::expect(), Preferences::expect());
    let count = Memo::new(move |_| overview.open_approvals());
    let watch = page::watch(move |event| {
        if event == PageEvent::Visible {
            close_answered(overview);
        }
    });
    let _: StoredValue<PageWatch, LocalStorage> = StoredValue::new_local(watch);
    if push::is_on() {
        let token = PageAccess::expect().token();
        // The browser may have another subscription by now, and the page another token.
        spawn_local(async move { drop(push::turn_on(token).await) });
    }
    let before = StoredValue::new(0);
    effect(move || {
        let count = count.get();
        page::set_count(count);
        let risen = count > before.get_value();
        before.set_value(count);
        close_answered(overview);
        if count == 0 {
            SHOWN.set(None);
        } else if risen && !page::is_visible() && preferences.notices() && !push::is_on() {
            SHOWN.set(notices::show(&words::questions(count), &untrack(|| asking(overview))));
        }
    });
}

/// Closes the notices of sessions that ask no more: they were told while nobody looked.
fn close_answered(overview: OverviewState) {
    if push::is_on() {
        spawn_local(push::close(untrack(|| asking_ids(overview))));
    }
}

fn asks(session: &SessionSummary) -> bool {
    session.agent.as_ref().is_some_and(|agent| agent.approvals > 0)
}

/// Returns the names of the sessions that ask.
fn asking(overview: OverviewState) -> String {
    let names = overview.newest().into_iter().filter(|session| asks(session));
    names.map(|session| words::name(&session)).collect::<Vec<_>>().join(", ")
}

fn asking_ids(overview: OverviewState) -> Vec<String> {
    let asking = overview.newest().into_iter().filter(|session| asks(session));
    asking.map(|session| session.session_id.to_string()).collect()
}

/// The menu's entries that turn notices on and off: those of pages, and those for closed pages where
/// the relay and the browser have them.
#[component]
pub fn NoticesItem() -> impl IntoView {
    let (preferences, access) = (Preferences::expect(), PageAccess::expect());
    let actions = Actions::expect();
    let is_on = move || preferences.notices() && notices::are_allowed();
    let (is_offered, is_pushed) = (RwSignal::new(false), RwSignal::new(push::is_on()));
    effect(move || {
        if is_on() && !is_offered.get_untracked() {
            spawn_local(async move {
                let _ = is_offered.try_set(push::is_offered(access.token()).await);
            });
        }
    });
    let set_pushed = move |wanted: bool| {
        spawn_local(async move {
            if !wanted {
                push::turn_off(access.token()).await;
            } else if let Err(sentence) = push::turn_on(access.token()).await {
                actions.problem.set(Some(sentence));
            }
            let _ = is_pushed.try_set(push::is_on());
        });
    };
    let toggle = Callback::new(move |()| {
        if untrack(is_on) {
            preferences.set_notices(false);
            return set_pushed(false);
        }
        spawn_local(async move { preferences.set_notices(notices::ask().await) });
    });
    let toggle_pushed = Callback::new(move |()| set_pushed(!is_pushed.get_untracked()));
    view! {
        <MenuItem icon=IconName::Check name="notices" on_pick=toggle>
            {move || if is_on() { "Do not notify me of questions" } else { "Notify me of questions" }}
        </MenuItem>
        <When condition=move || is_on() && is_offered.get()>
            <MenuItem icon=IconName::Check name="push" on_pick=toggle_pushed>
                {move || if is_pushed.get() { "Only while a page is open" } else { "Also when the page is closed" }}
            </MenuItem>
        </When>
    }
}
