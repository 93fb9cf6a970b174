//! The pods and volumes of the host's sessions.

use leptos::prelude::*;
use moorline_shared::id::SessionId;
use moorline_shared::pod::ListedPod;

use super::state::{PodsScreen, PodsState};
use crate::session::actions::Actions;
use crate::session::route::{PageRoute, Router};
use crate::session::words;
use crate::ui::When;
use crate::ui::when::live;

/// Lists the pods and volumes of the host's sessions.
#[component]
pub fn Workloads(
    /// The pods.
    pods: Vec<ListedPod>,
    /// The volumes.
    volumes: Vec<ListedPod>,
) -> impl IntoView {
    let state = PodsState::expect();
    let no_pods = pods.is_empty();
    let no_volumes = volumes.is_empty();
    let pods = pods.into_iter().map(|it| pod(state, &it));
    let volumes = volumes.into_iter().map(|it| volume(state, it));
    view! {
        <section aria-labelledby="pods-pods">
            <h3 id="pods-pods">"Pods"</h3>
            <ul class="pods-list" data-testid="pods-pods">{pods.collect_view()}</ul>
            {no_pods.then(|| view! { <p class="row-note">"No session has a pod now."</p> })}
        </section>
        <section aria-labelledby="pods-volumes">
            <h3 id="pods-volumes">"Volumes"</h3>
            <ul class="pods-list" data-testid="pods-volumes">{volumes.collect_view()}</ul>
            {no_volumes.then(|| view! { <p class="row-note">"No session has a volume now."</p> })}
        </section>
    }
}

fn pod(state: PodsState, pod: &ListedPod) -> AnyView {
    let id = pod.session_id.clone();
    let phase = Memo::new(move |_| {
        let session = state.overview.session(id.as_ref()?)?;
        session.pod_phase.map(|phase| format!(" · session {}", phase.title().to_lowercase()))
    });
    let node = pod.node.as_ref().map(|node| format!(" · node {node}"));
    view! {
        <li class="pods-row" data-testid="pod-row">
            <div class="pods-about">
                {owner(state, pod)}
                <p class="pods-image"><bdi>{pod.name.clone()}</bdi></p>
                <p class="row-note">{place(pod)}{node}{move || phase.get()}</p>
            </div>
        </li>
    }
    .into_any()
}

fn volume(state: PodsState, volume: ListedPod) -> AnyView {
    let id = volume.session_id.clone();
    let is_left = Memo::new(move |_| {
        let is_known = state.overview.sessions.with(Option::is_some);
        let session = id.as_ref().and_then(|id| state.overview.session(id));
        is_known && session.is_none()
    });
    let label = format!("Delete the volume {}", volume.name);
    let about = (owner(state, &volume), volume.name.clone(), place(&volume));
    let volume = StoredValue::new(volume);
    let (owner, name, place) = about;
    view! {
        <li class="pods-row" data-testid="volume-row">
            <div class="pods-about">
                {owner}
                <p class="pods-image"><bdi>{name}</bdi></p>
                <p class="row-note">{place}</p>
            </div>
            <When condition=move || is_left.get() && state.may_change()>
                <div class="pods-actions">
                    <button
                        class="button quiet bad"
                        data-testid="delete-volume"
                        aria-label=label.clone()
                        on:click=move |_| state.go(PodsScreen::DeleteVolume(volume.get_value()))
                    >
                        "Delete…"
                    </button>
                </div>
            </When>
        </li>
    }
    .into_any()
}

/// Renders a link to the session of a pod or a volume, if this browser knows that.
fn owner(state: PodsState, pod: &ListedPod) -> AnyView {
    let id = pod.session_id.clone();
    let known = Memo::new(move |_| {
        let session = state.overview.session(id.as_ref()?)?;
        Some((words::name(&session), PageRoute::of_session(&session)))
    });
    let id = pod.session_id.clone();
    let (router, actions) = (Router::expect(), Actions::expect());
    live(move || match known.get() {
        Some((name, route)) => {
            let address = route.address();
            let follow = move |event: leptos::ev::MouseEvent| {
                if !event.ctrl_key() && !event.meta_key() && !event.shift_key() {
                    event.prevent_default();
                    actions.pods.open.set(false);
                    actions.asked.set(None);
                    router.go(&route);
                }
            };
            view! {
                <p class="pods-name">
                    <a href=address data-testid="pod-session" on:click=follow><bdi>{name}</bdi></a>
                </p>
            }
            .into_any()
        }
        None => {
            // Others than administrators do not see every session.
            let sees_all = state.may_change() && state.overview.sessions.with(Option::is_some);
            view! { <p class="pods-name">{unknown(id.as_ref(), sees_all)}</p> }.into_any()
        }
    })
}

/// Returns the text for a session that is not in the list of sessions.
fn unknown(id: Option<&SessionId>, sees_all: bool) -> String {
    match id {
        None => "No session".to_owned(),
        Some(id) if sees_all => format!("Session {id}, which is gone"),
        Some(id) => format!("Session {id}, which is not in your list"),
    }
}

fn place(pod: &ListedPod) -> String {
    format!("{} · namespace {}", pod.phase, pod.namespace)
}
