//! The files that the agent has changed: how many there are, and all of them on demand.

use leptos::prelude::*;
use moorline_shared::event::AgentChanges;

use super::parts;
use super::state::ConversationState;
use crate::bindings::dialog;
use crate::ui::When;
use crate::ui::on_demand::{LoadState, OnDemand};
use crate::ui::when::live;

/// Says how many files have changed, and shows them when it is opened.
#[component]
pub fn Review() -> impl IntoView {
    let state = ConversationState::expect();
    let told = Memo::new(move |_| state.head.with(|head| head.changes.clone()));
    let is_open = RwSignal::new(false);
    let code: OnDemand<parts::ReviewView> = OnDemand::new();
    let any = move || told.with(|told| told.files > 0);
    let toggled = move |event: leptos::ev::Event| {
        is_open.set(dialog::is_unfolded(&event));
        if is_open.get_untracked() {
            code.load(parts::review());
        }
    };
    let files = move || match code.state() {
        LoadState::Ready => code.get().map(|view| view(state, is_open, told)).into_any(),
        LoadState::Failed(error) => {
            view! { <p class="problem" role="alert">{error.to_string()}</p> }.into_any()
        }
        _ => view! { <p class="row-note">"Reading…"</p> }.into_any(),
    };
    view! {
        <When condition=any>
            <details class="review" data-testid="review" on:toggle=toggled>
                <summary>
                    <span class="review-name">{move || told.with(summary)}</span>
                    <span class="diff-count" data-side="added">{move || told.with(|told| format!("+{}", told.added))}</span>
                    <span class="diff-count" data-side="removed">{move || told.with(|told| format!("−{}", told.removed))}</span>
                </summary>
                {live(files)}
            </details>
        </When>
    }
}

fn summary(told: &AgentChanges) -> String {
    let more = if told.incomplete { ", perhaps more" } else { "" };
    match told.files {
        1 => format!("1 file changed{more}"),
        files => format!("{files} files changed{more}"),
    }
}
