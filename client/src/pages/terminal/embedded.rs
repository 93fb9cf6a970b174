//! A terminal in a frame on another page.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::embed::{EmbedCursor, EmbedKind, FrameState};
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::message::close;

use super::earlier::EarlierOutput;
use super::host_note::HostNote;
use super::search_bar::SearchBar;
use super::selection_bar::SelectionBar;
use super::stage::Stage;
use super::state::TerminalState;
use super::status::{PasteChip, PendingChip, StatusPill};
use super::{Broken, Flash, NoticeToast, ToBottom, heading};
use crate::bindings::measure;
use crate::session::embed::{EmbedFrame, FramedView, HandedView};
use crate::session::{DriverInput, HandedScreen, LinkView, SessionView};
use crate::ui::When;
use crate::ui::when::effect;

/// Shows a session's terminal, without anything around it.
#[component]
pub fn EmbeddedTerminal(
    /// The session to show.
    id: SessionId,
) -> impl IntoView {
    let frame = EmbedFrame::expect();
    let state = TerminalState::provide();
    attach(frame, state, id.clone());
    tell(frame, state, id.clone());
    let is_calm = Memo::new(move |_| {
        state.view.with(|view| {
            let waits = view.pending.is_some() || view.pasting.is_some();
            view.link == LinkView::Live && !view.is_host_away() && !waits
        })
    });
    let leave = Callback::new(move |()| frame.leave());
    let place = NodeRef::<html::Main>::new();
    let size = Memo::new(move |_| state.view.with(|view| view.foreign_size.or(view.fitting)));
    effect(move || {
        let rows = size.get().map(|size| size.rows);
        // Once it is drawn in that size.
        request_animation_frame(move || {
            let stage = place.try_get_untracked().flatten();
            let height = stage.and_then(|stage| measure::needed_height(&stage, ".xterm-screen"));
            if let Some(height) = height {
                frame.tell_size(height, rows);
            }
        });
    });
    view! {
        <div class="terminal-page embed-page" data-link=move || state.view.with(|v| v.link.name())>
            <main class="stage" node_ref=place>
                <Stage id=id.clone() to_list=leave />
                <div class="embed-strip" data-testid="embed-strip" hidden=move || is_calm.get()>
                    <StatusPill />
                    <PendingChip />
                    <PasteChip />
                </div>
                <SearchBar />
                <HostNote />
                <SelectionBar />
                <EarlierOutput id />
                <ToBottom />
                <NoticeToast />
                <Flash />
            </main>
            <When condition=move || state.emulator.error().is_some()>
                <Broken />
            </When>
        </div>
    }
}

/// Lets the page around act on the terminal.
fn attach(frame: EmbedFrame, state: TerminalState, id: SessionId) {
    let quiet_at = StoredValue::new(None::<Seq>);
    frame.attach(FramedView {
        focus: Box::new(move || state.focus()),
        insert: Box::new(move |text| paste(frame, state, text)),
        prompt: Box::new(move |text, _| {
            paste(frame, state, &text);
            state.type_text("\r");
        }),
        hand_on: Box::new(move || {
            let (seq, handed) = state.hand_on()?;
            if handed.is_none() {
                // Only a snapshot can tell. While output keeps coming, it would soon be old.
                if quiet_at.get_value() == Some(seq) {
                    state.post(DriverInput::Repaint);
                } else {
                    quiet_at.set_value(Some(seq));
                    frame.changed();
                }
            }
            handed.map(|handed| handed_view(id.clone(), handed))
        }),
    });
}

fn paste(frame: EmbedFrame, state: TerminalState, text: &str) {
    if state.view.with_untracked(|view| view.read_only) {
        frame.refuse("read_only", "The token only allows to watch the session.".to_owned());
    } else {
        state.with_screen(|screen| screen.paste(text));
    }
}

fn handed_view(session_id: SessionId, handed: HandedScreen) -> HandedView {
    let HandedScreen { cursor, size, bytes } = handed;
    let cursor = EmbedCursor {
        session_id,
        kind: EmbedKind::Terminal,
        epoch: cursor.epoch,
        seq: cursor.seq,
        cols: size.map(|size| size.cols),
        rows: size.map(|size| size.rows),
    };
    HandedView { cursor, bytes }
}

/// Tells the page around the session's state and names.
fn tell(frame: EmbedFrame, state: TerminalState, id: SessionId) {
    let told = Memo::new(move |_| state.view.with(frame_state));
    effect(move || frame.tell_state(told.get()));
    let name = Memo::new({
        let name = heading(state, id);
        move |_| name()
    });
    effect(move || frame.tell_title(name.get(), state.title.get()));
    effect(move || {
        let refused = state.view.with(|view| match view.link {
            LinkView::Refused { code } if code != close::REPLACED => Some(code),
            _ => None,
        });
        if let Some(code) = refused {
            frame.close(code);
        }
    });
}

fn frame_state(view: &SessionView) -> FrameState {
    FrameState {
        kind: EmbedKind::Terminal,
        connection: view.link.name(),
        host_away: view.is_host_away(),
        read_only: view.read_only,
        agent: None,
        approvals: None,
        exit_code: match &view.link {
            LinkView::Ended(exit) => exit.code,
            _ => None,
        },
    }
}
