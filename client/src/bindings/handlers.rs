//! Handlers for sequences that the terminal emulator parses.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::*;

use super::xterm::{Disposable, Parser, Terminal};

type MediaHandler = Closure<dyn FnMut(JsValue) -> bool>;

/// Handlers that stay registered until this is dropped. The handler registered last runs first, and
/// one that returns true stops the others.
pub(super) struct Handlers {
    parser: Parser,
    registered: Vec<(Disposable, MediaHandler)>,
}

impl Handlers {
    pub(super) fn new(terminal: &Terminal) -> Self {
        Self { parser: terminal.parser(), registered: Vec::new() }
    }

    /// Registers a handler for a control sequence (CSI). It receives the parameters.
    pub(super) fn csi(&mut self, id: &Object, handler: impl FnMut(JsValue) -> bool + 'static) {
        let handler = Closure::new(handler);
        self.registered.push((self.parser.register_csi_handler(id, &handler), handler));
    }

    /// Registers a handler for an escape sequence.
    pub(super) fn esc(&mut self, id: &Object, handler: impl FnMut(JsValue) -> bool + 'static) {
        let handler = Closure::new(handler);
        self.registered.push((self.parser.register_esc_handler(id, &handler), handler));
    }

    /// Registers a handler for a device control string (DCS). It receives the text.
    pub(super) fn dcs(&mut self, id: &Object, handler: impl FnMut(JsValue) -> bool + 'static) {
        let handler = Closure::new(handler);
        self.registered.push((self.parser.register_dcs_handler(id, &handler), handler));
    }

    /// Registers a handler for an operating system command (OSC). It receives the text after the
    /// number.
    pub(super) fn osc(&mut self, number: u16, handler: impl FnMut(JsValue) -> bool + 'static) {
        let handler = Closure::new(handler);
        self.registered.push((self.parser.register_osc_handler(number, &handler), handler));
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        for (registration, _) in &self.registered {
            registration.dispose();
        }
    }
}

/// Returns xterm.js's identifier of the sequence with this final byte, prefix and intermediates.
pub(super) fn sequence(end: &str, prefix: &str, intermediates: &str) -> Object {
    let id = Object::new();
    for (key, value) in [("final", end), ("prefix", prefix), ("intermediates", intermediates)] {
        if !value.is_empty() {
            // Setting a field of a plain object cannot fail.
            let _ = Reflect::set(&id, &key.into(), &value.into());
        }
    }
    id
}

/// Returns the parameter at `index`, or `None` if it is absent.
pub(super) fn parameter(params: &JsValue, index: u32) -> Option<u16> {
    Array::from(params).get(index).as_f64().map(|number| number as u16)
}
