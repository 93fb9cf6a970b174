//! The files that the agent has changed: how many there are, and all of them on demand.

use leptos::prelude::*;
use moorline_shared::event::AgentChanges;

use super::more_code::MoreCode;
use super::review_undo::RevertUndo;
use super::state::ConversationState;
use crate::bindings::dialog;
use crate::ui::When;

/// Says how many files have changed, and shows them when it is opened.
#[component]
pub fn Review() -> impl IntoView {
    let (state, more) = (ConversationState::expect(), MoreCode::expect());
    let told = Memo::new(move |_| state.head.with(|head| head.changes.clone()));
    let is_open = RwSignal::new(false);
    let was_opened = RwSignal::new(false);
    let any = move || told.with(|told| told.files > 0);
    let toggled = move |event: leptos::ev::Event| {
        let is_unfolded = dialog::is_unfolded(&event);
        is_open.set(is_unfolded);
        if is_unfolded {
            was_opened.set(true);
        }
    };
    // Also once no change is left to show.
    let undo = RwSignal::new(None::<RevertUndo>);
    let files = move || more.show(move |views| (views.review)(state, is_open, told, undo));
    let undo_row = move || more.show(move |views| (views.undo)(state, undo));
    view! {
        <When condition=move || undo.with(Option::is_some)>{undo_row()}</When>
        <When condition=any>
            <details class="review" data-testid="review" on:toggle=toggled>
                <summary>
                    <span class="review-name">{move || told.with(summary)}</span>
                    <span class="diff-count" data-side="added">{move || told.with(|told| format!("+{}", told.added))}</span>
                    <span class="diff-count" data-side="removed">{move || told.with(|told| format!("−{}", told.removed))}</span>
                </summary>
                <When condition=move || was_opened.get()>{files()}</When>
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
