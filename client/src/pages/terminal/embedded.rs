//! A terminal in a frame on another page.

use std::time::Duration;

use leptos::html;
use leptos::prelude::*;
use moorline_shared::embed::{EmbedCursor, EmbedKind, FrameState};
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::time::Time;

use super::broken::Broken;
use super::later;
use super::stage::Stage;
use super::state::TerminalState;
use super::status::{PasteChip, PendingChip, StatusPill};
use super::{StageParts, heading};
use crate::bindings::{clock, measure};
use crate::session::embed::{EmbedFrame, FramedView, HandedView};
use crate::session::{DriverInput, HandedScreen, LinkView, SessionView};
use crate::ui::When;
use crate::ui::when::effect;

/// Time after which a snapshot is asked for although output keeps coming.
const REPAINT_EVERY: Duration = Duration::from_secs(3);

/// Shows a session's terminal, without anything around it.
#[component]
pub fn EmbeddedTerminal(
    /// The session to show.
    id: SessionId,
) -> impl IntoView {
    let frame = EmbedFrame::expect();
    let state = TerminalState::provide();
    later::provide();
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
                <StageParts id />
            </main>
            <When condition=move || state.emulator.error().is_some()>
                <Broken />
            </When>
        </div>
    }
}

/// Lets the page around act on the terminal.
fn attach(frame: EmbedFrame, state: TerminalState, id: SessionId) {
    let pace = StoredValue::new(RepaintPace::default());
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
                let now = clock::now();
                if pace.try_update_value(|pace| pace.asks(now, seq)) == Some(true) {
                    state.post(DriverInput::Repaint);
                } else {
                    frame.changed();
                }
            }
            handed.map(|handed| handed_view(id.clone(), handed))
        }),
    });
}

/// Says when to ask for a snapshot, because only one can tell the terminal as it is. While output
/// keeps coming, it would soon be old.
#[derive(Debug, Clone, Copy, Default)]
struct RepaintPace {
    /// The last entry at the last look, and the last time at which a snapshot was asked for.
    last: Option<(Seq, Time)>,
}

impl RepaintPace {
    /// Returns true if a snapshot is to be asked for now.
    fn asks(&mut self, now: Time, seq: Seq) -> bool {
        let (known, asked) = self.last.unwrap_or((Seq::ZERO, now));
        let asks = known == seq || now >= asked + REPAINT_EVERY;
        self.last = Some((seq, if asks { now } else { asked }));
        asks
    }
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
        if let Some(code) = state.view.with(|view| view.link.refusal()) {
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
        exit_code: view.link.exit_code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_snapshot_is_asked_for_once_output_rests_or_after_a_while() {
        let mut pace = RepaintPace::default();
        let mut asks = |ms, seq| pace.asks(Time::from_ms(ms), Seq(seq));
        assert!(!asks(1_000, 5));
        assert!(!asks(2_000, 6));
        assert!(asks(2_150, 6));
        assert!(!asks(3_000, 7));
        assert!(!asks(5_000, 8));
        assert!(asks(5_150, 9));
    }
}
