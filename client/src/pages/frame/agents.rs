//! The choice of a coding agent for a session.

use leptos::prelude::*;
use moorline_shared::agent::spec::KnownAgent;
use moorline_shared::id::HostId;
use moorline_shared::rest::HostAgents;
use moorline_shared::session::AGENT_DRIVER;

use super::drivers::wanted_driver;
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};
use crate::session::overview::OverviewState;
use crate::ui::field::{Choice, choice};
use crate::ui::when::{effect, live};

/// Lists the agents of the host on which the session will start, and says how to install those that
/// are missing there. Hidden unless the driver for agents is chosen.
#[component]
pub fn AgentPicker(
    /// The host that the user has chosen.
    host: RwSignal<Option<HostId>>,
    /// The driver that the user has chosen.
    driver: RwSignal<Option<String>>,
    /// Receives the id of the agent that the user chooses; `None` for a command of their own.
    agent: RwSignal<Option<String>>,
) -> impl IntoView {
    let access = PageAccess::expect();
    let overview = OverviewState::expect();
    let agents = RwSignal::new(None::<Result<Vec<KnownAgent>, String>>);
    let asked = Memo::new(move |_| {
        let (host, driver) = (host.get(), driver.get());
        let there = untrack(|| overview.starting_host(host.as_ref()))?;
        let wanted = wanted_driver(Some(&there), driver.as_deref());
        (wanted.as_deref() == Some(AGENT_DRIVER)).then_some(there.host_id)
    });
    effect(move || {
        agents.set(None);
        agent.set(None);
        let Some(host) = asked.get() else { return };
        let request = ApiRequest::get(format!("/api/hosts/{host}/agents"));
        api::ask(access, request, move |answer| {
            let known = answer.and_then(|text| api::parse::<HostAgents>(&text));
            let known = known.map(|known| known.agents).map_err(|error| error.to_string());
            if let Ok(known) = &known {
                let first = known.iter().find(|agent| agent.command.is_some());
                let _ = agent.try_set(first.map(|agent| agent.id.clone()));
            }
            let _ = agents.try_set(Some(known));
        });
    });
    live(move || match (asked.get(), agents.get()) {
        (None, _) => ().into_any(),
        (_, None) => view! { <p class="row-note">"Looking for agents…"</p> }.into_any(),
        (_, Some(Err(error))) => view! { <p class="problem" role="alert">{error}</p> }.into_any(),
        (_, Some(Ok(known))) => choices(known, agent),
    })
}

fn choices(known: Vec<KnownAgent>, agent: RwSignal<Option<String>>) -> AnyView {
    let installed: Vec<KnownAgent> =
        known.iter().filter(|known| known.command.is_some()).cloned().collect();
    let missing = known.into_iter().filter(|known| known.command.is_none());
    let options = {
        let installed = installed.clone();
        move || {
            let one = |known: &KnownAgent| Choice {
                chosen: agent.with_untracked(|agent| agent.as_ref() == Some(&known.id)),
                value: known.id.clone(),
                text: match &known.version {
                    Some(version) => format!("{} {version}", known.name),
                    None => known.name.clone(),
                },
            };
            let own = Choice { text: "The command above".to_owned(), ..Choice::default() };
            installed.iter().map(one).chain([own]).collect()
        }
    };
    let about = move || {
        let chosen = agent.get();
        let known = installed.iter().find(|known| Some(&known.id) == chosen.as_ref())?;
        let asks = match known.asks {
            Some(false) => "This version has changed files without asking. ",
            _ => "",
        };
        Some(format!("{asks}If it is not logged in: {}", known.login))
    };
    let install = |known: KnownAgent| {
        view! { <li><span>{known.name}</span><code>{known.install}</code></li> }
    };
    view! {
        {choice("Agent", "agent", options, move |value| {
            agent.set(Some(value).filter(|value| !value.is_empty()));
        })}
        <p class="row-note">{about}</p>
        <details class="not-installed">
            <summary>"Agents that are not installed there"</summary>
            <ul>{missing.map(install).collect_view()}</ul>
        </details>
    }
    .into_any()
}
