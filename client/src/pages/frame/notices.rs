//! Notices about questions of agents, while the page is hidden.

use std::cell::RefCell;

use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::rest::SessionSummary;

use crate::bindings::notices::{self, SystemNotice};
use crate::bindings::page;
use crate::session::overview::OverviewState;
use crate::session::words;
use crate::ui::IconName;
use crate::ui::menu::MenuItem;
use crate::ui::preferences::Preferences;
use crate::ui::when::effect;

thread_local! {
    static SHOWN: RefCell<Option<SystemNotice>> = const { RefCell::new(None) };
}

/// Shows the number of open questions in the tab's title and icon, and a notice when it rises while
/// the page is hidden, if the user wants that.
pub fn announce_questions() {
    let (overview, preferences) = (OverviewState::expect(), Preferences::expect());
    let count = Memo::new(move |_| overview.open_approvals());
    let before = StoredValue::new(0);
    effect(move || {
        let count = count.get();
        page::set_count(count);
        let risen = count > before.get_value();
        before.set_value(count);
        if count == 0 {
            SHOWN.set(None);
        } else if risen && !page::is_visible() && preferences.notices() {
            SHOWN.set(notices::show(&words::questions(count), &untrack(|| asking(overview))));
        }
    });
}

/// Returns the names of the sessions that ask.
fn asking(overview: OverviewState) -> String {
    let asks =
        |session: &SessionSummary| session.agent.as_ref().is_some_and(|agent| agent.approvals > 0);
    let names = overview.newest().into_iter().filter(|session| asks(session));
    names.map(|session| words::name(&session)).collect::<Vec<_>>().join(", ")
}

/// The menu's entry that turns notices on and off.
#[component]
pub fn NoticesItem() -> impl IntoView {
    let preferences = Preferences::expect();
    let is_on = move || preferences.notices() && notices::are_allowed();
    let toggle = Callback::new(move |()| {
        if untrack(is_on) {
            return preferences.set_notices(false);
        }
        spawn_local(async move { preferences.set_notices(notices::ask().await) });
    });
    view! {
        <MenuItem icon=IconName::Check name="notices" on_pick=toggle>
            {move || if is_on() { "Do not notify me of questions" } else { "Notify me of questions" }}
        </MenuItem>
    }
}
