//! Output from before what the terminal holds. It is read from the session's log when the user
//! scrolls up beyond the terminal's first line.
//!
//! A second emulator draws it over the first one, which continues undisturbed. Scrolling to the
//! end, typing and Escape lead back. Keys, search and selection are the terminal's own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::id::SessionId;
use moorline_shared::message::{EVENTS_SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX};
use moorline_shared::session::Size;

use crate::bindings::page;
use crate::bindings::screen::{Chunk, EmulatorCode, Screen, ScreenEvent};
use crate::bindings::socket::{Socket, SocketEvent, to_vec};
use crate::pages::terminal::state::TerminalState;
use crate::session::access::PageAccess;
use crate::session::earlier::Reading;
use crate::session::events::TAKEN;
use crate::ui::preferences::Preferences;
use crate::ui::when::effect;
use crate::ui::{Icon, IconName};

/// The maximum number of lines shown. Each takes about a kilobyte.
const MOST_LINES: u32 = 50_000;
/// Ends the modes that programs in the log have set: the alternate screen, reports of the mouse and
/// the focus, and the cursor. The view is only for reading.
const CALM: &str = "\x1b[?1049l\x1b[?9;1000;1002;1003;1004l\x1b[?25l";

/// The progress of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The log is being read, up to this percentage.
    Reading(u64),
    /// Everything that the log retains is shown. `is_trimmed` is true if the log has lost its
    /// beginning.
    Shown { is_trimmed: bool },
    /// The log could not be read.
    Failed,
}

/// The emulator that shows the output, and the socket that it is read from.
struct Earlier {
    screen: Rc<Screen>,
    socket: Option<Socket>,
}

type HeldView = Rc<RefCell<Option<Earlier>>>;

/// Renders the earlier output of a session, over the terminal.
pub(super) fn earlier(id: SessionId) -> AnyView {
    view! { <Content id /> }.into_any()
}

#[component]
fn Content(id: SessionId) -> impl IntoView {
    let state = TerminalState::expect();
    let token = PageAccess::expect().token();
    let preferences = Preferences::expect();
    let stage = RwSignal::new(Stage::Reading(0));
    let held = StoredValue::new_local(HeldView::default());
    let place = NodeRef::<html::Div>::new();
    let (theme, font) = untrack(|| (preferences.theme(), preferences.font()));
    place.on_load(move |place| {
        let held = held.get_value();
        let id = id.clone();
        let token = token.clone();
        spawn_local(async move {
            let Ok(emulator) = EmulatorCode::load().await else { return stage.set(Stage::Failed) };
            // The view may be closed by now.
            if stage.try_get_untracked().is_none() {
                return;
            }
            let shown = Rc::new(Cell::new(false));
            let happened = hear(state, Rc::clone(&shown));
            let pressed = move |press: &_| state.pressed(press);
            let screen = Screen::open(&emulator, &place, theme, font, happened, pressed);
            screen.keep_lines(MOST_LINES);
            if let (Some(size), Some(place)) = (state.size(), screen.fitting()) {
                // Lines wrap where they do in the terminal. The note takes a few rows.
                screen.resize(Size { rows: size.rows.min(place.rows), ..size });
            }
            let screen = Rc::new(screen);
            *held.borrow_mut() = Some(Earlier { screen, socket: None });
            read(&held, &id, token, EarlierView { state, stage, shown });
        });
    });
    // Another size would reflow the view, and the lines that it covers would move.
    let size = Memo::new(move |_| state.view.with(|view| (view.fitting, view.foreign_size)));
    let before = untrack(|| size.get());
    effect(move || {
        if size.get() != before {
            state.end_earlier();
        }
    });
    let text = move || match stage.get() {
        Stage::Reading(percent) => format!("Reading earlier output… {percent} %"),
        Stage::Shown { is_trimmed: false } => "Earlier output".to_owned(),
        Stage::Shown { is_trimmed: true } => {
            "Earlier output. Anything before its first line is no longer kept.".to_owned()
        }
        Stage::Failed => "Earlier output could not be read. Try again later.".to_owned(),
    };
    let is_shown = move || matches!(stage.get(), Stage::Shown { .. });
    let end = move |_| {
        state.end_earlier();
    };
    view! {
        <div class="earlier" class:shown=is_shown data-testid="earlier" data-shown=move || is_shown().to_string()>
            // Typing goes to the terminal and moves the focus there: the browser would type it
            // again.
            <div class="screen" node_ref=place on:keypress:capture=|event| event.prevent_default()></div>
            // Keeps the keyboard focus where it is.
            <div class="earlier-note" on:mousedown=|event| event.prevent_default()>
                <span role="status">{text}</span>
                <button class="status-button" data-testid="end-earlier" on:click=end>
                    <Icon name=IconName::Down />
                    "Back to now"
                </button>
            </div>
        </div>
    }
}

/// Handles events of the view. Typing goes to the terminal; scrolling to the end closes the view.
fn hear(state: TerminalState, shown: Rc<Cell<bool>>) -> impl Fn(ScreenEvent) + Clone {
    // True if the view was above its end. Only then does its end lead back.
    let was_above = Rc::new(Cell::new(false));
    move |event| match event {
        ScreenEvent::Data(text) => state.type_text(&text),
        ScreenEvent::Selected(is_there) => state.selected.set(is_there),
        ScreenEvent::Matches { index, count } => state.matches.set((index, count)),
        ScreenEvent::Drawn { at_bottom } if shown.get() => {
            // A match may be at the end without the user scrolling there.
            let is_searching = state.searching.get_untracked();
            let is_left = at_bottom && was_above.get() && !is_searching;
            was_above.set(!at_bottom || (was_above.get() && !is_searching));
            if is_left {
                state.end_earlier();
            }
        }
        _ => {}
    }
}

/// The parts of the page that change while the log is read.
#[derive(Clone)]
struct EarlierView {
    state: TerminalState,
    stage: RwSignal<Stage>,
    shown: Rc<Cell<bool>>,
}

/// Reads the log into the screen.
fn read(held: &HeldView, id: &SessionId, token: Option<String>, view: EarlierView) {
    let address = page::socket_address(&format!("/api/session/{id}/events?lastEventId=0"));
    let mut protocols = vec![EVENTS_SUBPROTOCOL.to_owned()];
    protocols.extend(token.map(|token| format!("{TOKEN_SUBPROTOCOL_PREFIX}{token}")));
    let reading = Rc::new(RefCell::new(Reading::default()));
    let weak = Rc::downgrade(held);
    let failing = view.clone();
    let happened = move |event| {
        let Some(held) = weak.upgrade() else { return };
        match event {
            SocketEvent::Binary(bytes) => take(&held, &reading, &to_vec(&bytes), &view),
            SocketEvent::Closed { .. } if !reading.borrow().is_done() => {
                view.stage.set(Stage::Failed);
            }
            SocketEvent::Closed { .. } | SocketEvent::Opened | SocketEvent::Text(_) => {}
        }
    };
    match Socket::dial(&address, &protocols, happened) {
        Ok(socket) => {
            if let Some(earlier) = held.borrow_mut().as_mut() {
                earlier.socket = Some(socket);
            }
        }
        Err(_) => failing.stage.set(Stage::Failed),
    }
}

/// Draws a piece of output, and requests more once it is drawn.
fn take(held: &HeldView, reading: &Rc<RefCell<Reading>>, bytes: &[u8], view: &EarlierView) {
    if view.shown.get() {
        return;
    }
    let output = reading.borrow_mut().take(bytes);
    let Ok(mut output) = output else { return view.stage.set(Stage::Failed) };
    if reading.borrow().is_done() {
        output.push_str(CALM);
    }
    let (weak, reading, view) = (Rc::downgrade(held), Rc::clone(reading), view.clone());
    let drawn = move || {
        let Some(held) = weak.upgrade() else { return };
        if reading.borrow().is_done() {
            finish(&held, &reading.borrow(), &view);
        } else {
            let percent = reading.borrow().percent();
            if view.stage.get_untracked() != Stage::Reading(percent) {
                view.stage.set(Stage::Reading(percent));
            }
            if let Some(socket) = held.borrow().as_ref().and_then(|held| held.socket.as_ref()) {
                socket.send_text(TAKEN);
            }
        }
    };
    // Ends the borrow, because writing may call back at once.
    let screen = held.borrow().as_ref().map(|earlier| Rc::clone(&earlier.screen));
    if let Some(screen) = screen {
        screen.write(&Chunk::copy(output.as_bytes()), true, move |_| drawn());
    }
}

/// Shows the output that was read, with the same line at the top as the terminal.
fn finish(held: &HeldView, reading: &Reading, view: &EarlierView) {
    if view.shown.get() {
        return;
    }
    view.shown.set(true);
    if let Some(earlier) = held.borrow_mut().as_mut() {
        earlier.socket = None;
        let rows = view.state.size().map_or(0, |size| size.rows);
        let fewer = rows.saturating_sub(earlier.screen.size().rows);
        let above = view.state.lines_above_bottom() + u32::from(fewer);
        earlier.screen.scroll_above_bottom(above.max(1));
        view.state.earlier.show(Rc::clone(&earlier.screen));
    }
    view.stage.set(Stage::Shown { is_trimmed: reading.is_trimmed() });
}
