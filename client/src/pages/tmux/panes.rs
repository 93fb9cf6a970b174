//! The panes of the window that is shown.

use gloo_timers::callback::Timeout;
use leptos::html;
use leptos::prelude::*;
use moorline_shared::id::SessionId;
use moorline_shared::session::Size;
use moorline_shared::tmux::{TmuxAction, TmuxPane};

use super::geometry::{self, Place};
use super::state::TmuxState;
use crate::bindings::look::FontSize;
use crate::bindings::measure;
use crate::bindings::observe::{self, SizeWatch};
use crate::bindings::scrolling;
use crate::pages::terminal::stage::Stage;
use crate::pages::terminal::state::TerminalState;
use crate::pages::terminal::{StageParts, later};
use crate::session::LinkView;
use crate::session::route::Router;
use crate::session::tmux;
use crate::ui::When;
use crate::ui::preferences::Preferences;
use crate::ui::when::{each, effect};

/// What the emulator moves with the cursor.
const CURSOR: &str = ".xterm-helper-textarea";
/// Time that the page's size must rest before the window takes it, in milliseconds.
const REST_MS: u32 = 300;

/// Shows the panes: in tmux's own layout, or one at a time.
#[component]
pub fn Panes() -> impl IntoView {
    let state = TmuxState::expect();
    let preferences = Preferences::expect();
    let area = NodeRef::<html::Div>::new();
    let place = RwSignal::new(None::<Place>);
    let watch = StoredValue::new_local(None::<SizeWatch>);
    area.on_load(move |element| {
        let own = element.clone();
        let changed = move || _ = place.try_set(Some(measure::outer_size(&own)));
        watch.set_value(Some(observe::size(&element, changed)));
    });
    let font = Memo::new(move |_| {
        let (place, window) = (place.get()?, state.window()?);
        let shrinks = state.shrinks.get() && !state.is_single();
        let preferred = preferences.font();
        let window = (window.cols, window.rows);
        let font = || geometry::whole(place, window, preferred, measure::cell_thousandths);
        shrinks.then(font).filter(|font| *font != preferred)
    });
    effect(move || state.is_shrunk.set(font.get().is_some()));
    keep_fitting(state, place);
    let cell = Memo::new(move |_| {
        measure::cell_thousandths(font.get().unwrap_or_else(|| preferences.font()))
    });
    let size = Memo::new(move |_| state.window().map(|window| (window.cols, window.rows)));
    let style = move || {
        let (cols, rows) = size.get()?;
        let (width, height) = cell.get()?;
        Some(format!(
            "--cols:{cols};--rows:{rows};--cell-width:calc({width}px/1000);\
             --cell-height:calc({height}px/1000)"
        ))
    };
    let label = Memo::new(move |_| {
        state.window().map(|window| format!("Window {}: {}", window.index, window.name))
    });
    view! {
        <main class="tmux-stage">
            <div
                node_ref=area
                id="tmux-window"
                class="tmux-window"
                class:single=move || state.is_single()
                role="tabpanel"
                aria-label=label
                data-testid="tmux-window"
            >
                <div class="tmux-canvas" style=style>
                    {each(move || keys(state), move |key| view! { <Pane key=key.to_owned() font /> }.into_any())}
                </div>
            </div>
        </main>
    }
}

/// Returns the panes on the page: each by its session, or by its own id while it has none.
fn keys(state: TmuxState) -> Vec<String> {
    let key = |pane: &TmuxPane| match &pane.session_id {
        Some(id) => id.to_string(),
        None => pane.id.clone(),
    };
    if state.session.with(Option::is_none) {
        return state.session_of_focus().iter().map(ToString::to_string).collect();
    }
    if state.is_single() {
        return state.pane().iter().map(key).collect();
    }
    state.window().iter().flat_map(tmux::visible).map(key).collect()
}

/// Has the window keep the size of the page while the user wants that.
fn keep_fitting(state: TmuxState, place: RwSignal<Option<Place>>) {
    let preferences = Preferences::expect();
    let timer = StoredValue::new_local(None::<Timeout>);
    let wanted = Memo::new(move |_| {
        let cell = measure::cell_thousandths(preferences.font())?;
        let (size, window) = (geometry::fitting(place.get()?, cell), state.window()?);
        let is_there = window.fitted && (window.cols, window.rows) == (size.cols, size.rows);
        (state.fits.get() && !is_there).then_some((window.id, size))
    });
    effect(move || {
        let rest = wanted.get().map(|(window, Size { cols, rows })| {
            Timeout::new(REST_MS, move || state.act(&TmuxAction::Fit { window, cols, rows }))
        });
        timer.set_value(rest);
    });
}

/// What the page shows of a pane, besides its terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PaneView {
    number: usize,
    of: usize,
    pane: TmuxPane,
    has_focus: bool,
    /// True if no pane is below it.
    is_lowest: bool,
}

/// Shows one pane.
#[component]
fn Pane(key: String, font: Memo<Option<FontSize>>) -> impl IntoView {
    let state = TmuxState::expect();
    let id: Option<SessionId> = key.parse().ok().filter(|_| !key.starts_with('%'));
    let (own, known) = (id.clone(), key.clone());
    let shown = Memo::new(move |_| {
        let focus = state.focus.get();
        let window = state.window()?;
        let is_own = |pane: &TmuxPane| match &own {
            Some(id) => pane.session_id.as_ref() == Some(id),
            None => pane.id == known,
        };
        let at = window.panes.iter().position(is_own)?;
        let pane = window.panes[at].clone();
        let (number, of, has_focus) = (at + 1, window.panes.len(), pane.id == focus);
        let is_lowest = window.zoomed || pane.top.saturating_add(pane.rows) >= window.rows;
        Some(PaneView { number, of, pane, has_focus, is_lowest })
    });
    let read =
        move |read: fn(&PaneView) -> String| move || shown.with(|shown| shown.as_ref().map(read));
    let style = read(|PaneView { pane, is_lowest, .. }| {
        let TmuxPane { left, top, cols, rows, .. } = pane;
        let (above, below) = (1 + u8::from(*top > 0), 2 - u8::from(*is_lowest));
        format!(
            "--left:{left};--top:{top};--cols:{cols};--rows:{rows};--above:{above};--below:{below}"
        )
    });
    let label = read(|view| {
        format!("Pane {} of {}: {}", view.number, view.of, tmux::pane_name(&view.pane))
    });
    let choose = move || {
        if let Some(shown) = shown.get_untracked().filter(|shown| !shown.has_focus) {
            state.choose(&shown.pane.id);
        }
    };
    let has_focus = move || shown.with(|shown| shown.as_ref().is_none_or(|it| it.has_focus));
    let is_dead = move || shown.with(|shown| shown.as_ref().is_some_and(|it| it.pane.dead));
    let place = NodeRef::<html::Section>::new();
    let content = match id {
        Some(id) => {
            let (terminal, content) = terminal(state, id, Signal::derive(has_focus), font);
            show_cursor(state, terminal, place);
            content
        }
        None => unopened(state, key.clone()),
    };
    view! {
        <section
            node_ref=place
            class="stage tmux-pane"
            class:focused=has_focus
            class:active=move || shown.with(|shown| shown.as_ref().is_some_and(|it| it.pane.active))
            style=style
            role="group"
            aria-label=label
            data-testid="tmux-pane"
            data-pane=read(|view| view.pane.id.clone())
            data-session=key
            on:focusin=move |_| choose()
            on:pointerdown=move |_| choose()
        >
            {content}
            <When condition=is_dead>
                <p class="tmux-note" role="status">"The program has ended. tmux keeps its output."</p>
            </When>
        </section>
    }
}

/// Shows the live terminal of a pane.
fn terminal(
    state: TmuxState,
    id: SessionId,
    has_focus: Signal<bool>,
    font: Memo<Option<FontSize>>,
) -> (TerminalState, AnyView) {
    let terminal = TerminalState::provide();
    later::provide();
    terminal.font.set(font.get_untracked());
    effect(move || terminal.font.set(font.get()));
    let router = Router::expect();
    let to_list = Callback::new(move |()| router.navigate("/sessions"));
    state.add(id.clone(), terminal);
    effect(move || {
        if let Some(event) = terminal.layout.get() {
            untrack(|| state.told(event));
        }
    });
    let own = id.clone();
    effect(move || terminal.view.with(|view| state.linked(&own, &view.link)));
    let content = view! {
        <Stage id=id.clone() to_list takes_focus=has_focus />
        <StageParts id />
    };
    (terminal, content.into_any())
}

/// Scrolls to the cursor once all output is there: a pane that is shown by itself may be larger than
/// the page. From then on, the browser does it when the user types.
fn show_cursor(state: TmuxState, terminal: TerminalState, place: NodeRef<html::Section>) {
    let is_live = Memo::new(move |_| terminal.view.with(|view| view.link == LinkView::Live));
    effect(move || {
        if is_live.get() && untrack(|| state.is_single()) {
            request_animation_frame(move || {
                if let Some(place) = place.try_get_untracked().flatten() {
                    scrolling::show_descendant(&place, CURSOR);
                }
            });
        }
    });
}

/// Says that a pane has no session, and so no terminal: it is being opened, or its session was
/// deleted.
fn unopened(state: TmuxState, pane: String) -> AnyView {
    let open = move |_| state.act(&TmuxAction::Open { pane: pane.clone() });
    view! {
        <div class="tmux-unopened">
            <p role="status">"This pane is not open here."</p>
            <When condition=move || !state.is_alone()>
                <button class="button" data-testid="open-pane" on:click=open.clone()>"Open it"</button>
            </When>
        </div>
    }
    .into_any()
}
