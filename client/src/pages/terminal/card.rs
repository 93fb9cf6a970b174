//! The screen of a terminal in a small place on another page, to look at. It has a connection only
//! while it is in view.

use std::rc::Rc;

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::id::SessionId;

use crate::bindings::observe::{self, ViewWatch};
use crate::bindings::page::HtmlElement;
use crate::bindings::screen::{EmulatorCode, KeyRoute, Screen};
use crate::bindings::scrolling;
use crate::session::access::PageAccess;
use crate::session::words;
use crate::session::{LinkView, Session, SessionHooks, Setup};
use crate::ui::preferences::Preferences;
use crate::ui::when::effect;

/// The steps by which the text is smaller than that of a terminal's page.
const SMALLER: i8 = -3;

/// What the emulator moves with the cursor.
const CURSOR: &str = ".xterm-helper-textarea";

/// A connection and what it draws on. The session is dropped first.
struct LiveCard {
    _session: Session,
    _screen: Rc<Screen>,
}

/// Shows the screen of a terminal, without its keyboard.
#[component]
pub fn TerminalCard(
    /// The session to show.
    id: SessionId,
) -> impl IntoView {
    let preferences = Preferences::expect();
    let token = PageAccess::expect().token();
    let place = NodeRef::<html::Div>::new();
    let in_view = RwSignal::new(false);
    let note = RwSignal::new(String::new());
    let live = StoredValue::new_local(None::<LiveCard>);
    let watch = StoredValue::new_local(None::<ViewWatch>);
    place.on_load(move |place| {
        watch.set_value(Some(observe::in_view(&place, move |is_in| _ = in_view.try_set(is_in))));
    });
    effect(move || {
        let theme = preferences.theme();
        let font = preferences.font().stepped(SMALLER);
        let Some(place) = place.get() else { return };
        live.set_value(None);
        if !in_view.get() {
            return;
        }
        let (id, token) = (id.clone(), token.clone());
        spawn_local(async move {
            let Ok(emulator) = EmulatorCode::load().await else {
                let _ = note.try_set("The terminal did not load.".to_owned());
                return;
            };
            // It may have left the view, or the page, by now.
            if in_view.try_get_untracked() != Some(true) {
                return;
            }
            let Some(inner) = scrolling::first_child(&place) else { return };
            let screen =
                Screen::open(&emulator, &inner, theme, font, |_| (), |_| KeyRoute::Browser);
            let screen = Rc::new(screen);
            let session = Session::new();
            let setup =
                Setup { id, token, screen: Rc::clone(&screen), digest: false, framed: None };
            session.start(setup, hooks(note, place.into()));
            live.set_value(Some(LiveCard { _session: session, _screen: screen }));
        });
    });
    view! {
        <div class="terminal-card" data-testid="terminal-card">
            <div class="terminal-card-view" node_ref=place tabindex="0" role="group" aria-label="Terminal, to read">
                <div class="terminal-card-screen" inert="true"></div>
            </div>
            <p class="row-note" role="status" data-testid="terminal-card-note">{move || note.get()}</p>
        </div>
    }
}

/// Keeps the cursor in view, and tells how the session is.
fn hooks(note: RwSignal<String>, place: HtmlElement) -> SessionHooks {
    SessionHooks {
        show: Box::new(move |view| {
            let text = match &view.link {
                LinkView::Ended(exit) => words::exit_sentence(exit),
                LinkView::Refused { .. } => "This terminal is gone.".to_owned(),
                LinkView::Waiting { .. } => "Offline.".to_owned(),
                _ => String::new(),
            };
            let _ = note.try_set(text);
        }),
        notify: Box::new(|_| ()),
        layout: Box::new(|_| ()),
        progress: Box::new(move |_| scrolling::to_descendant(&place, CURSOR)),
    }
}
