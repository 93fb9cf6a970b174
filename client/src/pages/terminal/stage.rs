//! The terminal in its place on the page.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::id::SessionId;

use crate::pages::terminal::state::TerminalState;
use crate::session::DriverInput;
use crate::ui::on_demand::LoadState;
use crate::ui::preferences::Preferences;
use crate::ui::when::effect;

/// Creates the terminal, and applies the user's preferences to it.
#[component]
pub fn Stage(
    /// The session to show.
    id: SessionId,
    /// Called to open the list of all sessions.
    to_list: Callback<()>,
    /// False if another terminal on the page has the focus once this one begins; not tracked.
    #[prop(optional, into)]
    takes_focus: MaybeProp<bool>,
) -> impl IntoView {
    let state = TerminalState::expect();
    let preferences = Preferences::expect();
    let place = NodeRef::<html::Div>::new();
    state.load_emulator();
    // Runs to its end once: both stay as they are from then on.
    effect(move || {
        let is_ready = state.emulator.state() == LoadState::Ready;
        if let (true, Some(place), Some(emulator)) = (is_ready, place.get(), state.emulator.get()) {
            let takes_focus = takes_focus.get_untracked().unwrap_or(true);
            untrack(|| state.begin(&emulator, &place, id.clone(), to_list, takes_focus));
        }
    });
    effect(move || {
        let theme = preferences.theme();
        state.with_screen(|screen| screen.set_theme(theme));
    });
    effect(move || {
        let font = state.font_of(preferences);
        state.with_screen(|screen| screen.set_font(font));
        state.fit();
    });
    effect(move || state.post(DriverInput::Hold(preferences.hold())));
    view! { <div node_ref=place class="screen" data-testid="terminal"></div> }
}
