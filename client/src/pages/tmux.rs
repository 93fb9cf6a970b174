//! The page of a tmux session: its windows as tabs, and the panes of one window in tmux's own layout,
//! each a live terminal.
//!
//! One pane has the page's focus: the keyboard, the bar, the palette and the address are its own.

pub mod asks;
pub mod bar;
mod geometry;
pub mod menu;
mod offers;
pub mod panes;
pub mod picker;
mod state;

use leptos::prelude::*;
use moorline_shared::id::SessionId;

use crate::bindings::media::{self, MediaWatch};
use crate::bindings::page;
use crate::pages::frame::back::BackLink;
use crate::pages::terminal::broken::Broken;
use crate::pages::terminal::key_bar::KeyBar;
use crate::pages::terminal::state::TerminalState;
use crate::pages::terminal::{self, Bar, ReadDialog, TerminalMenu, Verdict};
use crate::session::actions::Actions;
use crate::session::route::{PageRoute, Router};
use crate::ui::When;
use crate::ui::when::{effect, live};
use asks::TmuxAsks;
use bar::TmuxBar;
use panes::Panes;
use state::TmuxState;

/// Pages that have place for one pane at a time.
const NARROW: &str = "(max-width: 699px)";

/// The page of the tmux session that a session's pane is in.
#[component]
pub fn TmuxPage(
    /// The session whose pane has the focus first.
    id: SessionId,
) -> impl IntoView {
    let state = TmuxState::provide(id);
    let router = Router::expect();
    on_cleanup(move || router.end_page());
    state.is_narrow.set(media::matches(NARROW));
    let watch = media::watch(NARROW, move |narrow| _ = state.is_narrow.try_set(narrow));
    let _: StoredValue<MediaWatch, LocalStorage> = StoredValue::new_local(watch);
    let shown = Memo::new(move |before: Option<&Option<SessionId>>| {
        state.shown(before.and_then(Option::as_ref))
    });
    follow(state, shown);
    offers::provide(state);
    let reading = RwSignal::new(false);
    let head = live(move || match shown_terminal(state, shown) {
        Some((id, terminal)) => {
            provide_context(terminal);
            head(terminal, id, reading)
        }
        None => bare_head(state),
    });
    let foot = live(move || match shown_terminal(state, shown) {
        Some((id, terminal)) => {
            provide_context(terminal);
            foot(terminal, id)
        }
        None => ().into_any(),
    });
    let link = move || {
        let terminal = shown.get().and_then(|id| state.terminal(&id));
        terminal.map_or("connecting", |terminal| terminal.view.with(|view| view.link.name()))
    };
    view! {
        <div class="page terminal-page tmux-page" data-testid="tmux-page" data-link=link>
            {head}
            <TmuxBar />
            <Panes />
            {foot}
            <TmuxAsks />
        </div>
    }
}

/// Leads back while no terminal is on the page.
fn bare_head(state: TmuxState) -> AnyView {
    let name = move || state.session.with(|session| session.as_ref().map(|it| it.name.clone()));
    view! {
        <header class="bar">
            <BackLink hint="All sessions (Ctrl+Shift+L)" />
            <h1 class="bar-title"><bdi>{name}</bdi></h1>
        </header>
    }
    .into_any()
}

fn shown_terminal(
    state: TmuxState,
    shown: Memo<Option<SessionId>>,
) -> Option<(SessionId, TerminalState)> {
    let id = shown.get()?;
    let terminal = untrack(|| state.terminal(&id))?;
    Some((id, terminal))
}

/// Keeps the address at the session that has the focus, and asks how the tmux session is whenever
/// its changes may have been missed.
fn follow(state: TmuxState, shown: Memo<Option<SessionId>>) {
    effect(move || {
        if let Some(id) = shown.get() {
            state.name(&id);
        }
    });
    let is_live = Memo::new(move |_| {
        let terminal = shown.get().and_then(|id| state.terminal(&id));
        terminal.is_some_and(|terminal| {
            terminal.view.with(|view| view.link.is_connected() && !view.is_host_away())
        })
    });
    effect(move || {
        let _ = shown.get();
        if is_live.get() {
            state.ask();
        }
    });
    // A pane that is moved within the page loses the keyboard.
    let panes = Memo::new(move |_| (state.is_single(), state.panes()));
    effect(move || {
        panes.track();
        request_animation_frame(move || {
            if state.focus.try_get_untracked().is_some() && page::focus_is_free() {
                state.focus_terminal();
            }
        });
    });
    // The focus is given to a terminal that is on the page already. Others take it once they begin.
    effect(move || {
        state.focus.track();
        request_animation_frame(move || {
            if state.focus.try_get_untracked().is_some() {
                state.focus_terminal();
            }
        });
    });
}

fn head(terminal: TerminalState, id: SessionId, reading: RwSignal<bool>) -> AnyView {
    terminal::ask_for_another_token(terminal);
    terminal::name_tab(terminal, id.clone());
    Actions::expect().offer(move || terminal::offers(terminal, reading));
    view! {
        <Bar id=id.clone() />
        <TerminalMenu reading details=PageRoute::Session(id).address() />
        <ReadDialog reading />
    }
    .into_any()
}

fn foot(terminal: TerminalState, id: SessionId) -> AnyView {
    view! {
        <When condition=move || terminal.emulator.error().is_some()>
            <Broken />
        </When>
        <Verdict id />
        <footer class="foot">
            <When condition=move || !terminal.view.with(|view| view.link.is_final())>
                <KeyBar />
            </When>
        </footer>
    }
    .into_any()
}
