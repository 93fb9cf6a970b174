//! What the controls around a terminal share: the emulator, and the session behind it.

use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::session::Size;
use std::rc::Rc;

use crate::bindings::clipboard;
use crate::bindings::keyboard::{self, Press};
use crate::bindings::observe::{self, SizeWatch};
use crate::bindings::page::{self, PageEvent, PageWatch};
use crate::bindings::screen::{
    Emulator, FOCUSED, KeyRoute, NOT_FOCUSED, Screen, ScreenEvent, SearchCode,
};
use crate::pages::terminal::overlay::{Overlay, OverlayKey};
use crate::pages::terminal::shortcut::{Shortcut, shortcut};
use crate::session::access::Access;
use crate::session::key_codes::{self, KeyModes};
use crate::session::keys::{self, Key, Modifiers};
use crate::session::words;
use crate::session::{Progress, Session, SessionHooks, SessionInput, Setup, View};
use crate::ui::on_demand::OnDemand;
use crate::ui::preferences::Preferences;

/// What the controls around a terminal share. Terminal bytes never come here.
#[derive(Debug, Clone, Copy)]
pub struct TerminalState {
    /// The emulator's code did not come.
    pub broken: RwSignal<bool>,
    /// The session's link.
    pub view: RwSignal<View>,
    /// The title that the program gave the window.
    pub title: RwSignal<Option<String>>,
    /// The browser knows of no network.
    pub no_network: RwSignal<bool>,
    /// The view is scrolled to the end.
    pub at_bottom: RwSignal<bool>,
    /// The view of what the log has from before.
    pub earlier: Overlay,
    /// The terminal began with a picture: lines from before it may be missing.
    began_with_picture: RwSignal<bool>,
    /// Counts the bell.
    pub bell: RwSignal<u32>,
    /// The search bar is open.
    pub searching: RwSignal<bool>,
    /// The search's code.
    pub search: OnDemand<SearchCode>,
    /// The shown match, and how many there are.
    pub matches: RwSignal<(Option<u32>, u32)>,
    /// Modifiers that are down on the key bar.
    pub modifiers: RwSignal<Modifiers>,
    /// A finger has selected something.
    pub selected: RwSignal<bool>,
    /// Something that passes.
    pub notice: RwSignal<Option<String>>,
    live: StoredValue<Option<Live>, LocalStorage>,
}

/// What runs. The session goes first: it keeps what it needs while the terminal is still there.
struct Live {
    session: Session,
    screen: Rc<Screen>,
    /// What a key does, here and in the view of earlier output.
    pressed: Rc<dyn Fn(&Press) -> KeyRoute>,
    _guards: (SizeWatch, PageWatch),
}

impl TerminalState {
    /// State of a terminal that is not there yet, known to all components below.
    #[must_use]
    pub fn provide() -> Self {
        let state = Self {
            broken: RwSignal::default(),
            view: RwSignal::default(),
            title: RwSignal::default(),
            no_network: RwSignal::new(!page::is_online()),
            at_bottom: RwSignal::new(true),
            earlier: Overlay::new(),
            began_with_picture: RwSignal::default(),
            bell: RwSignal::default(),
            searching: RwSignal::default(),
            search: OnDemand::new(),
            matches: RwSignal::default(),
            modifiers: RwSignal::default(),
            selected: RwSignal::default(),
            notice: RwSignal::default(),
            live: StoredValue::new_local(None),
        };
        provide_context(state);
        state
    }

    /// The one that was provided.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    pub(super) fn with_screen<T>(self, f: impl FnOnce(&Screen) -> T) -> Option<T> {
        self.screen().map(|screen| f(&screen))
    }

    /// A copy of the handle: what is done with it may come back here.
    fn screen(self) -> Option<Rc<Screen>> {
        self.live.try_with_value(|live| live.as_ref().map(|l| Rc::clone(&l.screen))).flatten()
    }

    /// The emulator that is seen: that of earlier output, or the terminal itself.
    fn with_front<T>(self, f: impl FnOnce(&Screen) -> T) -> Option<T> {
        self.earlier.screen().or_else(|| self.screen()).map(|screen| f(&screen))
    }

    pub(super) fn post(self, input: SessionInput<js_sys::ArrayBuffer>) {
        let session = self.live.try_with_value(|live| live.as_ref().map(|l| l.session.clone()));
        if let Some(session) = session.flatten() {
            session.post(input);
        }
    }

    /// Puts the terminal into `place` and starts the session's link.
    pub(super) fn begin(
        self,
        emulator: &Emulator,
        place: &page::HtmlElement,
        id: SessionId,
        to_list: Callback<()>,
    ) {
        let preferences = Preferences::expect();
        let apple = keyboard::is_apple();
        let pressed: Rc<dyn Fn(&Press) -> KeyRoute> = Rc::new(move |press| {
            if let Some(key) = self.earlier.key(press) {
                return self.key_in_earlier(key);
            }
            match shortcut(press, apple) {
                Some(shortcut) => route(self, preferences, to_list, shortcut),
                None => self.key(press),
            }
        });
        let keys = Rc::clone(&pressed);
        let screen = Rc::new(Screen::open(
            emulator,
            place,
            untrack(|| preferences.theme()),
            untrack(|| preferences.font()),
            move |event| self.happened(event),
            move |press| keys(press),
        ));
        let session = Session::new();
        let guards = (
            observe::size(place, move || self.fit()),
            page::watch(move |event| self.page_event(event)),
        );
        let live =
            Live { session: session.clone(), screen: Rc::clone(&screen), pressed, _guards: guards };
        self.live.set_value(Some(live));
        let place = place.clone();
        let hooks = SessionHooks {
            show: Box::new(move |view| self.view.set(view)),
            notify: Box::new(move |notice| self.tell(&words::notice(&notice))),
            progress: Box::new(move |progress| {
                mark(&place, progress);
                set_if_other(self.began_with_picture, progress.from > Seq::ZERO);
                self.show_cursor();
            }),
        };
        let token = Access::expect().token();
        session.start(Setup { id, token, screen, digest: page::query_has("digest") }, hooks);
        session.post(SessionInput::Hold(untrack(|| preferences.hold())));
        self.fit();
        self.focus();
    }

    /// While the host is away the screen may be larger than the page, and cannot be made to fit.
    fn show_cursor(self) {
        if self.view.with_untracked(View::is_host_away) {
            page::show(".xterm-helper-textarea");
        }
    }

    /// Dials at once.
    pub fn retry(self) {
        self.post(SessionInput::Dial);
        self.focus();
    }

    /// Takes back what waits.
    pub fn discard(self) {
        self.post(SessionInput::Discard);
        self.focus();
    }

    /// Gives up what has not gone in of a large paste.
    pub fn end_paste(self) {
        self.post(SessionInput::EndPaste);
        self.focus();
    }

    /// Gives the session the size that fits here.
    pub fn take_size(self) {
        self.post(SessionInput::TakeSize);
        self.focus();
    }

    /// Moves the keyboard to the terminal.
    pub fn focus(self) {
        self.with_screen(Screen::focus);
    }

    /// Scrolls to the end.
    pub fn scroll_to_bottom(self) {
        self.with_screen(Screen::scroll_to_bottom);
        self.focus();
    }

    /// Opens the view of earlier output, if the log may have lines from before what the terminal holds.
    fn reach_earlier(self) {
        let is_full = || self.with_screen(Screen::is_full).unwrap_or_default();
        if self.began_with_picture.get_untracked() || is_full() {
            self.earlier.open();
        }
    }

    /// How many lines the view is above the end.
    #[must_use]
    pub fn lines_above_bottom(self) -> u32 {
        self.with_screen(Screen::lines_above_bottom).unwrap_or_default()
    }

    /// The terminal's size.
    #[must_use]
    pub fn size(self) -> Option<Size> {
        self.with_screen(Screen::size)
    }

    /// Goes back from what the log has from before to the session as it is now. Returns whether it was
    /// shown or read.
    pub fn end_earlier(self) -> bool {
        let was_open = self.earlier.close();
        if was_open {
            self.matches.set((None, 0));
            self.scroll_to_bottom();
        }
        was_open
    }

    /// Finds the next or the previous match, once the search's code is there.
    pub fn find(self, text: &str, forwards: bool, incremental: bool) {
        if let Some(code) = self.search.get() {
            self.with_front(|screen| screen.find(&code, text, forwards, incremental));
        }
    }

    /// Loads the search's code, unless it is there.
    pub fn load_search(self) {
        self.search.load(SearchCode::load());
    }

    /// Shows the rows that the search bar does not cover, once it is open.
    pub fn uncover(self) {
        self.with_front(Screen::uncover);
    }

    /// Closes the search bar.
    pub fn end_search(self) {
        self.searching.set(false);
        self.with_front(Screen::end_search);
        self.focus();
    }

    /// All text that is shown, with what can be scrolled to.
    #[must_use]
    pub fn text(self) -> String {
        self.with_front(Screen::text).unwrap_or_default()
    }

    /// Types a key of the key bar.
    pub fn press(self, key: Key) {
        if self.end_earlier() && key == Key::Escape {
            return;
        }
        let modifiers = self.modifiers.get_untracked();
        self.modifiers.set(Modifiers::default());
        let application = self.with_screen(Screen::application_cursor).unwrap_or_default();
        let asked_for = key_codes::encode(&keys::press(key, modifiers), self.key_modes());
        let bytes = asked_for.unwrap_or_else(|| keys::encode(key, modifiers, application));
        self.post(SessionInput::Typed(bytes.into_bytes()));
        self.with_screen(Screen::scroll_to_bottom);
    }

    /// A key that is no shortcut: sent here in the form that the program asks for, or left to the
    /// emulator.
    fn key(self, press: &Press) -> KeyRoute {
        let Some(bytes) = key_codes::encode(press, self.key_modes()) else {
            let scrolls_up = press.key == "PageUp" && press.shift;
            if scrolls_up && self.with_screen(Screen::is_at_top) == Some(true) {
                self.reach_earlier();
            }
            return KeyRoute::Terminal;
        };
        self.type_text(&bytes);
        KeyRoute::Taken
    }

    fn key_in_earlier(self, key: OverlayKey) -> KeyRoute {
        match key {
            OverlayKey::Close => {
                self.end_earlier();
            }
            OverlayKey::Scroll(to) => {
                if let Some(screen) = self.earlier.screen() {
                    screen.scroll(to);
                }
            }
            OverlayKey::Ignore => return KeyRoute::Browser,
        }
        KeyRoute::Taken
    }

    /// Routes a key that was pressed in the view of earlier output, as the terminal does.
    pub fn pressed(self, press: &Press) -> KeyRoute {
        let pressed =
            self.live.try_with_value(|live| live.as_ref().map(|live| Rc::clone(&live.pressed)));
        pressed.flatten().map_or(KeyRoute::Browser, |pressed| pressed(press))
    }

    /// Types into the terminal.
    pub fn type_text(self, text: &str) {
        self.with_screen(|screen| screen.input(text));
    }

    fn key_modes(self) -> KeyModes {
        let (flags, other_keys) = self.with_screen(Screen::key_modes).unwrap_or_default();
        KeyModes { flags, other_keys }
    }

    /// Pastes from the clipboard.
    pub fn paste(self) {
        spawn_local(async move {
            match clipboard::read().await {
                Some(text) => {
                    self.with_screen(|screen| screen.paste(&text));
                }
                None => self.tell("The browser does not let this page read the clipboard."),
            }
            self.focus();
        });
    }

    /// Copies the selection.
    pub fn copy(self) {
        let in_earlier = self.earlier.screen().and_then(|screen| screen.selection());
        let selection = in_earlier.or_else(|| self.with_screen(Screen::selection).flatten());
        let Some(text) = selection else { return };
        spawn_local(async move {
            if !clipboard::write(&text).await {
                self.tell("The browser does not let this page write to the clipboard.");
            }
        });
    }

    /// Takes away what a finger has selected.
    pub fn unselect(self) {
        self.with_front(Screen::clear_selection);
        self.selected.set(false);
    }

    /// Shows something that passes.
    pub fn tell(self, text: &str) {
        self.notice.set(Some(text.to_owned()));
    }

    fn happened(self, event: ScreenEvent) {
        match event {
            ScreenEvent::Data(data) => {
                // Programs may be told of the focus, which goes away by a click in the view.
                if data != FOCUSED && data != NOT_FOCUSED {
                    self.end_earlier();
                }
                let modifiers = self.modifiers.get_untracked();
                let data = if modifiers.any() {
                    self.modifiers.set(Modifiers::default());
                    keys::press_of(&data, modifiers)
                        .and_then(|press| key_codes::encode(&press, self.key_modes()))
                        .unwrap_or_else(|| keys::modify(&data, modifiers))
                } else {
                    data
                };
                self.post(SessionInput::Typed(data.into_bytes()));
            }
            ScreenEvent::Binary(data) => {
                self.post(SessionInput::Typed(data.chars().map(|byte| byte as u8).collect()));
            }
            ScreenEvent::Bell => self.bell.update(|bell| *bell += 1),
            ScreenEvent::Title(title) => {
                self.title.set(Some(words::plain(&title)).filter(|title| !title.is_empty()));
            }
            ScreenEvent::Drawn { at_bottom } => set_if_other(self.at_bottom, at_bottom),
            ScreenEvent::BeyondTop => self.reach_earlier(),
            ScreenEvent::Selected(is_there) => set_if_other(self.selected, is_there),
            ScreenEvent::Matches { index, count } => self.matches.set((index, count)),
        }
    }

    fn page_event(self, event: PageEvent) {
        match event {
            PageEvent::Online => {
                self.no_network.set(false);
                self.post(SessionInput::Wake);
            }
            PageEvent::Offline => {
                self.no_network.set(true);
                // The socket stays silent rather than close: ask it for a sign of life.
                self.post(SessionInput::Wake);
            }
            PageEvent::Visible => {
                self.post(SessionInput::Shown);
                self.post(SessionInput::Wake);
            }
            PageEvent::Hidden => self.post(SessionInput::Hidden),
        }
    }

    pub(super) fn fit(self) {
        if let Some(size) = self.with_screen(Screen::fitting).flatten() {
            self.post(SessionInput::Fits(size));
        }
    }
}

/// What is told at every drawing must not wake those who know it.
fn set_if_other(signal: RwSignal<bool>, value: bool) {
    if signal.get_untracked() != value {
        signal.set(value);
    }
}

/// Tells scripts how far the terminal's content is.
fn mark(place: &page::HtmlElement, progress: &Progress) {
    let mut attributes = vec![
        ("data-applied-seq", progress.seq.to_string()),
        ("data-applied-bytes", progress.bytes.to_string()),
        ("data-applied-from", progress.from.to_string()),
    ];
    attributes.extend(progress.digest.map(|digest| ("data-applied-digest", digest.hex())));
    page::set_attributes(place, &attributes);
}

fn route(
    state: TerminalState,
    preferences: Preferences,
    to_list: Callback<()>,
    shortcut: Shortcut,
) -> KeyRoute {
    match shortcut {
        Shortcut::Paste => return KeyRoute::Browser,
        Shortcut::Search => state.searching.set(true),
        Shortcut::Copy => state.copy(),
        Shortcut::Font(step) => preferences.step_font(step),
        Shortcut::FontReset => preferences.reset_font(),
        Shortcut::List => to_list.run(()),
    }
    KeyRoute::Taken
}
