//! The prompts that wait, to be changed, moved and withdrawn. The page loads this part when there are
//! some.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::fold::TurnEntry;
use moorline_shared::id::TurnId;
use serde_json::json;

use super::state::ConversationState;
use crate::session::api::ApiRequest;
use crate::ui::when::live;
use crate::ui::{Icon, IconName};

/// Lists the queued prompts, next first.
pub(super) fn queued(state: ConversationState, queue: Memo<Vec<TurnEntry>>) -> AnyView {
    let entries = move || {
        let queue = queue.get();
        let places = queue.iter().enumerate().map(|(place, turn)| {
            // Moving up means to stand before the one that is before.
            let before = place.checked_sub(1).map(|place| queue[place].turn_id.clone());
            view! { <QueuedPrompt state turn=turn.clone() before /> }
        });
        places.collect_view().into_any()
    };
    view! { <ol class="queue" aria-label="Queued prompts" data-testid="queue">{live(entries)}</ol> }
        .into_any()
}

#[component]
fn QueuedPrompt(
    state: ConversationState,
    turn: TurnEntry,
    before: Option<TurnId>,
) -> impl IntoView {
    let editing = RwSignal::new(false);
    let path = format!("prompts/{}", turn.turn_id);
    let (move_path, withdraw_path) = (path.clone(), path.clone());
    let text = turn.prompt.text.clone();
    let first = text.lines().next().unwrap_or_default().to_owned();
    let field = NodeRef::<html::Textarea>::new();
    let keep = move |_| {
        if let Some(field) = field.get_untracked() {
            let body = json!({ "command": field.value() });
            state.ask(|path| ApiRequest::patch(path, &body), &path);
        }
        editing.set(false);
    };
    let up = before.map(|before| {
        let body = json!({ "before": before });
        view! {
            <button
                class="icon-button"
                aria-label="Move up"
                title="Move up"
                on:click=move |_| state.ask(|path| ApiRequest::patch(path, &body), &move_path)
            >
                <Icon name=IconName::Up />
            </button>
        }
    });
    view! {
        <li class="queued" data-testid="queued">
            <span class="queued-text" title=text.clone()>{first}</span>
            {turn.pending.then(|| view! { <span class="row-note">"waits for the host"</span> })}
            {up}
            // A prompt of which only a part is here cannot be changed here.
            {(!turn.truncated).then(|| view! {
                <button class="icon-button" aria-label="Change" title="Change" data-testid="edit-queued" on:click=move |_| editing.set(true)>
                    <Icon name=IconName::Pencil />
                </button>
            })}
            <button
                class="icon-button"
                aria-label="Withdraw"
                title="Withdraw"
                data-testid="withdraw"
                on:click=move |_| state.ask(ApiRequest::delete, &withdraw_path)
            >
                <Icon name=IconName::Cross />
            </button>
        </li>
        {live(move || if editing.get() {
            let keep = keep.clone();
            view! {
                <li class="queued-edit">
                    <textarea node_ref=field rows="3" aria-label="Queued prompt" data-testid="queued-field">{text.clone()}</textarea>
                    <button class="button" data-testid="keep-queued" on:click=keep>"Keep"</button>
                    <button class="button quiet" on:click=move |_| editing.set(false)>"Cancel"</button>
                </li>
            }.into_any()
        } else {
            ().into_any()
        })}
    }
}
