//! The dialog of pod templates: the templates of a host, and the pods and volumes of its sessions.

mod fields;
pub mod form;
mod state;
pub mod templates;
pub mod verdict;
pub mod workloads;

use leptos::html;
use leptos::prelude::*;

use crate::bindings::page;
use crate::pages::frame::hosts::{NoHost, host_choice};
use crate::session::overview::OverviewState;
use crate::ui::When;
use crate::ui::when::live;
use form::TemplateForm;
use state::{ClusterAnswer, PodsScreen, PodsState};
use templates::TemplateList;
use verdict::{DeleteVolume, RemoveTemplate};
use workloads::Workloads;

/// Shows the templates of a host's pods, and lets administrators change them.
#[component]
pub fn PodTemplates() -> impl IntoView {
    // Pods and volumes are shown with the names of their sessions.
    OverviewState::expect().follow();
    let state = PodsState::provide();
    // Escape leaves a form before it closes the dialog.
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        let is_list = state.screen.with_untracked(|screen| *screen == PodsScreen::List);
        if event.key() == "Escape" && !is_list {
            event.prevent_default();
            event.stop_propagation();
            state.go(PodsScreen::List);
        }
    };
    view! {
        <div class="pods" data-testid="pods" on:keydown=on_key>
            {live(move || match state.screen.get() {
                PodsScreen::List => view! { <Listing /> }.into_any(),
                PodsScreen::Add => view! { <TemplateForm /> }.into_any(),
                PodsScreen::Change(template) => view! { <TemplateForm template=*template /> }.into_any(),
                PodsScreen::Remove(name) => view! { <RemoveTemplate name /> }.into_any(),
                PodsScreen::DeleteVolume(volume) => view! { <DeleteVolume volume /> }.into_any(),
            })}
        </div>
    }
}

/// Shows what there is on the chosen host.
#[component]
fn Listing() -> impl IntoView {
    let state = PodsState::expect();
    let place = NodeRef::<html::Div>::new();
    place.on_load(|place| page::focus_soon(place.into()));
    view! {
        <div class="pods-listing" node_ref=place tabindex="-1">
            {host_choice(state.dialog.host)}
            <NoHost />
            <p class="problem" role="alert" data-testid="pods-problem">{state.problem}</p>
            <p class="pods-done" role="status" data-testid="pods-note">{state.note}</p>
            {live(move || content(state))}
        </div>
        <div class="actions">
            <When condition=move || state.may_change()>
                <button
                    class="button primary"
                    data-testid="add-template"
                    on:click=move |_| state.go(PodsScreen::Add)
                >
                    "New template…"
                </button>
                <span class="bar-fill"></span>
            </When>
            <button class="button quiet" data-testid="pods-look-again" on:click=move |_| state.look_again()>
                "Look again"
            </button>
            <button class="button" data-testid="pods-close" on:click=move |_| state.dialog.open.set(false)>
                "Close"
            </button>
        </div>
    }
}

fn content(state: PodsState) -> AnyView {
    match state.answer.get() {
        ClusterAnswer::NoHost => ().into_any(),
        ClusterAnswer::Waiting => {
            view! { <p class="row-note" role="status">"Asking the host…"</p> }.into_any()
        }
        ClusterAnswer::Failed(text) => {
            view! { <p class="problem" role="alert" data-testid="pods-failed">{text}</p> }
                .into_any()
        }
        ClusterAnswer::Listed(cluster) => {
            let place = (!cluster.context.is_empty()).then(|| {
                let (context, namespace) = (cluster.context.clone(), cluster.namespace.clone());
                view! {
                    <p class="row-note" data-testid="cluster">
                        "Cluster " <bdi>{context}</bdi> ", namespace " <bdi>{namespace}</bdi> "."
                    </p>
                }
            });
            let problem = cluster.problem.clone().map(|text| {
                view! { <p class="problem" role="alert" data-testid="cluster-problem">{text}</p> }
            });
            // A cluster that could not be asked has none to show, which does not mean that it has none.
            let is_known = cluster.problem.is_none() || !cluster.pods.is_empty();
            let workloads = is_known.then(|| {
                let (pods, volumes) = (cluster.pods.clone(), cluster.claims.clone());
                view! { <Workloads pods volumes /> }
            });
            view! {
                {place}
                {problem}
                <TemplateList templates=cluster.templates.clone() />
                {workloads}
            }
            .into_any()
        }
    }
}
