//! Keeps the terminal emulator quiet about the past.
//!
//! Programs ask the terminal things (who are you, where is the cursor, what colour is the
//! background), and the emulator answers as if the answer had been typed. A query that is only
//! replayed was answered long ago, or never will be: its answer would land in whatever reads
//! input now. So while a replayed piece is parsed, the emulator does not get to see queries. The
//! same holds for writes to the clipboard.
//!
//! xterm.js runs the handlers that were registered last first, and one that returns true ends the
//! matter. The list below is every sequence that xterm.js 6 answers.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::*;

use super::xterm::{Disposable, Terminal};

/// Final byte, prefix and intermediates of the CSI sequences that are answered: DA1, DA2, DSR,
/// DEC DSR, DECRQM in both forms, window reports.
const CSI_QUERIES: [(&str, &str, &str); 7] = [
    ("c", "", ""),
    ("c", ">", ""),
    ("n", "", ""),
    ("n", "?", ""),
    ("p", "", "$"),
    ("p", "?", "$"),
    ("t", "", ""),
];
/// Palette entry, foreground, background and cursor colour: queries where a field is `?`.
const OSC_COLOURS: [u16; 4] = [4, 10, 11, 12];
const OSC_CLIPBOARD: u16 = 52;
/// DECSET of this mode makes the emulator report at once whether it has the focus.
const FOCUS_MODE: f64 = 1004.0;

type Handler = Closure<dyn FnMut(JsValue) -> bool>;

/// What the handlers and the screen share.
#[derive(Default)]
pub(super) struct Quiet {
    /// The piece that is being parsed is replayed.
    pub(super) replaying: Cell<bool>,
    focus_report_due: Cell<bool>,
}

impl Quiet {
    /// Whether data that the emulator emits now must be dropped.
    pub(super) fn swallows(&self, data: &str) -> bool {
        let report = data == "\x1b[I" || data == "\x1b[O";
        report && self.focus_report_due.take() && self.replaying.get()
    }
}

/// Owns the handlers.
pub(super) struct QueryFilter {
    registered: Vec<(Disposable, Handler)>,
}

impl QueryFilter {
    /// Must come after the addons, so that its handlers come first.
    pub(super) fn new(terminal: &Terminal, quiet: &Rc<Quiet>) -> Self {
        let parser = terminal.parser();
        let mut registered = Vec::new();
        for (end, prefix, intermediates) in CSI_QUERIES {
            let handler = swallow_if(quiet, |_| true);
            let id = sequence(end, prefix, intermediates);
            registered.push((parser.register_csi_handler(&id, &handler), handler));
        }
        let handler = note_focus_mode(quiet);
        registered.push((parser.register_csi_handler(&sequence("h", "?", ""), &handler), handler));
        // DECRQSS.
        let handler = swallow_if(quiet, |_| true);
        registered.push((parser.register_dcs_handler(&sequence("q", "", "$"), &handler), handler));
        for number in OSC_COLOURS {
            let handler = swallow_if(quiet, |data| data.contains('?'));
            registered.push((parser.register_osc_handler(number, &handler), handler));
        }
        let handler = clipboard(quiet);
        registered.push((parser.register_osc_handler(OSC_CLIPBOARD, &handler), handler));
        Self { registered }
    }
}

impl Drop for QueryFilter {
    fn drop(&mut self) {
        for (registration, _) in &self.registered {
            registration.dispose();
        }
    }
}

fn sequence(end: &str, prefix: &str, intermediates: &str) -> Object {
    let id = Object::new();
    for (key, value) in [("final", end), ("prefix", prefix), ("intermediates", intermediates)] {
        if !value.is_empty() {
            // Setting a field of a plain object cannot fail.
            let _ = Reflect::set(&id, &key.into(), &value.into());
        }
    }
    id
}

fn swallow_if(quiet: &Rc<Quiet>, query: fn(&str) -> bool) -> Handler {
    let quiet = Rc::clone(quiet);
    Closure::new(move |data: JsValue| {
        quiet.replaying.get() && query(&data.as_string().unwrap_or_default())
    })
}

/// Nobody gets to read the clipboard through the terminal, and the past does not write to it.
fn clipboard(quiet: &Rc<Quiet>) -> Handler {
    let quiet = Rc::clone(quiet);
    Closure::new(move |data: JsValue| {
        let asks = data.as_string().is_none_or(|data| data.ends_with('?'));
        asks || quiet.replaying.get()
    })
}

fn note_focus_mode(quiet: &Rc<Quiet>) -> Handler {
    let quiet = Rc::clone(quiet);
    Closure::new(move |params: JsValue| {
        let modes = Array::from(&params);
        quiet.focus_report_due.set(modes.iter().any(|mode| mode == FOCUS_MODE));
        false
    })
}
