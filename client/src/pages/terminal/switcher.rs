//! The session's name in a terminal's bar. It opens a list of the other sessions, those of the same
//! project first.

use std::sync::Arc;

use leptos::prelude::*;
use moorline_shared::id::SessionId;

use crate::bindings::dialog as popover;
use crate::bindings::keyboard::{self, Keys};
use crate::session::overview::OverviewState;
use crate::session::route::{PageRoute, Router};
use crate::session::words;
use crate::ui::picker::Picker;
use crate::ui::sort::sorted;
use crate::ui::{Action, Icon, IconName, When};

const SWITCHER: &str = "switcher";
/// The keys that open it, for display. Programs cannot distinguish them from Ctrl+K, and never get
/// them.
pub const SWITCHER_KEYS: &str = "Ctrl+Shift+K";

/// Opens or closes the list on the terminal's page.
pub fn open_switcher() {
    popover::toggle(SWITCHER);
}

/// Shows the session's name, and the list that it opens.
#[component]
pub fn Switcher(
    /// The session that is shown.
    id: SessionId,
    /// The name under which it is shown.
    name: Signal<String>,
    /// Called when the list has closed and the focus would be lost.
    on_close: Callback<()>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let keys = keyboard::first_keys(move |press| {
        let ours = press.ctrl && press.shift && !press.alt && !press.meta;
        let ours = ours && press.latin().eq_ignore_ascii_case("k");
        if ours {
            popover::toggle(SWITCHER);
        }
        ours
    });
    let _: StoredValue<Keys, LocalStorage> = StoredValue::new_local(keys);
    let details = PageRoute::Session(id.clone()).address();
    let id = StoredValue::new(id);
    view! {
        <h1 class="bar-title" title=name>
            <button
                class="switcher-button"
                popovertarget=SWITCHER
                aria-haspopup="dialog"
                title=move || format!("{}: switch ({SWITCHER_KEYS})", name.get())
                data-testid="switcher-button"
            >
                <bdi data-testid="title">{name}</bdi>
                <Icon name=IconName::Down />
            </button>
        </h1>
        <div
            id=SWITCHER
            class="switcher"
            popover="auto"
            role="dialog"
            aria-label="Switch to another session"
            data-testid="switcher"
            on:toggle=move |_| {
                let closed = popover::is_closed(SWITCHER);
                open.set(popover::is_open(SWITCHER));
                if closed {
                    on_close.run(());
                }
            }
        >
            <When condition=move || open.get()>
                <Content id=id.get_value() />
                <p class="picker-foot">
                    <a href=details.clone() data-testid="details">
                        <Icon name=IconName::Info />
                        "Details"
                    </a>
                    <a href="/sessions">
                        <Icon name=IconName::Stack />
                        "All sessions"
                    </a>
                </p>
            </When>
        </div>
    }
}

#[component]
fn Content(id: SessionId) -> impl IntoView {
    let overview = OverviewState::expect();
    let router = Router::expect();
    overview.follow();
    let items = Callback::new(move |()| sessions(overview, router, &id));
    let done = Callback::new(|()| popover::hide(SWITCHER));
    view! {
        <Picker
            name="switch"
            label="Find a session"
            placeholder="Switch to…"
            items
            done
        />
    }
}

/// Returns the other sessions: those of the same project, then those that run, then the rest. Each
/// group is sorted newest first.
fn sessions(overview: OverviewState, router: Router, here: &SessionId) -> Vec<Action> {
    let mine = overview.session(here).and_then(|session| session.project.clone());
    let project = mine.as_ref().and_then(|id| overview.project_name(id));
    let place = |session: &moorline_shared::rest::SessionSummary| {
        if session.lifecycle.is_over() {
            2
        } else if mine.is_some() && session.project == mine {
            0
        } else {
            1
        }
    };
    let mut all = overview.newest();
    all.retain(|session| session.session_id != *here);
    let all = sorted(&all, |session| place(session).to_string());
    let others = if project.is_some() { "Others" } else { "Sessions" };
    let groups: [Arc<str>; 3] = [project.unwrap_or_default().into(), others.into(), "Ended".into()];
    let action = |session: &Arc<moorline_shared::rest::SessionSummary>| {
        let route = PageRoute::of_session(session);
        let run = move || router.go(&route);
        let group = &groups[place(session)];
        let mut action = Action::new(group, "session", IconName::Prompt, words::name(session), run)
            .about(words::about(session));
        action.tone = Some(words::tone(session));
        action
    };
    all.iter().map(action).collect()
}
