//! State that the controls around a terminal share: the emulator, and the session behind it.

use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::embed::EmbedKind;
use moorline_shared::event::Event;
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::session::Size;
use std::rc::Rc;

use crate::bindings::clipboard;
use crate::bindings::keyboard::{self, Press};
use crate::bindings::look::FontSize;
use crate::bindings::observe::{self, SizeWatch};
use crate::bindings::page::{self, PageEvent, PageWatch};
use crate::bindings::screen::{
    EmulatorCode, FOCUSED, KeyRoute, NOT_FOCUSED, Screen, ScreenEvent, SearchCode,
};
use crate::bindings::scrolling;
use crate::pages::terminal::marks;
use crate::pages::terminal::overlay::{Overlay, OverlayKey};
use crate::pages::terminal::shortcut::{Shortcut, shortcut};
use crate::session::access::PageAccess;
use crate::session::embed::EmbedFrame;
use crate::session::key_codes::{self, KeyModes};
use crate::session::keys::{self, Key, Modifiers};
use crate::session::words;
use crate::session::{
    DriverInput, FramedSetup, HandedScreen, Session, SessionHooks, SessionView, Setup,
};
use crate::ui::on_demand::OnDemand;
use crate::ui::preferences::Preferences;

/// What the emulator moves with the cursor.
const CURSOR: &str = ".xterm-helper-textarea";

/// State that the controls around a terminal share. Terminal bytes never pass through here.
#[derive(Debug, Clone, Copy)]
pub struct TerminalState {
    /// The emulator's code, loaded on demand.
    pub emulator: OnDemand<EmulatorCode>,
    /// The view of the session's link.
    pub view: RwSignal<SessionView>,
    /// The window title that the program has set.
    pub title: RwSignal<Option<String>>,
    /// True if the browser reports that the network is not available.
    pub no_network: RwSignal<bool>,
    /// True if the terminal is scrolled to the end.
    pub at_bottom: RwSignal<bool>,
    /// The view of earlier output, from the log.
    pub earlier: Overlay,
    /// True if the terminal began with a snapshot: lines from before it may be missing.
    began_with_snapshot: RwSignal<bool>,
    /// Counts how often the bell rang.
    pub bell: RwSignal<u32>,
    /// True while the search bar is open.
    pub searching: RwSignal<bool>,
    /// The search's code, loaded on demand.
    pub search: OnDemand<SearchCode>,
    /// The index of the match that is shown, and the number of matches.
    pub matches: RwSignal<(Option<u32>, u32)>,
    /// Modifiers that are down on the key bar.
    pub modifiers: RwSignal<Modifiers>,
    /// True if a finger has selected text.
    pub selected: RwSignal<bool>,
    /// A passing notice for the user.
    pub notice: RwSignal<Option<String>>,
    /// A text size in place of the preferred one.
    pub font: RwSignal<Option<FontSize>>,
    /// The last `tmux-layout` event of a pane, or `pod-status` event of a pod.
    pub layout: RwSignal<Option<Event>>,
    live: StoredValue<Option<LiveTerminal>, LocalStorage>,
}

/// The running terminal. The session is dropped first: it stores its state while the terminal still
/// exists.
struct LiveTerminal {
    session: Session,
    screen: Rc<Screen>,
    /// Handles a key, here and in the view of earlier output.
    pressed: Rc<dyn Fn(&Press) -> KeyRoute>,
    _guards: (SizeWatch, PageWatch),
}

impl TerminalState {
    /// Creates the state of a terminal that does not exist yet, and provides it to all components
    /// below.
    #[must_use]
    pub fn provide() -> Self {
        let state = Self {
            emulator: OnDemand::new(),
            view: RwSignal::default(),
            title: RwSignal::default(),
            no_network: RwSignal::new(!page::is_online()),
            at_bottom: RwSignal::new(true),
            earlier: Overlay::new(),
            began_with_snapshot: RwSignal::default(),
            bell: RwSignal::default(),
            searching: RwSignal::default(),
            search: OnDemand::new(),
            matches: RwSignal::default(),
            modifiers: RwSignal::default(),
            selected: RwSignal::default(),
            notice: RwSignal::default(),
            font: RwSignal::default(),
            layout: RwSignal::default(),
            live: StoredValue::new_local(None),
        };
        provide_context(state);
        state
    }

    /// Returns the state that was provided.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// Returns the size of the terminal's text; tracked.
    pub(super) fn font_of(self, preferences: Preferences) -> FontSize {
        self.font.get().unwrap_or_else(|| preferences.font())
    }

    pub(super) fn with_screen<T>(self, f: impl FnOnce(&Screen) -> T) -> Option<T> {
        self.screen().map(|screen| f(&screen))
    }

    /// Returns a copy of the handle, because its use may call back into this state.
    fn screen(self) -> Option<Rc<Screen>> {
        self.live.try_with_value(|live| live.as_ref().map(|l| Rc::clone(&l.screen))).flatten()
    }

    /// Calls `f` with the emulator in front: that of earlier output, or the terminal itself.
    fn with_front<T>(self, f: impl FnOnce(&Screen) -> T) -> Option<T> {
        self.earlier.screen().or_else(|| self.screen()).map(|screen| f(&screen))
    }

    pub(super) fn post(self, input: DriverInput<js_sys::ArrayBuffer>) {
        let session = self.live.try_with_value(|live| live.as_ref().map(|l| l.session.clone()));
        if let Some(session) = session.flatten() {
            session.post(input);
        }
    }

    /// Creates the terminal in `place` and starts the session's link.
    pub(super) fn begin(
        self,
        emulator: &EmulatorCode,
        place: &page::HtmlElement,
        id: SessionId,
        to_list: Callback<()>,
        takes_focus: bool,
    ) {
        let preferences = Preferences::expect();
        let frame = use_context::<EmbedFrame>();
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
            untrack(|| self.font_of(preferences)),
            move |event| self.happened(event),
            move |press| keys(press),
        ));
        let session = Session::new();
        let guards = (
            observe::size(place, move || self.fit()),
            page::watch(move |event| self.page_event(event)),
        );
        let live = LiveTerminal {
            session: session.clone(),
            screen: Rc::clone(&screen),
            pressed,
            _guards: guards,
        };
        self.live.set_value(Some(live));
        let place = place.clone();
        let hooks = SessionHooks {
            show: Box::new(move |view| self.view.set(view)),
            notify: Box::new(move |notice| self.tell(&words::notice(&notice))),
            layout: Box::new(move |event| self.layout.set(Some(event))),
            progress: Box::new(move |progress| {
                marks::mark(&place, progress);
                marks::set_if_other(self.began_with_snapshot, progress.from > Seq::ZERO);
                self.show_cursor(&place);
                frame.iter().for_each(|frame| frame.changed());
            }),
        };
        let token = PageAccess::expect().token();
        let framed = frame.map(|frame| FramedSetup {
            handed: frame.take_handed(EmbedKind::Terminal).map(HandedScreen::from),
            only_watches: frame.only_watches(),
        });
        let digest = page::query_has("digest");
        session.start(Setup { id, token, screen, digest, framed }, hooks);
        session.post(DriverInput::Hold(untrack(|| preferences.hold())));
        self.fit();
        // A frame must not take the focus from the page around it.
        if takes_focus && frame.is_none_or(EmbedFrame::take_focus) {
            self.focus();
        }
    }

    /// Returns the terminal as it is, for a later frame: see [`Session::hand_on`].
    pub(super) fn hand_on(self) -> Option<(Seq, Option<HandedScreen>)> {
        let session = self.live.try_with_value(|live| live.as_ref().map(|l| l.session.clone()));
        session.flatten().map(|session| session.hand_on())
    }

    /// Scrolls the cursor into view while the host is away: the screen may then be larger than the
    /// page and cannot be resized.
    fn show_cursor(self, place: &page::HtmlElement) {
        if self.view.with_untracked(|view| view.is_host_away() && !view.is_pane) {
            scrolling::show_descendant(place, CURSOR);
        }
    }

    /// Dials at once, and focuses the terminal.
    pub fn retry(self) {
        self.post(DriverInput::Dial);
        self.focus();
    }

    /// Takes back waiting input: see [`DriverInput::Discard`].
    pub fn discard(self) {
        self.post(DriverInput::Discard);
        self.focus();
    }

    /// Cancels the unsent rest of a large paste.
    pub fn end_paste(self) {
        self.post(DriverInput::EndPaste);
        self.focus();
    }

    /// Requests the size that fits this page for the session.
    pub fn take_size(self) {
        self.post(DriverInput::TakeSize);
        self.focus();
    }

    /// Moves the keyboard focus to the terminal.
    pub fn focus(self) {
        self.with_screen(Screen::focus);
    }

    /// Scrolls to the end, and focuses the terminal.
    pub fn scroll_to_bottom(self) {
        self.with_screen(Screen::scroll_to_bottom);
        self.focus();
    }

    /// Opens the view of earlier output, if the log may have lines from before what the terminal holds.
    fn reach_earlier(self) {
        let is_full = || self.with_screen(Screen::is_full).unwrap_or_default();
        if self.began_with_snapshot.get_untracked() || is_full() {
            self.earlier.open();
        }
    }

    /// Returns how many lines the terminal's view is above the end.
    #[must_use]
    pub fn lines_above_bottom(self) -> u32 {
        self.with_screen(Screen::lines_above_bottom).unwrap_or_default()
    }

    /// Returns the terminal's size, once it exists.
    #[must_use]
    pub fn size(self) -> Option<Size> {
        self.with_screen(Screen::size)
    }

    /// Closes the view of earlier output and returns to the session as it is now. Returns true if
    /// the view was open.
    pub fn end_earlier(self) -> bool {
        let was_open = self.earlier.close();
        if was_open {
            self.matches.set((None, 0));
            self.scroll_to_bottom();
        }
        was_open
    }

    /// Finds the next or previous match, once the search's code is loaded.
    pub fn find(self, text: &str, forwards: bool, incremental: bool) {
        if let Some(code) = self.search.get() {
            self.with_front(|screen| screen.find(&code, text, forwards, incremental));
        }
    }

    /// Loads the emulator's code, unless it is loaded.
    pub fn load_emulator(self) {
        self.emulator.load(EmulatorCode::load());
    }

    /// Loads the search's code, unless it is loaded.
    pub fn load_search(self) {
        self.search.load(SearchCode::load());
    }

    /// Scrolls so that the open search bar does not cover a match.
    pub fn uncover(self) {
        self.with_front(Screen::uncover);
    }

    /// Closes the search bar.
    pub fn end_search(self) {
        self.searching.set(false);
        self.with_front(Screen::end_search);
        self.focus();
    }

    /// Returns all text of the emulator in front, including its scrollback.
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
        self.post(DriverInput::Typed(bytes.into_bytes()));
        self.with_screen(Screen::scroll_to_bottom);
    }

    /// Routes a key that is not a shortcut: sends it in the form that the program asks for, or
    /// leaves it to the emulator.
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

    /// Copies the selection to the clipboard.
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

    /// Clears the selection that a finger has made.
    pub fn unselect(self) {
        self.with_front(Screen::clear_selection);
        self.selected.set(false);
    }

    /// Shows a passing notice.
    pub fn tell(self, text: &str) {
        self.notice.set(Some(text.to_owned()));
    }

    fn happened(self, event: ScreenEvent) {
        match event {
            ScreenEvent::Data(data) => {
                // Focus reports are not typing: a click in the view takes the focus from the
                // terminal.
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
                self.post(DriverInput::Typed(data.into_bytes()));
            }
            ScreenEvent::Binary(data) => {
                self.post(DriverInput::Typed(data.chars().map(|byte| byte as u8).collect()));
            }
            ScreenEvent::Bell => self.bell.update(|bell| *bell += 1),
            ScreenEvent::Title(title) => {
                self.title.set(Some(words::plain(&title)).filter(|title| !title.is_empty()));
            }
            ScreenEvent::Drawn { at_bottom } => marks::set_if_other(self.at_bottom, at_bottom),
            ScreenEvent::BeyondTop => self.reach_earlier(),
            ScreenEvent::Selected(is_there) => marks::set_if_other(self.selected, is_there),
            ScreenEvent::Matches { index, count } => self.matches.set((index, count)),
        }
    }

    fn page_event(self, event: PageEvent) {
        match event {
            PageEvent::Online => {
                self.no_network.set(false);
                self.post(DriverInput::Wake);
            }
            PageEvent::Offline => {
                self.no_network.set(true);
                // The socket may stay silent instead of closing.
                self.post(DriverInput::NetworkLost);
            }
            PageEvent::Visible => {
                self.post(DriverInput::Shown);
                self.post(DriverInput::Wake);
            }
            PageEvent::Hidden => self.post(DriverInput::Hidden),
        }
    }

    pub(super) fn fit(self) {
        if let Some(size) = self.with_screen(Screen::fitting).flatten() {
            self.post(DriverInput::Fits(size));
        }
    }
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
