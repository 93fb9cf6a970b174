//! Which host is to run a session, and what to do where there is none.

use leptos::prelude::*;
use moorline_shared::id::HostId;

use crate::bindings::page;
use crate::catalogue::Host;
use crate::components::When;
use crate::overview::Overview;

/// A choice of the hosts that are connected, where there are several.
#[component]
pub fn HostChoice(
    /// The one that the user chose, if any.
    host: RwSignal<Option<HostId>>,
) -> impl IntoView {
    let overview = Overview::expect();
    // Who has come or gone since the page asked last.
    overview.ask_for_hosts();
    let several = Memo::new(move |_| connected(overview).len() > 1);
    let options = move || {
        let chosen = host.get_untracked().or_else(|| untrack(|| overview.usual_host()));
        let option = |one: Host| {
            let chosen = chosen.as_ref() == Some(&one.host_id);
            view! { <option value=one.host_id.to_string() selected=chosen>{one.name}</option> }
        };
        connected(overview).into_iter().map(option).collect_view()
    };
    view! {
        <When condition=move || several.get()>
            <label class="field">
                <span>"Host"</span>
                <select
                    class="select"
                    data-testid="host"
                    on:change=move |event| host.set(event_target_value(&event).parse().ok())
                >
                    {options}
                </select>
            </label>
        </When>
        <NoHost />
    }
}

/// What to do where no host is connected.
#[component]
pub fn NoHost() -> impl IntoView {
    let overview = Overview::expect();
    let none = move || {
        overview.hosts.with(|hosts| {
            hosts.as_ref().is_some_and(|hosts| hosts.iter().all(|host| !host.connected))
        })
    };
    let command = format!("moorline host --relay {} --token-file token.txt", page::origin());
    view! {
        <When condition=none>
            <div class="no-host" role="status" data-testid="no-host">
                <p>
                    "No host is connected, so nothing can be started. On the machine that is to \
                     run sessions, with a token for hosts in the file:"
                </p>
                <code>{command.clone()}</code>
                <button
                    type="button"
                    class="button"
                    on:click=move |_| overview.ask_for_hosts()
                >
                    "Look again"
                </button>
            </div>
        </When>
    }
}

fn connected(overview: Overview) -> Vec<Host> {
    let hosts = overview.hosts.get().unwrap_or_default();
    hosts.into_iter().filter(|host| host.connected).collect()
}
