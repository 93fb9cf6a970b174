//! The prompts that wait, to be changed, moved and withdrawn. The page loads this part when there are
//! some.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::fold::TurnEntry;
use moorline_shared::id::TurnId;
use moorline_shared::rest::SendPrompt;
use serde_json::json;

use super::approval::waits_for_host;
use super::sent_images::sent_images;
use super::state::ConversationState;
use crate::bindings::{media, text_field};
use crate::session::api::ApiRequest;
use crate::ui::when::{When, live};
use crate::ui::{Icon, IconName};

/// The queue, and the prompt of it that is being changed.
#[derive(Clone, Copy)]
struct PromptQueue {
    state: ConversationState,
    /// The queued prompts, next first.
    queue: Memo<Vec<TurnEntry>>,
    /// The prompt that is being changed, as it was.
    edited: RwSignal<Option<TurnEntry>>,
    field: NodeRef<html::Textarea>,
}

impl PromptQueue {
    /// Returns true if the prompt that is being changed does not wait any more; tracked.
    fn is_gone(self) -> bool {
        let id = self.edited.with(|edited| edited.as_ref().map(|turn| turn.turn_id.clone()));
        id.is_some_and(|id| self.queue.with(|queue| queue.iter().all(|turn| turn.turn_id != id)))
    }

    /// Saves the change, or sends it as a new prompt if the old one is gone.
    fn save(self) {
        let (Some(field), Some(turn)) = (self.field.get_untracked(), self.edited.get_untracked())
        else {
            return;
        };
        let text = field.value();
        if untrack(|| self.is_gone()) {
            let prompt = SendPrompt { command: Some(text), ..SendPrompt::default() };
            self.state.prompt(prompt, |_| ());
            self.edited.set(None);
        } else {
            let body = json!({ "command": text });
            let path = format!("prompts/{}", turn.turn_id);
            // What was typed stays until the relay has it.
            let saved = move || drop(self.edited.try_set(None));
            self.state.ask_then(|path| ApiRequest::patch(path, &body), &path, saved);
        }
    }
}

/// Lists the queued prompts, next first. `edited` is the one that is being changed, as it was.
pub(super) fn queued(
    state: ConversationState,
    queue: Memo<Vec<TurnEntry>>,
    edited: RwSignal<Option<TurnEntry>>,
) -> AnyView {
    let field = NodeRef::new();
    let all = PromptQueue { state, queue, edited, field };
    let entries = move || {
        let queue = queue.get();
        let places = queue.iter().enumerate().map(|(place, turn)| {
            // Moving up means to stand before the one that is before.
            let before = place.checked_sub(1).map(|place| queue[place].turn_id.clone());
            row(all, turn, before)
        });
        places.collect_view().into_any()
    };
    // On a small screen, one line leaves more room for the conversation.
    let opens = !media::matches("(max-height: 640px)");
    let count = move || match queue.with(Vec::len) {
        1 => "1 queued prompt".to_owned(),
        count => format!("{count} queued prompts"),
    };
    view! {
        <details class="queue-fold" open=opens>
            <summary>{count}</summary>
            <ol class="queue" aria-label="Queued prompts" data-testid="queue">{live(entries)}</ol>
        </details>
        {live(move || all.edited.get().map(|turn| editor(all, &turn)).into_any())}
    }
    .into_any()
}

/// Shows a prompt in a line, with what can be done with it.
fn row(all: PromptQueue, turn: &TurnEntry, before: Option<TurnId>) -> AnyView {
    let path = format!("prompts/{}", turn.turn_id);
    let text = turn.prompt.text.clone();
    let first = text.lines().next().unwrap_or_default().to_owned();
    let images = turn.prompt.images.len();
    let withdraw = {
        let path = path.clone();
        move |_| all.state.ask(ApiRequest::delete, &path)
    };
    let up = before.map(|before| {
        let body = json!({ "before": before });
        let up = move |_| all.state.ask(|path| ApiRequest::patch(path, &body), &path);
        view! {
            <button class="icon-button" aria-label="Move up" title="Move up" on:click=up>
                <Icon name=IconName::Up />
            </button>
        }
    });
    // A prompt of which only a part is here cannot be changed here.
    let change = (!turn.truncated).then(|| {
        let turn = turn.clone();
        let edit = move |_| all.edited.set(Some(turn.clone()));
        view! {
            <button class="icon-button" aria-label="Edit" title="Edit" data-testid="edit-queued" on:click=edit>
                <Icon name=IconName::Pencil />
            </button>
        }
    });
    view! {
        <li class="queued" data-testid="queued">
            <span class="queued-text" title=text>{first}</span>
            {(images > 0).then(|| sent_images(all.state, turn.turn_id.clone(), images))}
            {turn.pending.then(|| waits_for_host(all.state))}
            {up}
            {change}
            <button class="icon-button" aria-label="Remove" title="Remove" data-testid="withdraw" on:click=withdraw>
                <Icon name=IconName::Cross />
            </button>
        </li>
    }
    .into_any()
}

/// Shows a prompt in a field to be changed.
fn editor(all: PromptQueue, turn: &TurnEntry) -> AnyView {
    let text = turn.prompt.text.clone();
    all.field.on_load(text_field::focus_end_soon);
    let is_gone = Memo::new(move |_| all.is_gone());
    let save = move || if is_gone.get() { "Send as a new prompt" } else { "Save" };
    view! {
        <div class="queued-edit">
            <textarea node_ref=all.field rows="3" aria-label="Queued prompt" data-testid="queued-field">{text}</textarea>
            <When condition=move || is_gone.get()>
                <p class="row-note" role="status" data-testid="edited-gone">
                    "This prompt is no longer queued: it was sent as it was, or removed."
                </p>
            </When>
            <button type="button" class="button" data-testid="keep-queued" on:click=move |_| all.save()>{save}</button>
            <button type="button" class="button quiet" on:click=move |_| all.edited.set(None)>"Cancel"</button>
        </div>
    }
    .into_any()
}
