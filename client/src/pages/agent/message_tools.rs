//! The small buttons beside a message: copy it, or fork the session there.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::agent::content::ContentBlock;
use moorline_shared::fold::{ConversationItem, MessageItem};
use moorline_shared::id::Seq;

use super::more_code::MoreCode;
use super::state::ConversationState;
use crate::bindings::clipboard;
use crate::session::actions::Actions;
use crate::ui::when::live;
use crate::ui::{Icon, IconName, When};

/// The reason why a prompt is not forked.
const NOT_LOADED: &str =
    "A part of this page could not be loaded: check the connection and try again.";

/// Renders the buttons beside what the agent has said.
pub(super) fn said_tools(item: RwSignal<Arc<ConversationItem>>) -> AnyView {
    view! {
        <div class="message-tools">
            <ForkButton item title="Fork after this message" takes_prompt=false place=|message| message.seq />
            <CopyButton item />
        </div>
    }
    .into_any()
}

/// Renders the buttons beside a prompt.
pub(super) fn asked_tools(item: RwSignal<Arc<ConversationItem>>) -> AnyView {
    // The prompt is not in the fork, where it can be changed and sent instead.
    let before = |message: &MessageItem| {
        Some(Seq(message.first_seq?.0.checked_sub(1).filter(|seq| *seq > 0)?))
    };
    view! {
        <div class="message-tools">
            <ForkButton item title="Fork before this prompt" takes_prompt=true place=before />
        </div>
    }
    .into_any()
}

/// Returns the text of a message.
pub(super) fn text(message: &MessageItem) -> String {
    let texts = message.content.iter().filter_map(ContentBlock::as_text);
    texts.collect::<Vec<_>>().join("\n\n")
}

fn read<T>(item: &ConversationItem, read: impl FnOnce(&MessageItem) -> Option<T>) -> Option<T> {
    match item {
        ConversationItem::Message(message) => read(message),
        _ => None,
    }
}

/// Starts a session that continues from a place of this one, and opens it. It is not there for a
/// message whose entries are unknown, nor for who may not prompt.
#[component]
fn ForkButton(
    item: RwSignal<Arc<ConversationItem>>,
    title: &'static str,
    /// True if the message is the draft in the new session.
    takes_prompt: bool,
    /// Returns the last entry that the new session takes over.
    place: fn(&MessageItem) -> Option<Seq>,
) -> impl IntoView {
    let state = ConversationState::expect();
    let (actions, more) = (Actions::expect(), MoreCode::expect());
    let known = Memo::new(move |_| item.with(|item| read(item, place).is_some()));
    let fork = move |_| {
        let Some(seq) = item.with_untracked(|item| read(item, place)) else { return };
        if !takes_prompt {
            return actions.fork_with(&state.id(), Some(seq), None);
        }
        let prompt = item.with_untracked(|item| read(item, |message| Some(message.clone())));
        more.with(move |views| match views.zip(prompt) {
            Some((views, prompt)) => (views.fork_before)(state, actions, seq, &prompt),
            None => state.problem.set(Some(NOT_LOADED.to_owned())),
        });
    };
    view! {
        <When condition=move || known.get() && !state.view.with(|view| view.read_only)>
            <button class="icon-button" aria-label=title title=title data-testid="fork-message" on:click=fork>
                <Icon name=IconName::Fork />
            </button>
        </When>
    }
}

/// Copies a message as the Markdown that the agent has written.
#[component]
fn CopyButton(item: RwSignal<Arc<ConversationItem>>) -> impl IntoView {
    let is_copied = RwSignal::new(false);
    let copy = move |_| {
        let text = item.with_untracked(|item| read(item, |message| Some(text(message))));
        spawn_local(async move {
            let done = clipboard::write(&text.unwrap_or_default()).await;
            let _ = is_copied.try_set(done);
        });
    };
    view! {
        <When condition=clipboard::available>
            <button class="icon-button" aria-label="Copy as Markdown" title="Copy as Markdown" data-testid="copy-message" on:click=copy>
                {live(move || {
                    let name = if is_copied.get() { IconName::Check } else { IconName::Copy };
                    view! { <Icon name /> }.into_any()
                })}
            </button>
        </When>
    }
}
