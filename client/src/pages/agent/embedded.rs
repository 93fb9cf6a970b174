//! The conversation of an agent in a frame on another page.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::embed::{EmbedCursor, EmbedKind, FrameState};
use moorline_shared::id::SessionId;
use moorline_shared::rest::SendPrompt;

use super::composer::PROMPT;
use super::folds::FoldStates;
use super::state::ConversationState;
use super::view::Conversation;
use super::{FootParts, LinkPill, parts};
use crate::bindings::chunk::Chunk;
use crate::bindings::observe::{self, SizeWatch};
use crate::bindings::{measure, page, scrolling};
use crate::session::conversation::ConversationView;
use crate::session::embed::{EmbedFrame, FramedView, HandedView};
use crate::session::view::LinkView;
use crate::ui::highlight::CodeColours;
use crate::ui::when::effect;

/// Shows the conversation of an agent session, without anything around it.
#[component]
pub fn EmbeddedAgent(
    /// The session to show.
    id: SessionId,
) -> impl IntoView {
    let frame = EmbedFrame::expect();
    let state = ConversationState::provide(id.clone());
    CodeColours::provide();
    FoldStates::provide();
    parts::provide();
    attach(frame, state, id.clone());
    tell(frame, state, id);
    let is_calm = Memo::new(move |_| {
        state.view.with(|view| view.link == LinkView::Live && !is_host_away(view))
    });
    let (place, foot) = (NodeRef::<html::Div>::new(), NodeRef::<html::Div>::new());
    let watches = StoredValue::new_local(Vec::<SizeWatch>::new());
    let tell_size = move || {
        let (Some(place), Some(foot)) =
            (place.try_get_untracked().flatten(), foot.try_get_untracked().flatten())
        else {
            return;
        };
        if let Some(rows) = scrolling::first_child(&place) {
            frame.tell_size(measure::height(&rows) + measure::height(&foot), None);
        }
    };
    place.on_load(move |place| {
        if let Some(rows) = scrolling::first_child(&place) {
            watches.update_value(|all| all.push(observe::size(&rows, tell_size)));
        }
    });
    foot.on_load(move |foot| {
        watches.update_value(|all| all.push(observe::size(&foot, tell_size)));
    });
    if frame.take_focus() {
        request_animation_frame(|| page::focus_id(PROMPT));
    }
    view! {
        <div class="agent-page embed-page">
            <main class="conversation" data-testid="agent-page">
                <div class="embed-strip" data-testid="embed-strip" hidden=move || is_calm.get()>
                    <LinkPill />
                </div>
                <Conversation place />
                <div class="conversation-foot" node_ref=foot>
                    <FootParts />
                </div>
            </main>
        </div>
    }
}

fn is_host_away(view: &ConversationView) -> bool {
    view.link.is_connected()
        && view.lifecycle == Some(moorline_shared::session::Lifecycle::Detached)
}

/// Lets the page around act on the conversation.
fn attach(frame: EmbedFrame, state: ConversationState, session_id: SessionId) {
    let may_write = move || {
        let is_read_only = state.view.with_untracked(|view| view.read_only);
        if is_read_only {
            frame.refuse("read_only", "This token can only watch the session.".to_owned());
        }
        !is_read_only
    };
    frame.attach(FramedView {
        focus: Box::new(|| page::focus_id(PROMPT)),
        insert: Box::new(move |text| {
            if may_write() {
                state.inserted.set(Some(text.to_owned()));
            }
        }),
        prompt: Box::new(move |text, files| {
            if !may_write() {
                return;
            }
            let context = Some(files).filter(|files| !files.is_empty());
            let prompt = SendPrompt { command: Some(text), context, ..SendPrompt::default() };
            state.prompt(prompt, move |answer| {
                if let Err(sentence) = answer {
                    frame.refuse("prompt_refused", sentence);
                }
            });
        }),
        hand_on: Box::new(move || {
            let (cursor, snapshot) = state.link()?.hand_on()?;
            let cursor = EmbedCursor {
                session_id: session_id.clone(),
                kind: EmbedKind::Agent,
                epoch: cursor.epoch,
                seq: cursor.seq,
                cols: None,
                rows: None,
            };
            Some(HandedView { cursor, bytes: Chunk::copy(&snapshot) })
        }),
    });
}

/// Tells the page around the session's state and names.
fn tell(frame: EmbedFrame, state: ConversationState, id: SessionId) {
    let told = Memo::new(move |_| {
        let agent = state.head.with(|head| head.reported.as_ref().map(|it| it.state.value.clone()));
        // A reader is asked nothing.
        let is_asked = state.view.with(|view| !view.read_only);
        let approvals = Some(if is_asked { state.open_approvals() } else { 0 });
        state.view.with(|view| FrameState {
            kind: EmbedKind::Agent,
            connection: view.link.name(),
            host_away: is_host_away(view),
            read_only: view.read_only,
            agent,
            approvals,
            exit_code: view.link.exit_code(),
        })
    });
    effect(move || frame.tell_state(told.get()));
    let name = Memo::new(move |_| state.view.with(|view| view.name.clone()));
    let title = Memo::new(move |_| state.head.with(|head| head.info.title.clone()));
    effect(move || {
        let name = name.get().unwrap_or_else(|| id.to_string());
        frame.tell_title(name, title.get());
    });
    effect(move || {
        if let Some(code) = state.view.with(|view| view.link.refusal()) {
            frame.close(code);
        }
    });
}
