//! The choice of a host for a session, and help if no host is connected.

use leptos::prelude::*;
use moorline_shared::id::HostId;

use crate::bindings::page;
use crate::session::catalogue::HostEntry;
use crate::session::overview::OverviewState;
use crate::ui::field::{Choice, choice};

/// Returns a select box of the connected hosts. Stores the user's choice in `host`.
pub fn host_choice(host: RwSignal<Option<HostId>>) -> AnyView {
    let overview = OverviewState::expect();
    // Hosts may have come or gone since the last request.
    overview.ask_for_hosts();
    let options = move || {
        let chosen = host.get_untracked().or_else(|| untrack(|| overview.usual_host()));
        let hosts = overview.hosts.get().unwrap_or_default().into_iter();
        let option = |one: HostEntry| Choice {
            chosen: chosen.as_ref() == Some(&one.host_id),
            value: one.host_id.to_string(),
            text: one.name,
        };
        hosts.filter(|host| host.connected).map(option).collect()
    };
    choice("Host", "host", options, move |value| host.set(value.parse().ok()))
}

/// Explains how to connect a host, if none is connected.
#[component]
pub fn NoHost() -> impl IntoView {
    let overview = OverviewState::expect();
    let some = move || {
        overview.hosts.with(|hosts| {
            hosts.as_ref().is_none_or(|hosts| hosts.iter().any(|host| host.connected))
        })
    };
    let command = format!("moorline host --relay {} --token-file token.txt", page::origin());
    view! {
        <div class="no-host" role="status" data-testid="no-host" hidden=some>
            <p>
                "No host is connected, so no session can start. On the machine that should run \
                 sessions, save a host token as token.txt and run:"
            </p>
            <code>{command}</code>
            <button type="button" class="button" on:click=move |_| overview.ask_for_hosts()>
                "Check again"
            </button>
        </div>
    }
}
