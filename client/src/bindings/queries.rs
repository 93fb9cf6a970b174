//! Separates the terminal emulator's answers from typing, and keeps it from answering queries in
//! replayed output.
//!
//! Programs send queries to the terminal (who are you, where is the cursor, what colour is the
//! background), and the emulator answers as if the answer had been typed. An answer is not typing:
//! it goes to the session marked with the piece of output that asked, because only one of all
//! clients may answer. A replayed query was answered long ago, or never will be. So while a
//! replayed piece is parsed, queries are hidden from the emulator. The same holds for writes to the
//! clipboard.
//!
//! xterm.js runs the handler that was registered last first, and a handler that returns true stops
//! the others. It parses a piece without letting anything else run, so its output between a query
//! and the end of the piece is the answer. Queries that xterm.js 6 does not answer are answered
//! here, as the session's host does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Array;
use moorline_shared::terminal;
use wasm_bindgen::JsValue;

use super::handlers::{Handlers, parameter, sequence};

/// Queries by control sequence: final byte, prefix, intermediates, and the first parameters that
/// make it a query (empty if any does). DA1, DA2, DSR, DEC DSR, DECRQM in both forms, window
/// reports.
const CSI_QUERIES: [(&str, &str, &str, &[u16]); 7] = [
    ("c", "", "", &[0]),
    ("c", ">", "", &[0]),
    ("n", "", "", &[5, 6]),
    ("n", "?", "", &[6]),
    ("p", "", "$", &[]),
    ("p", "?", "$", &[]),
    ("t", "", "", &[14, 16, 18]),
];
/// DA3 and XTVERSION, which xterm.js does not answer.
const CSI_ANSWERED_HERE: [(&str, &str, &str); 2] =
    [("c", "=", terminal::TERTIARY_ATTRIBUTES), ("q", ">", terminal::VERSION)];
/// OSC numbers of palette entry, foreground, background and cursor colour. Each is a query if a
/// field is `?`.
const OSC_COLOURS: [u16; 4] = [4, 10, 11, 12];
const OSC_CLIPBOARD: u16 = 52;
/// Setting this DEC private mode makes the emulator report at once whether it has the focus.
const FOCUS_MODE: f64 = 1004.0;
/// The report that the terminal has the focus.
pub const FOCUSED: &str = "\x1b[I";
/// The report that the terminal does not have the focus.
pub const NOT_FOCUSED: &str = "\x1b[O";

/// State that the handlers and the screen share.
#[derive(Default)]
pub(super) struct Quiet {
    /// True while the piece that is being parsed is replayed.
    pub(super) replaying: Cell<bool>,
    focus_report_due: Cell<bool>,
    /// True if the piece that is being parsed has sent a query.
    asked: Cell<bool>,
    /// The answers to it so far.
    replies: RefCell<String>,
}

impl Quiet {
    /// Returns true if data that the emulator emits now is not typing. Answers are kept for
    /// [`Quiet::take_replies`]. The focus report that follows the setting of its mode is dropped if
    /// it is replayed, or if this page does not have the focus: another client may have it.
    pub(super) fn keeps(&self, data: &str) -> bool {
        let is_report = data == FOCUSED || data == NOT_FOCUSED;
        if is_report && self.focus_report_due.take() {
            return self.replaying.get() || data == NOT_FOCUSED;
        }
        if self.asked.get() {
            self.replies.borrow_mut().push_str(data);
        }
        self.asked.get()
    }

    /// Called once a piece is parsed. Returns the answers to its queries, or `None` if it had none.
    pub(super) fn take_replies(&self) -> Option<String> {
        self.focus_report_due.set(false);
        self.asked.take().then(|| self.replies.take())
    }

    /// Notes a query. Returns true if the emulator must not see it.
    fn hears(&self) -> bool {
        let replaying = self.replaying.get();
        if !replaying {
            self.asked.set(true);
        }
        replaying
    }

    /// Answers a query that the emulator does not support, unless it is replayed. Returns true,
    /// because the emulator need not see it.
    pub(super) fn answers(&self, answer: &str) -> bool {
        if !self.hears() {
            self.replies.borrow_mut().push_str(answer);
        }
        true
    }
}

/// Registers the handlers of all queries. FetchCall it after the addons are loaded, so that these
/// handlers run first.
pub(super) fn filter(handlers: &mut Handlers, quiet: &Rc<Quiet>) {
    for (end, prefix, intermediates, asking) in CSI_QUERIES {
        let quiet = Rc::clone(quiet);
        handlers.csi(&sequence(end, prefix, intermediates), move |params| {
            (asking.is_empty() || asking.contains(&first(&params))) && quiet.hears()
        });
    }
    for (end, prefix, answer) in CSI_ANSWERED_HERE {
        let quiet = Rc::clone(quiet);
        handlers.csi(&sequence(end, prefix, ""), move |params| {
            first(&params) == 0 && quiet.answers(answer)
        });
    }
    let shared = Rc::clone(quiet);
    handlers.csi(&sequence("h", "?", ""), move |params| {
        shared.focus_report_due.set(Array::from(&params).iter().any(|mode| mode == FOCUS_MODE));
        false
    });
    filter_strings(handlers, quiet);
}

fn filter_strings(handlers: &mut Handlers, quiet: &Rc<Quiet>) {
    // DECRQSS and XTGETTCAP.
    let shared = Rc::clone(quiet);
    handlers.dcs(&sequence("q", "", "$"), move |_| shared.hears());
    let shared = Rc::clone(quiet);
    handlers.dcs(&sequence("q", "", "+"), move |names| {
        shared.answers(&terminal::capabilities(&text(&names)))
    });
    for number in OSC_COLOURS {
        let shared = Rc::clone(quiet);
        handlers.osc(number, move |fields| text(&fields).contains('?') && shared.hears());
    }
    // Programs cannot read the clipboard through the terminal, and replayed output does not write
    // to it.
    let shared = Rc::clone(quiet);
    handlers.osc(OSC_CLIPBOARD, move |data| {
        data.as_string().is_none_or(|data| data.ends_with('?')) || shared.replaying.get()
    });
}

fn first(params: &JsValue) -> u16 {
    parameter(params, 0).unwrap_or_default()
}

fn text(data: &JsValue) -> String {
    data.as_string().unwrap_or_default()
}
