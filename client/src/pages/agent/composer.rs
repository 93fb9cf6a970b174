//! The field for prompts, with what belongs to it: images, commands, stop.

mod draft;
mod extras;
mod offers;
mod pictures;
mod unsent;

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use moorline_shared::id::TurnId;

use draft::PromptDraft;
use extras::ComposerExtras;

use super::state::ConversationState;
use crate::bindings::{media, scrolling};
use crate::session::conversation::UserRequest;
use crate::ui::on_demand::{LoadState, OnDemand};
use crate::ui::when::live;
use crate::ui::{Icon, IconName, When};

/// The id of the field for prompts.
pub(super) const PROMPT: &str = "agent-prompt";
/// The field for prompts.
#[component]
pub fn Composer() -> impl IntoView {
    let state = ConversationState::expect();
    let draft = PromptDraft::new(state);
    // On phones Enter is a new line: the button sends.
    let enter_sends = !media::matches("(pointer: coarse)");
    let extras: OnDemand<ComposerExtras> = OnDemand::new();
    extras.load(extras::load());
    let shown = move |part: fn(ComposerExtras) -> fn(PromptDraft) -> AnyView| {
        live(move || match extras.state() {
            LoadState::Ready => extras.get().map(|all| part(all)(draft)).into_any(),
            _ => ().into_any(),
        })
    };
    draft.field.on_load(move |field| {
        field.set_value(&draft.text.get_untracked());
        scrolling::fit_height(&field);
    });
    let press = move |event: KeyboardEvent| {
        let sends = event.ctrl_key() || event.meta_key() || (enter_sends && !event.shift_key());
        if event.key() == "Enter" && sends && !event.is_composing() {
            event.prevent_default();
            draft.send();
        }
    };
    let works = Memo::new(move |_| state.head.with(|head| head.active().is_some()));
    let hint = move || if works.get() { "Queue a prompt" } else { "Ask the agent" };
    view! {
        <div class="composer" role="group" aria-label="Prompt">
            {shown(|all| all.above)}
            <textarea
                id=PROMPT
                node_ref=draft.field
                rows="1"
                aria-label="Prompt"
                placeholder=hint
                data-testid="composer"
                on:input=move |_| draft.take()
                on:keydown=press
            ></textarea>
            <p class="problem" role="alert" data-testid="prompt-refused">
                {move || draft.problem.get().or_else(|| state.problem.get())}
            </p>
            <div class="composer-row">
                {shown(|all| all.picker)}
                <super::settings::Settings />
                <When condition=move || works.get()>
                    <StopButton />
                </When>
                // Not by submitting: browsers do not let a form in a sandboxed frame.
                <button
                    type="button"
                    class="button primary"
                    data-testid="send-prompt"
                    title="Send (Enter)"
                    on:click=move |_| draft.send()
                >
                    <Icon name=IconName::Send />
                    <span>{move || if works.get() { "Queue" } else { "Send" }}</span>
                </button>
            </div>
        </div>
    }
}

/// Stops the turn; once that was asked for, by ending the agent's process.
#[component]
fn StopButton() -> impl IntoView {
    let state = ConversationState::expect();
    let turn =
        Memo::new(move |_| state.head.with(|head| head.active().map(|it| it.turn_id.clone())));
    let asked = RwSignal::new(None::<TurnId>);
    let is_asked = Memo::new(move |_| asked.get().is_some() && asked.get() == turn.get());
    let stop = move |_| {
        if let Some(turn_id) = turn.get_untracked() {
            let force = is_asked.get_untracked();
            asked.set(Some(turn_id.clone()));
            state.request(UserRequest::Stop(turn_id, force), |_| ());
        }
    };
    view! {
        <button type="button" class="button" data-testid="stop" on:click=stop>
            <Icon name=IconName::Stop />
            <span>{move || if is_asked.get() { "Force stop" } else { "Stop" }}</span>
        </button>
    }
}
