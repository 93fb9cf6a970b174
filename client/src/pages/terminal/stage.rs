//! The terminal in its place on the page.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::id::SessionId;

use crate::bindings::screen::EmulatorCode;
use crate::pages::terminal::state::TerminalState;
use crate::session::DriverInput;
use crate::ui::preferences::Preferences;
use crate::ui::when::effect;

/// Creates the terminal, and applies the user's preferences to it.
#[component]
pub fn Stage(
    /// The session to show.
    id: SessionId,
    /// Called to open the list of all sessions.
    to_list: Callback<()>,
) -> impl IntoView {
    let state = TerminalState::expect();
    let preferences = Preferences::expect();
    let place = NodeRef::<html::Div>::new();
    place.on_load(move |place| {
        let owner = Owner::current().unwrap_or_default();
        spawn_local(async move {
            let loaded = EmulatorCode::load().await;
            // The page may be gone by now.
            if state.broken.try_get_untracked().is_none() {
                return;
            }
            match loaded {
                Ok(emulator) => owner.with(|| state.begin(&emulator, &place, id, to_list)),
                Err(_) => state.broken.set(true),
            }
        });
    });
    effect(move || {
        let theme = preferences.theme();
        state.with_screen(|screen| screen.set_theme(theme));
    });
    effect(move || {
        let font = preferences.font();
        state.with_screen(|screen| screen.set_font(font));
        state.fit();
    });
    effect(move || state.post(DriverInput::Hold(preferences.hold())));
    view! { <div node_ref=place class="screen" data-testid="terminal"></div> }
}
