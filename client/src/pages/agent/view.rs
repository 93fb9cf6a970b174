//! The conversation in its scrolled place.

use std::sync::Arc;
use std::time::Duration;

use leptos::html;
use leptos::prelude::*;
use leptos::task::{spawn_local, tick};
use moorline_shared::fold::ConversationItem;

use super::message;
use super::more_code::MoreCode;
use super::shown::{ShownSpan, row_of};
use super::state::ConversationState;
use super::{approval, tool};
use crate::bindings::broken_images::{self, BrokenImages};
use crate::bindings::observe::{self, SizeWatch};
use crate::bindings::page::HtmlElement;
use crate::bindings::scrolling::{self, ScrollAnchor};
use crate::ui::markdown::escaped;
use crate::ui::when::{each, effect};
use crate::ui::{Icon, IconName, When};

/// The turns of the microtask queue within which changed signals have changed the page.
const DRAWING_TURNS: usize = 4;

/// The rows of the conversation. The view follows the end while it is there; otherwise what is read
/// stays in its place.
#[component]
pub fn Conversation(
    /// The element that scrolls.
    place: NodeRef<html::Div>,
) -> impl IntoView {
    let (state, more) = (ConversationState::expect(), MoreCode::expect());
    let follows = state.shown.follows;
    let content = NodeRef::<html::Div>::new();
    // Where the view was last, in CSS pixels from the beginning.
    let top = StoredValue::new(0);
    let to_end = move || {
        if let Some(place) = place.get_untracked() {
            scrolling::to_end(&place);
            top.set_value(scrolling::top(&place));
        }
    };
    let watch = StoredValue::new_local(None::<SizeWatch>);
    content.on_load(move |content| {
        let follow = move || {
            if follows.get_untracked() {
                to_end();
            }
        };
        watch.set_value(Some(observe::size_before_drawing(&content, follow)));
    });
    let broken = StoredValue::new_local(None::<BrokenImages>);
    place.on_load(move |place| broken.set_value(Some(broken_images::watch(&place))));
    state.shown.hold.set_value(Some(Box::new(move || {
        if let Some(place) = place.get_untracked() {
            hold_place(state, place.into());
        }
    })));
    let earlier = move || {
        if let Some(place) = place.get_untracked() {
            show_earlier(state, place.into());
        }
    };
    let span = state.shown.span;
    let is_filling = Memo::new(move |_| span.with(ShownSpan::is_filling));
    let has_earlier = Memo::new(move |_| span.with(|span| span.has_earlier && !span.is_filling()));
    let is_at_start = Memo::new(move |_| span.with(|span| !span.has_earlier));
    let omitted = Memo::new(move |_| span.with(omitted_text));
    let lacks_items =
        Memo::new(move |_| is_at_start.get() && omitted.with(|text| !text.is_empty()));
    let scrolled = move |_| {
        let Some(place) = place.get_untracked() else { return };
        let before = top.get_value();
        top.set_value(scrolling::top(&place));
        let has_later = span.with_untracked(|span| span.has_later);
        if has_later && scrolling::is_near_end(&place) {
            state.shown.show_later();
        }
        let is_at_end = !has_later && scrolling::is_at_end(&place);
        let is_following = follows.get_untracked();
        // Whoever scrolls up leaves the end at once: content that comes would take them back. Without a
        // step up, only content has come, and the view is about to follow it.
        let is_up = top.get_value() < before && !is_at_end;
        let changes = if is_following { is_up } else { is_at_end };
        if changes {
            follows.set(!is_following);
        }
        let is_start = span.with_untracked(|span| !span.has_earlier && span.omitted > 0);
        if is_start && !follows.get_untracked() && scrolling::is_near_start(&place) {
            state.wants_log.set(true);
        }
        fill_start(state, &place);
    };
    effect(move || {
        if is_filling.get() {
            fill(state, place);
        }
    });
    // Also when nothing is scrolled: what is shown may be short, or the log may have brought more.
    effect(move || {
        if has_earlier.get() {
            request_animation_frame(move || {
                place.get_untracked().iter().for_each(|place| fill_start(state, place));
            });
        }
    });
    let follow_again = move |_| {
        state.shown.show_last();
        follows.set(true);
        request_animation_frame(to_end);
    };
    let earlier_items = move || more.show(move |views| (views.earlier)(state, omitted));
    let chunks = Memo::new(move |_| span.with(|span| span.keys()));
    let chunk = move |key: &str| {
        let rows = state.shown.chunk(key);
        each(move || rows.get(), move |key| row(state, key))
    };
    view! {
        <div
            class="conversation-view"
            class:following=move || follows.get()
            node_ref=place
            on:scroll=scrolled
            tabindex="0"
            role="log"
            aria-label="Conversation"
        >
            <div
                class="conversation-rows"
                class:filling=move || is_filling.get()
                node_ref=content
                data-testid="conversation"
            >
                <When condition=move || has_earlier.get() || lacks_items.get()>
                    <div class="conversation-start">
                        <When condition=move || has_earlier.get()>
                            <button class="button quiet" data-testid="show-earlier" on:click=move |_| earlier()>"Show earlier"</button>
                        </When>
                        <When condition=move || lacks_items.get()>{earlier_items()}</When>
                    </div>
                </When>
                <When condition=move || state.is_empty()>
                    <p class="conversation-empty" data-testid="nothing-said">"No messages yet."</p>
                </When>
                {each(move || chunks.get(), chunk)}
            </div>
        </div>
        <When condition=move || !follows.get()>
            <div class="to-end-place">
                <button class="to-end" aria-label="Go to the end" title="Go to the end" data-testid="to-end" on:click=follow_again>
                    <Icon name=IconName::Down />
                </button>
            </div>
        </When>
    }
}

/// Shows more of the past, if its beginning is almost in view.
fn fill_start(state: ConversationState, place: &HtmlElement) {
    let has_earlier =
        state.shown.span.with_untracked(|span| span.has_earlier && !span.is_filling());
    if has_earlier && scrolling::is_near_start(place) {
        show_earlier(state, place.clone());
    }
}

/// Shows the rest of what a page shows at first, a step a frame, so that what is pressed meanwhile does
/// not wait for all of it. What is read stays in its place.
fn fill(state: ConversationState, view: NodeRef<html::Div>) {
    let again = move || {
        if state.shown.span.try_with_untracked(ShownSpan::is_filling) == Some(true) {
            fill(state, view);
        }
    };
    let step = move || {
        let Some(place) = view.try_get_untracked().flatten() else { return };
        let follows = state.shown.follows.get_untracked();
        let anchor = if follows { None } else { ScrollAnchor::of(&place) };
        state.shown.fill();
        match anchor {
            None => again(),
            Some(anchor) => request_animation_frame(move || {
                anchor.restore(&place);
                again();
            }),
        }
    };
    // A view that follows the end is moved there before the rows are drawn. The event of the last such
    // move must come before the next rows: it would find the view elsewhere than at the end.
    if state.shown.follows.get_untracked() {
        request_animation_frame(step);
    } else {
        set_timeout(step, Duration::ZERO);
    }
}

/// Shows more of the past, and keeps what is read in its place.
fn show_earlier(state: ConversationState, place: HtmlElement) {
    if hold_place(state, place) {
        state.shown.show_earlier();
    }
}

/// Keeps what is read in its place while rows are added before it. Returns false if that is being done
/// already.
fn hold_place(state: ConversationState, place: HtmlElement) -> bool {
    let is_moving = state.shown.is_moving;
    if is_moving.try_get_value() != Some(false) {
        return false;
    }
    let anchor = ScrollAnchor::of(&place);
    is_moving.set_value(true);
    let (soon, view) = (anchor.clone(), place.clone());
    // The rows are there after some of these turns: before this frame is drawn, if it is not yet.
    spawn_local(async move {
        for _ in 0..DRAWING_TURNS {
            tick().await;
            soon.iter().for_each(|anchor| anchor.restore(&view));
        }
    });
    request_animation_frame(move || {
        anchor.iter().for_each(|anchor| anchor.restore(&place));
        // The page may be gone by now.
        if is_moving.try_set_value(false).is_none() {
            fill_start(state, &place);
        }
    });
    true
}

/// Says how many items are left out; nothing if there are none.
fn omitted_text(span: &ShownSpan) -> String {
    match span.omitted {
        0 => String::new(),
        1 => "1 earlier item is not loaded.".to_owned(),
        count => format!("{count} earlier items are not loaded."),
    }
}

/// Shows the row with this key.
fn row(state: ConversationState, key: &str) -> AnyView {
    let (place, is_group) = row_of(key);
    let row = if is_group {
        tool::tools(place)
    } else {
        state.item(place).map_or_else(|| ().into_any(), |known| item(place, known))
    };
    view! { <div class="conversation-row" data-row=place.to_string()>{row}</div> }.into_any()
}

fn item(place: u64, item: RwSignal<Arc<ConversationItem>>) -> AnyView {
    let known = item.get_untracked();
    match &*known {
        ConversationItem::Message(_) => message::message(item),
        ConversationItem::Tool(_) => tool::tool(place),
        ConversationItem::Approval { approval_id } => approval::approval(approval_id),
        ConversationItem::Update { update } => {
            let text = serde_json::to_string_pretty(update).unwrap_or_default();
            view! {
                <details class="tool" data-testid="unknown-update">
                    <summary><span class="tool-title">"Unknown update"</span></summary>
                    <pre data-find="" inner_html=escaped(&text)></pre>
                </details>
            }
            .into_any()
        }
        ConversationItem::Turn { turn_id, .. } => message::unbegun_turn(turn_id.clone()),
    }
}
