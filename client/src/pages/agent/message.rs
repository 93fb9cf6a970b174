//! A message: a prompt of a user, or what the agent says and thinks.

use std::sync::Arc;

use leptos::prelude::*;
use moorline_shared::agent::content::{ContentBlock, KnownContent, MessageRole};
use moorline_shared::agent::prompt::TurnState;
use moorline_shared::fold::{ConversationItem, MessageItem, TurnEntry};
use moorline_shared::id::TurnId;

use super::blocks::Blocks;
use super::folds::FoldState;
use super::message_tools::{asked_tools, said_tools};
use super::more_code::MoreCode;
use super::state::ConversationState;
use crate::session::api::ApiRequest;
use crate::ui::long::MoreButton;
use crate::ui::when::live;
use crate::ui::{Icon, IconName, When};

/// Shows a message by its role: a prompt, a thought or what the agent says.
pub(super) fn message(item: RwSignal<Arc<ConversationItem>>) -> AnyView {
    let role = item.with_untracked(|item| match &**item {
        ConversationItem::Message(message) => message.role,
        _ => MessageRole::Other,
    });
    match role {
        MessageRole::User => view! { <UserMessage item /> }.into_any(),
        MessageRole::Thought => view! { <Thought item /> }.into_any(),
        MessageRole::Agent | MessageRole::Other => view! {
            <article class="said" aria-label="Agent" data-testid="agent-message">
                <Blocks item />
                <Truncated item />
                {said_tools(item)}
            </article>
        }
        .into_any(),
    }
}

fn of_message<T: Default>(item: &ConversationItem, read: impl FnOnce(&MessageItem) -> T) -> T {
    match item {
        ConversationItem::Message(message) => read(message),
        _ => T::default(),
    }
}

#[component]
fn Truncated(item: RwSignal<Arc<ConversationItem>>) -> impl IntoView {
    let is_cut = move || item.with(|item| of_message(item, |message| message.truncated));
    view! {
        <When condition=is_cut>
            <p class="row-note">"Part of this was too large to store."</p>
        </When>
    }
}

/// Shows the reasoning of the agent, folded.
#[component]
fn Thought(item: RwSignal<Arc<ConversationItem>>) -> impl IntoView {
    let first = move || {
        let text = item.with(|item| of_message(item, first_text));
        text.lines().next().unwrap_or_default().trim_matches(['*', '#', ' ']).to_owned()
    };
    let id = item.with_untracked(|item| of_message(item, |message| message.message_id.clone()));
    let fold = FoldState::new(format!("thought {id}"), || false);
    let toggled = move |event: leptos::ev::Event| fold.toggled(&event);
    view! {
        <details class="thought" data-testid="thought" open=move || fold.is_open() on:toggle=toggled>
            <summary>
                <span class="thought-name">"Thought"</span>
                <span class="thought-line" dir="auto">{move || first()}</span>
            </summary>
            {fold.content(move || view! { <Blocks item /> }.into_any())}
        </details>
    }
}

fn first_text(message: &MessageItem) -> String {
    let text = message.content.iter().find_map(ContentBlock::as_text).unwrap_or_default();
    text.chars().take(160).collect()
}

/// The prompt of a user, and what became of its turn.
#[component]
fn UserMessage(item: RwSignal<Arc<ConversationItem>>) -> impl IntoView {
    let state = ConversationState::expect();
    let turn_id = item.with_untracked(|item| of_message(item, |message| message.turn_id.clone()));
    let turn = Memo::new(move |_| turn_id.as_ref().and_then(|id| state.turn(id)));
    state.learn_own_label();
    let typed = Memo::new(move |_| item.with(|item| of_message(item, typed_text)));
    let images = Memo::new(move |_| item.with(|item| of_message(item, images_of)));
    let by =
        move || turn.get().and_then(|turn| turn.by).map(|by| format!("Sent by {}", state.who(&by)));
    view! {
        <article class="asked" aria-label="You" data-testid="user-message" title=by>
            {typed_view(typed)}
            {live(move || images.get().map(|(turn, count)| prompt_images(turn, count)).into_any())}
            {asked_tools(item)}
        </article>
        {live(move || turn.get().map(outcome).unwrap_or_else(|| ().into_any()))}
    }
}

/// The size in bytes from which a prompt is shown in part at first, and that of the part.
const LONG_PROMPT: usize = 6 * 1024;
const PROMPT_PART: usize = 2 * 1024;

/// Renders what was typed. Of a long text, the first part is shown, and the rest on demand.
fn typed_view(text: Memo<String>) -> AnyView {
    let is_whole = RwSignal::new(false);
    let shown = move || text.with(|text| shown_part(text, is_whole.get()).to_owned());
    let left = Signal::derive(move || {
        match text.with(|text| text.len() - shown_part(text, is_whole.get()).len()) {
            0 => String::new(),
            bytes => format!("{} KB", bytes.div_ceil(1024)),
        }
    });
    view! {
        <When condition=move || text.with(|text| !text.is_empty())>
            <div class="typed" dir="auto" data-find="">{shown}</div>
        </When>
        <MoreButton left more=Callback::new(move |()| is_whole.set(true)) />
    }
    .into_any()
}

/// Returns the part of a prompt that is shown: whole lines, if there are some.
fn shown_part(text: &str, is_whole: bool) -> &str {
    if is_whole || text.len() <= LONG_PROMPT {
        return text;
    }
    let part = &text[..text.floor_char_boundary(PROMPT_PART)];
    part.rfind('\n').map_or(part, |line| &part[..line])
}

/// Returns a prompt as it was typed, with the names of what came with it.
pub(super) fn typed_text(message: &MessageItem) -> String {
    let texts = || message.content.iter().filter_map(ContentBlock::as_text);
    // What the text refers to by itself needs no name of its own.
    let is_named = |name: &str| texts().any(|text| text.contains(&format!("@{name}")));
    let part = |content: &ContentBlock| match content {
        ContentBlock::Known(KnownContent::Text { text }) => Some(text.clone()),
        // Images are shown below.
        ContentBlock::Known(KnownContent::Image { .. }) | ContentBlock::Other(_) => None,
        ContentBlock::Known(KnownContent::ResourceLink { name, .. }) => {
            (!is_named(name)).then(|| name.clone())
        }
    };
    let parts = message.content.iter().filter_map(part);
    parts.filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

/// Returns the turn of a prompt, and the number of images that came with it.
pub(super) fn images_of(message: &MessageItem) -> Option<(TurnId, usize)> {
    let is_image = |content: &&ContentBlock| {
        matches!(content, ContentBlock::Known(KnownContent::Image { .. }))
    };
    let count = message.content.iter().filter(is_image).count();
    Some((message.turn_id.clone()?, count)).filter(|_| count > 0)
}

/// Renders the images of a prompt.
fn prompt_images(turn: TurnId, count: usize) -> AnyView {
    if count == 0 {
        return ().into_any();
    }
    let (state, more) = (ConversationState::expect(), MoreCode::expect());
    more.show(move |views| (views.images)(state, turn.clone(), count))
}

/// Renders a turn that has ended before the agent got its prompt. Of any other turn, the prompt is a
/// message.
pub(super) fn unbegun_turn(id: TurnId) -> AnyView {
    let state = ConversationState::expect();
    let turn = Memo::new(move |_| state.unbegun(&id));
    live(move || match turn.get() {
        Some(turn) => {
            let (text, images) = (turn.prompt.text.clone(), turn.prompt.images.len());
            view! {
                <article class="asked" aria-label="You" data-testid="user-message">
                    {typed_view(Memo::new(move |_| text.clone()))}
                    {prompt_images(turn.turn_id.clone(), images)}
                </article>
                {outcome(turn)}
            }
            .into_any()
        }
        None => ().into_any(),
    })
}

/// Says how a turn ended, unless it is done as usual.
fn outcome(turn: TurnEntry) -> AnyView {
    let (tone, sentence) = match turn.state {
        TurnState::Failed => {
            let error = turn.error.map(|error| error.message);
            ("bad", error.unwrap_or_else(|| "This turn failed.".to_owned()))
        }
        TurnState::Cancelled => ("soft", "You stopped this turn.".to_owned()),
        TurnState::Done => match turn.stop_reason.as_deref() {
            None | Some("end_turn") => return ().into_any(),
            Some("max_tokens") => {
                ("away", "The answer was cut off at the model's length limit.".into())
            }
            Some("max_turn_requests") => ("away", "The agent reached its limit of steps.".into()),
            Some("refusal") => ("bad", "The agent refused to continue.".into()),
            Some(other) => ("soft", format!("Stopped: {other}")),
        },
        _ => return ().into_any(),
    };
    let can_retry = matches!(turn.state, TurnState::Failed | TurnState::Cancelled);
    let turn_id = turn.turn_id;
    view! {
        <p class="turn-end" data-tone=tone data-testid="turn-end">
            <span>{sentence}</span>
            {can_retry.then(|| view! { <Retry turn_id /> })}
        </p>
    }
    .into_any()
}

#[component]
fn Retry(turn_id: TurnId) -> impl IntoView {
    let state = ConversationState::expect();
    let retry = move |_| state.ask(ApiRequest::post_nothing, &format!("prompts/{turn_id}/retry"));
    view! {
        <button class="button quiet" data-testid="retry-turn" on:click=retry>
            <Icon name=IconName::Again />
            <span>"Try again"</span>
        </button>
    }
}
