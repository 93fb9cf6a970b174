//! The questions before something is removed.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::pod::ListedPod;

use super::state::{PodsScreen, PodsState};
use super::templates::DEFAULT;
use crate::bindings::page;

/// Asks whether to remove a template.
#[component]
pub fn RemoveTemplate(
    /// The name of the template.
    name: String,
) -> impl IntoView {
    let state = PodsState::expect();
    let (heading, text, verb) = if name == DEFAULT {
        let text = "It is then as every host has it at first. Pods that run are not changed.";
        (format!("Reset {name}?"), text, "Reset")
    } else {
        let text = "Pods that run are not changed. This cannot be undone.";
        (format!("Remove {name}?"), text, "Remove")
    };
    let agree = Callback::new(move |()| state.remove(&name));
    question(state, heading, text.to_owned(), verb, agree)
}

/// Asks whether to delete a volume that was left behind.
#[component]
pub fn DeleteVolume(
    /// The volume.
    volume: ListedPod,
) -> impl IntoView {
    let state = PodsState::expect();
    let heading = format!("Delete the volume {}?", volume.name);
    let text = "Its session is gone. The files in the volume are deleted. This cannot be undone.";
    let agree = Callback::new(move |()| state.delete_volume(volume.clone()));
    question(state, heading, text.to_owned(), "Delete the files", agree)
}

/// Renders a question with two answers. The harmless one has the focus.
fn question(
    state: PodsState,
    heading: String,
    text: String,
    verb: &'static str,
    agree: Callback<()>,
) -> AnyView {
    let cancel = NodeRef::<html::Button>::new();
    cancel.on_load(|button| page::focus_soon(button.into()));
    view! {
        <h3 class="pods-heading">{heading}</h3>
        <p>{text}</p>
        <div class="actions">
            <button
                node_ref=cancel
                class="button"
                data-testid="pods-cancel"
                on:click=move |_| state.go(PodsScreen::List)
            >
                "Cancel"
            </button>
            <button
                class="button danger"
                data-testid="pods-confirm"
                disabled=state.busy
                on:click=move |_| agree.run(())
            >
                {verb}
            </button>
        </div>
    }
    .into_any()
}
