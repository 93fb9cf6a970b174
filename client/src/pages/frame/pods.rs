//! The choice of a template for a session in a pod.

use leptos::prelude::*;
use moorline_shared::id::HostId;
use moorline_shared::session::KUBERNETES_DRIVER;
use serde::Deserialize;

use super::drivers::wanted_driver;
use crate::session::access::PageAccess;
use crate::session::actions::Actions;
use crate::session::api::{self, ApiRequest};
use crate::session::overview::OverviewState;
use crate::ui::When;
use crate::ui::field::{Choice, choice};
use crate::ui::when::{effect, live};

/// The part of the answer that a choice needs: the decoder of a whole template is large.
#[derive(Debug, Clone, Deserialize)]
struct PodChoices {
    context: String,
    namespace: String,
    templates: Vec<TemplateChoice>,
    problem: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct TemplateChoice {
    name: String,
    image: String,
    memory: String,
}

/// Lists the templates of pods of the host on which the session will start. Hidden unless the driver
/// for pods is chosen.
#[component]
pub fn PodPicker(
    /// The host that the user has chosen.
    host: RwSignal<Option<HostId>>,
    /// The driver that the user has chosen.
    driver: RwSignal<Option<String>>,
    /// Receives the name of the template that the user chooses; `None` for the default one.
    template: RwSignal<Option<String>>,
) -> impl IntoView {
    let actions = Actions::expect();
    let overview = OverviewState::expect();
    let pods = RwSignal::new(None::<Result<PodChoices, String>>);
    let asked = Memo::new(move |_| {
        let (host, driver) = (host.get(), driver.get());
        let there = untrack(|| overview.starting_host(host.as_ref()))?;
        let wanted = wanted_driver(Some(&there), driver.as_deref());
        (wanted.as_deref() == Some(KUBERNETES_DRIVER)).then_some(there.host_id)
    });
    effect(move || {
        asked.track();
        pods.set(None);
        template.set(None);
    });
    look(asked, pods, template);
    let listed = move || match (asked.get(), pods.get()) {
        (None, _) => ().into_any(),
        (_, None) => view! { <p class="row-note">"Looking for templates…"</p> }.into_any(),
        (_, Some(Err(error))) => view! { <p class="problem" role="alert">{error}</p> }.into_any(),
        (_, Some(Ok(listed))) => choices(listed, template),
    };
    view! {
        {live(listed)}
        <When condition=move || asked.with(Option::is_some)>
            <button
                type="button"
                class="button quiet"
                data-testid="pod-templates"
                on:click=move |_| actions.manage_pods(asked.get_untracked())
            >
                "Pod templates…"
            </button>
        </When>
    }
}

/// Asks the host for its templates, and again after they may have been changed.
fn look(
    asked: Memo<Option<HostId>>,
    pods: RwSignal<Option<Result<PodChoices, String>>>,
    template: RwSignal<Option<String>>,
) {
    let (access, actions) = (PageAccess::expect(), Actions::expect());
    effect(move || {
        let is_changing = actions.pods.open.get();
        let Some(host) = asked.get().filter(|_| !is_changing) else { return };
        let request = ApiRequest::get(format!("/api/hosts/{host}/pods"));
        api::ask(access, request, move |answer| {
            // Another host may be chosen by now, or the form be closed.
            if asked.try_get_untracked().flatten() != Some(host) {
                return;
            }
            let listed = answer.and_then(|text| api::parse::<PodChoices>(&text));
            let names = listed.iter().flat_map(|listed| &listed.templates);
            let chosen = template.get_untracked();
            if chosen.is_some() && !names.into_iter().any(|it| Some(&it.name) == chosen.as_ref()) {
                template.set(None);
            }
            pods.set(Some(listed.map_err(|error| error.to_string())));
        });
    });
}

fn choices(listed: PodChoices, template: RwSignal<Option<String>>) -> AnyView {
    let PodChoices { context, namespace, templates, problem } = listed;
    let templates = StoredValue::new(templates);
    let options = move || {
        let one = |it: &TemplateChoice| Choice {
            chosen: template.with_untracked(|chosen| chosen.as_ref() == Some(&it.name)),
            value: it.name.clone(),
            text: it.name.clone(),
        };
        templates.with_value(|templates| templates.iter().map(one).collect())
    };
    let about = move || {
        let chosen = template.get();
        templates.with_value(|templates| {
            let found = templates.iter().find(|it| chosen.as_ref() == Some(&it.name));
            found.or(templates.first()).map(described)
        })
    };
    let place = format!("Cluster {context}, namespace {namespace}. ");
    let problem = problem.map(|problem| view! { <p class="problem" role="alert">{problem}</p> });
    view! {
        {problem}
        {choice("Template", "template", options, move |value| template.set(Some(value)))}
        <p class="row-note">{place} {about}</p>
    }
    .into_any()
}

/// Describes a template in a line.
fn described(template: &TemplateChoice) -> String {
    let TemplateChoice { image, memory, .. } = template;
    format!("{image}, {memory} of memory.")
}
