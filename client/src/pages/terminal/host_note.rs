//! A note for the terminal's user while the session's host is offline.

use leptos::html;
use leptos::prelude::*;

use crate::bindings::{page, scrolling};
use crate::pages::terminal::state::TerminalState;
use crate::session::SessionView;
use crate::session::words;
use crate::ui::preferences::Preferences;
use crate::ui::when::effect;

/// The stage of a note that is shown: of several panes, only that with the focus shows its own.
const SHOWN: &str = "main.stage, .tmux-pane.focused";

/// Says that the host is offline and what happens to typing, and offers to change that.
#[component]
pub fn HostNote() -> impl IntoView {
    let state = TerminalState::expect();
    let preferences = Preferences::expect();
    let away = Memo::new(move |_| state.view.with(SessionView::is_host_away));
    // A screen reader announces the text when it appears.
    let text = move || {
        let text = || state.view.with(|view| say(view, preferences.hold()));
        away.get().then(text)
    };
    let pending = Memo::new(move |_| state.view.with(|view| view.pending.is_some()));
    // The terminal moves down by the height of the note, and is scrolled by as much: nothing moves on
    // the screen, and what the note covers can be scrolled to.
    let note = NodeRef::<html::Div>::new();
    effect(move || {
        if away.get() {
            request_animation_frame(move || {
                let note = note.try_get_untracked().flatten();
                if let Some(screen) = note.and_then(|note| page::within(&note, SHOWN, ".screen")) {
                    scrolling::to_end(&screen);
                }
            });
        }
    });
    let idle = move || preferences.hold() || state.view.with(|view| view.read_only);
    let act = move |_| {
        if pending.get_untracked() {
            state.discard();
        } else {
            preferences.toggle_hold();
            state.focus();
        }
    };
    view! {
        <div node_ref=note class="host-note" data-testid="host-note" hidden=move || !away.get()>
            <span role="status">{text}</span>
            <button
                class="status-button"
                data-testid="host-note-button"
                hidden=move || !pending.get() && idle()
                on:click=act
            >
                {move || if pending.get() { "Discard" } else { "Keep what I type" }}
            </button>
        </div>
    }
}

fn say(view: &SessionView, hold: bool) -> String {
    if view.read_only {
        return "The screen is shown as it was when the host went offline.".to_owned();
    }
    if !hold && view.pending.is_none() {
        return "What you type is refused until the host is back.".to_owned();
    }
    let waiting = view.pending.as_ref().map(|pending| words::bytes(pending.bytes));
    let waiting = waiting.map_or_else(|| ".".to_owned(), |bytes| format!(": {bytes} waiting."));
    format!("What you type is kept and sent once the host is back{waiting}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Pending;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn it_is_said_what_becomes_of_typing() {
        let mut view = SessionView::default();
        assert!(say(&view, false).contains("refused"));
        assert!(say(&view, true).ends_with("once the host is back."));
        view.pending = Some(Pending { bytes: 12, preview: String::new() });
        assert!(say(&view, true).ends_with("back: 12 B waiting."));
        view.read_only = true;
        assert!(!say(&view, true).contains("type"));
    }
}
