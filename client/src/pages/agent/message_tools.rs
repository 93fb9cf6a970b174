//! The small buttons beside a message: copy it, or fork the session there.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::agent::content::{ContentBlock, KnownContent};
use moorline_shared::fold::{ConversationItem, MessageItem};
use moorline_shared::id::Seq;

use super::message::images_of;
use super::more_code::MoreCode;
use super::state::ConversationState;
use crate::bindings::clipboard;
use crate::session::actions::Actions;
use crate::session::drafts::KeptDraft;
use crate::ui::when::live;
use crate::ui::{Icon, IconName, When};

/// The reason why a prompt with images is not forked.
const NOT_LOADED: &str =
    "A part of this page could not be loaded: check the connection and try again.";

/// Renders the buttons beside what the agent has said.
pub(super) fn said_tools(item: RwSignal<Arc<ConversationItem>>) -> AnyView {
    view! {
        <div class="message-tools">
            <ForkButton item title="Fork after this message" place=|message| Some((message.seq?, None)) />
            <CopyButton item />
        </div>
    }
    .into_any()
}

/// Renders the buttons beside a prompt.
pub(super) fn asked_tools(item: RwSignal<Arc<ConversationItem>>) -> AnyView {
    // The prompt is not in the fork, where it can be changed and sent instead.
    let before = |message: &MessageItem| {
        let first = message.first_seq?.0.checked_sub(1).filter(|seq| *seq > 0)?;
        Some((Seq(first), Some(Box::new(message.clone()))))
    };
    view! {
        <div class="message-tools">
            <ForkButton item title="Fork before this prompt" place=before />
        </div>
    }
    .into_any()
}

/// Returns the text of a message.
fn text(message: &MessageItem) -> String {
    let texts = message.content.iter().filter_map(ContentBlock::as_text);
    texts.collect::<Vec<_>>().join("\n\n")
}

/// Returns the draft of a prompt like this one, without its images.
fn draft_of(message: &MessageItem) -> KeptDraft {
    let file = |content: &ContentBlock| match content {
        ContentBlock::Known(KnownContent::ResourceLink { uri, .. }) => Some(uri.clone()),
        _ => None,
    };
    let files = message.content.iter().filter_map(file).collect();
    KeptDraft { text: text(message), files, images: Vec::new() }
}

fn read<T>(item: &ConversationItem, read: impl FnOnce(&MessageItem) -> Option<T>) -> Option<T> {
    match item {
        ConversationItem::Message(message) => read(message),
        _ => None,
    }
}

/// The last entry that a fork takes over, and the prompt that is the draft of its next one.
type ForkPlace = (Seq, Option<Box<MessageItem>>);

/// Starts a session that continues from a place of this one, and opens it. It is not there for a
/// message whose entries are unknown, nor for who may not prompt.
#[component]
fn ForkButton(
    item: RwSignal<Arc<ConversationItem>>,
    title: &'static str,
    place: fn(&MessageItem) -> Option<ForkPlace>,
) -> impl IntoView {
    let state = ConversationState::expect();
    let (actions, more) = (Actions::expect(), MoreCode::expect());
    let known = Memo::new(move |_| item.with(|item| read(item, place).is_some()));
    let fork = move |_| {
        let Some((seq, prompt)) = item.with_untracked(|item| read(item, place)) else { return };
        let fork = move |draft| actions.fork_with(&state.id(), Some(seq), draft);
        let Some(prompt) = prompt else { return fork(None) };
        let draft = draft_of(&prompt);
        let Some((turn, count)) = images_of(&prompt) else { return fork(Some(draft)) };
        more.with(move |views| {
            let then = Box::new(move |images| fork(Some(KeptDraft { images, ..draft })));
            match views {
                Some(views) => (views.draft_images)(state, &turn, count, then),
                None => state.problem.set(Some(NOT_LOADED.to_owned())),
            }
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
