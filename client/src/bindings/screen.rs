//! The terminal emulator of the page: xterm.js with its addons, owned and disposed as one.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use moorline_shared::keyboard::KeyFlags;
use moorline_shared::session::Size;
use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;

use super::addons;
pub use super::chunk::{Chunk, frame_header};
use super::handlers::Handlers;
use super::key_modes::KeyModeTracker;
use super::keyboard::Press;
use super::look::{self, FontSize, Theme};
use super::options::{SCROLLBACK_LINES, colours, options, set};
use super::overscroll::{Overscroll, is_at_top};
use super::queries::{self, Quiet};
pub use super::queries::{FOCUSED, NOT_FOCUSED};
pub use super::screen_event::{KeyRoute, ScreenEvent, Scroll};
use super::search::Search;
pub use super::search::SearchCode;
use super::touch::Touch;
use super::write_reports::WriteReports;
pub use super::xterm::EmulatorCode;
use super::xterm::{Disposable, FitAddon, Terminal};

/// The number of top rows that other elements may cover. [`Screen::uncover`] moves a match in them
/// into view.
const COVERED_ROWS: u32 = 4;

struct PendingWrite {
    replayed: bool,
    done: Box<dyn FnOnce(Option<String>)>,
}

type WriteQueue = Rc<RefCell<VecDeque<PendingWrite>>>;

/// The terminal emulator in the page.
pub struct Screen {
    terminal: Terminal,
    fit: FitAddon,
    /// Empty until the first search.
    search: OnceCell<Search>,
    happened: Rc<dyn Fn(ScreenEvent)>,
    written: WriteQueue,
    quiet: Rc<Quiet>,
    reports: WriteReports,
    subscriptions: Vec<Disposable>,
    key_modes: KeyModeTracker,
    place: HtmlElement,
    _handlers: Handlers,
    _touch: Touch,
    _overscroll: Overscroll,
    _closures: Vec<Box<dyn std::any::Any>>,
}

impl Screen {
    /// Creates a terminal in `parent`. `happened` receives its events, and `key` decides where each
    /// key goes.
    pub fn open(
        emulator: &EmulatorCode,
        parent: &HtmlElement,
        theme: Theme,
        font: FontSize,
        happened: impl Fn(ScreenEvent) + Clone + 'static,
        key: impl Fn(&Press) -> KeyRoute + 'static,
    ) -> Self {
        let terminal = emulator.terminal(&options(theme, font));
        let fit = emulator.fit();
        let mut closures: Vec<Box<dyn std::any::Any>> = Vec::new();
        terminal.load_addon(&fit);
        terminal.load_addon(&emulator.as_host());
        addons::load_links(emulator, &terminal, &mut closures);
        addons::load_clipboard(emulator, &terminal, &mut closures);
        let quiet = Rc::new(Quiet::default());
        let mut handlers = Handlers::new(&terminal);
        queries::filter(&mut handlers, &quiet);
        let key_modes = KeyModeTracker::follow(&terminal, &mut handlers, &quiet);
        let mut listening = Listening { terminal: &terminal, closures, subscriptions: Vec::new() };
        listening.data(&quiet, &happened);
        listening.view(&happened);
        listening.keys(key_modes.clone(), key);
        let Listening { closures, subscriptions, .. } = listening;
        terminal.open(parent);
        let touch = Touch::new(&terminal, parent, happened.clone());
        let happened: Rc<dyn Fn(ScreenEvent)> = Rc::new(happened);
        let tell = Rc::clone(&happened);
        let beyond = move || tell(ScreenEvent::BeyondTop);
        let overscroll = Overscroll::new(&terminal, parent, beyond);
        let written = WriteQueue::default();
        let reports = WriteReports::new(on_parsed(&written, &quiet));
        Self {
            terminal,
            fit,
            search: OnceCell::new(),
            happened,
            written,
            quiet,
            reports,
            subscriptions,
            key_modes,
            place: parent.clone(),
            _handlers: handlers,
            _touch: touch,
            _overscroll: overscroll,
            _closures: closures,
        }
    }

    /// Writes `chunk` and calls `done` once it is parsed, with the terminal's answers if the chunk
    /// sent a query. `replayed` marks output from the past: queries in it are not answered. `done`
    /// may be called before this returns.
    pub fn write(
        &self,
        chunk: &Chunk,
        replayed: bool,
        done: impl FnOnce(Option<String>) + 'static,
    ) {
        let first = {
            let mut written = self.written.borrow_mut();
            written.push_back(PendingWrite { replayed, done: Box::new(done) });
            written.len() == 1
        };
        if first {
            self.quiet.replaying.set(replayed);
        }
        self.terminal.write(chunk.array(), self.reports.next());
    }

    /// Returns the size that fills the terminal's place, or `None` while it is not visible.
    #[must_use]
    pub fn fitting(&self) -> Option<Size> {
        let fitting = self.fit.propose_dimensions()?;
        let (cols, rows) = (fitting.cols(), fitting.rows());
        (cols.is_finite() && rows.is_finite())
            .then(|| Size { cols: cols as u16, rows: rows as u16 }.clamped())
    }

    /// Returns the terminal's current size.
    #[must_use]
    pub fn size(&self) -> Size {
        Size { cols: self.terminal.cols(), rows: self.terminal.rows() }
    }

    /// Changes the terminal's size.
    pub fn resize(&self, size: Size) {
        if self.size() != size {
            self.terminal.resize(size.cols, size.rows);
        }
    }

    /// Returns true if lines may have been dropped from the start of the buffer.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.terminal.buffer().active().base_y() >= SCROLLBACK_LINES
    }

    /// Sets the number of lines to keep above the screen.
    pub fn keep_lines(&self, lines: u32) {
        set(&self.terminal.options(), "scrollback", &lines.into());
    }

    /// Changes the terminal's colours and fonts.
    pub fn set_theme(&self, theme: Theme) {
        let options = self.terminal.options();
        set(&options, "theme", &colours(theme));
        set(&options, "fontFamily", &look::terminal_fonts().into());
    }

    /// Changes the terminal's font size.
    pub fn set_font(&self, font: FontSize) {
        set(&self.terminal.options(), "fontSize", &font.pixels().into());
    }

    /// Moves the keyboard focus to the terminal.
    pub fn focus(&self) {
        self.terminal.focus();
    }

    /// Sends `data` as if it had been typed.
    pub fn input(&self, data: &str) {
        self.terminal.input(data, true);
    }

    /// Returns the keyboard modes that the program asked for: the kitty protocol's flags and the
    /// level of xterm's `modifyOtherKeys`.
    #[must_use]
    pub fn key_modes(&self) -> (KeyFlags, u8) {
        self.key_modes.current()
    }

    /// Pastes `text` as if from the clipboard, bracketed if the program asked for that.
    pub fn paste(&self, text: &str) {
        self.terminal.paste(text);
    }

    /// Returns the selected text, if any.
    #[must_use]
    pub fn selection(&self) -> Option<String> {
        self.terminal.has_selection().then(|| self.terminal.get_selection())
    }

    /// Removes the selection, if any.
    pub fn clear_selection(&self) {
        self.terminal.clear_selection();
    }

    /// Scrolls to the end of the buffer.
    pub fn scroll_to_bottom(&self) {
        self.terminal.scroll_to_bottom();
    }

    /// Scrolls to a target. A page is one row less than the screen.
    pub fn scroll(&self, to: Scroll) {
        let page = i32::from(self.terminal.rows()) - 1;
        match to {
            Scroll::PageUp => self.terminal.scroll_lines(-page),
            Scroll::PageDown => self.terminal.scroll_lines(page),
            Scroll::Start => self.terminal.scroll_to_line(0),
            Scroll::End => self.scroll_to_bottom(),
        }
    }

    /// True if the view shows the first line of the scrollback. False without scrollback.
    #[must_use]
    pub fn is_at_top(&self) -> bool {
        is_at_top(&self.terminal)
    }

    /// Returns how many lines the view is above the end of the buffer.
    #[must_use]
    pub fn lines_above_bottom(&self) -> u32 {
        let buffer = self.terminal.buffer().active();
        buffer.base_y().saturating_sub(buffer.viewport_y())
    }

    /// Scrolls so that the view is this many lines above the end.
    pub fn scroll_above_bottom(&self, lines: u32) {
        let end = self.terminal.buffer().active().base_y();
        self.terminal.scroll_to_line(end.saturating_sub(lines));
    }

    /// Returns true if arrow keys must be sent in their application form.
    #[must_use]
    pub fn application_cursor(&self) -> bool {
        self.terminal.modes().application_cursor_keys_mode()
    }

    /// Finds and shows the next or previous match of `text`. The first call attaches the search's
    /// `code` to the terminal.
    pub fn find(&self, code: &SearchCode, text: &str, forwards: bool, incremental: bool) {
        let happened = || Rc::clone(&self.happened);
        let search = self.search.get_or_init(|| Search::attach(code, &self.terminal, happened()));
        search.find(text, forwards, incremental);
        self.uncover();
    }

    /// Scrolls a screen that is higher than its place: to the top if the match is in rows that may
    /// be covered, otherwise to the end.
    pub fn uncover(&self) {
        let top = self.terminal.buffer().active().viewport_y();
        let found = self.terminal.selected_range().map(|range| range.start().y());
        let is_covered = found.is_some_and(|row| row.saturating_sub(top) < COVERED_ROWS);
        self.place.set_scroll_top(if is_covered { 0 } else { self.place.scroll_height() });
    }

    /// Ends the search: removes its marks and the selection.
    pub fn end_search(&self) {
        if let Some(search) = self.search.get() {
            search.clear();
        }
        self.terminal.clear_selection();
    }

    /// Returns the whole buffer as text, with wrapped lines joined.
    #[must_use]
    pub fn text(&self) -> String {
        let buffer = self.terminal.buffer().active();
        let mut text = String::new();
        for line in (0..buffer.length()).filter_map(|index| buffer.get_line(index)) {
            if !line.is_wrapped() && !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&line.translate_to_string(true));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        for subscription in &self.subscriptions {
            subscription.dispose();
        }
        self.terminal.dispose();
        // Nobody is told of what is still parsed.
        let left = std::mem::take(&mut *self.written.borrow_mut());
        drop(left);
    }
}

fn on_parsed(written: &WriteQueue, quiet: &Rc<Quiet>) -> impl FnMut() + use<> {
    let (written, quiet) = (Rc::clone(written), Rc::clone(quiet));
    move || {
        let replies = quiet.take_replies();
        // The borrow ends before `done` runs, because `done` may write again.
        let done = {
            let mut written = written.borrow_mut();
            let done = written.pop_front().map(|pending| pending.done);
            quiet.replaying.set(written.front().is_some_and(|next| next.replayed));
            done
        };
        if let Some(done) = done {
            done(replies);
        }
    }
}

struct Listening<'a> {
    terminal: &'a Terminal,
    closures: Vec<Box<dyn std::any::Any>>,
    subscriptions: Vec<Disposable>,
}

impl Listening<'_> {
    fn data<F: Fn(ScreenEvent) + Clone + 'static>(&mut self, quiet: &Rc<Quiet>, happened: &F) {
        let (tell, quiet) = (happened.clone(), Rc::clone(quiet));
        // Must be `Fn`: typing may move the focus, and the report of that calls this from within.
        let data = Closure::<dyn Fn(String)>::new(move |data: String| {
            if !quiet.keeps(&data) {
                tell(ScreenEvent::Data(data));
            }
        });
        self.subscriptions.push(self.terminal.on_data(&data));
        let tell = happened.clone();
        let binary = Closure::<dyn FnMut(String)>::new(move |data| tell(ScreenEvent::Binary(data)));
        self.subscriptions.push(self.terminal.on_binary(&binary));
        self.closures.extend([Box::new(data) as Box<dyn std::any::Any>, Box::new(binary)]);
    }

    fn view<F: Fn(ScreenEvent) + Clone + 'static>(&mut self, happened: &F) {
        let tell = happened.clone();
        let bell = Closure::<dyn FnMut()>::new(move || tell(ScreenEvent::Bell));
        self.subscriptions.push(self.terminal.on_bell(&bell));
        let tell = happened.clone();
        let title = Closure::<dyn FnMut(String)>::new(move |title| tell(ScreenEvent::Title(title)));
        self.subscriptions.push(self.terminal.on_title_change(&title));
        let (tell, terminal) = (happened.clone(), self.terminal.clone());
        let drawn = Closure::<dyn FnMut()>::new(move || {
            let buffer = terminal.buffer().active();
            let (shown, end) = (buffer.viewport_y(), buffer.base_y());
            tell(ScreenEvent::Drawn { at_bottom: shown >= end });
        });
        self.subscriptions.push(self.terminal.on_render(&drawn));
        self.closures.extend([Box::new(bell) as Box<dyn std::any::Any>, Box::new(title)]);
        self.closures.push(Box::new(drawn));
    }

    fn keys(&mut self, modes: KeyModeTracker, route: impl Fn(&Press) -> KeyRoute + 'static) {
        let handler = Closure::<dyn FnMut(web_sys::KeyboardEvent) -> bool>::new(
            move |event: web_sys::KeyboardEvent| {
                let is_told = match &*event.type_() {
                    "keydown" => true,
                    "keyup" => modes.current().0.has(KeyFlags::EVENT_TYPES),
                    _ => false,
                };
                if !is_told {
                    return true;
                }
                match route(&Press::from(&event)) {
                    KeyRoute::Terminal => true,
                    KeyRoute::Browser => false,
                    KeyRoute::Taken => {
                        event.prevent_default();
                        event.stop_propagation();
                        false
                    }
                }
            },
        );
        self.terminal.attach_custom_key_event_handler(&handler);
        self.closures.push(Box::new(handler));
    }
}
