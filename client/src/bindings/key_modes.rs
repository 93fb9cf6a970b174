//! Keyboard modes that programs ask for. xterm.js supports neither the kitty protocol nor
//! `modifyOtherKeys`, so this module tracks both, as the session's host does.

use std::cell::RefCell;
use std::rc::Rc;

use moorline_shared::keyboard::{KeyFlags, Keyboard};

use super::handlers::{Handlers, parameter, sequence};
use super::queries::Quiet;
use super::xterm::Terminal;

/// The parameter of `CSI > m` and `CSI ? m` that means `modifyOtherKeys`.
const OTHER_KEYS: u16 = 4;

/// The keyboard modes of one terminal.
#[derive(Clone)]
pub(super) struct KeyModeTracker {
    terminal: Terminal,
    keyboard: Rc<RefCell<Keyboard>>,
}

impl KeyModeTracker {
    /// Registers handlers that track the modes and answer queries about them.
    pub(super) fn follow(terminal: &Terminal, handlers: &mut Handlers, quiet: &Rc<Quiet>) -> Self {
        let keyboard = Rc::new(RefCell::new(Keyboard::default()));
        let modes = Self { terminal: terminal.clone(), keyboard };
        let shared = modes.clone();
        handlers.csi(&sequence("u", ">", ""), move |params| {
            let flags = KeyFlags::from_bits(parameter(&params, 0).unwrap_or_default());
            shared.keyboard.borrow_mut().push(shared.is_alternate(), flags);
            true
        });
        let shared = modes.clone();
        handlers.csi(&sequence("u", "<", ""), move |params| {
            let count = parameter(&params, 0).unwrap_or_default().max(1);
            shared.keyboard.borrow_mut().pop(shared.is_alternate(), count);
            true
        });
        let shared = modes.clone();
        handlers.csi(&sequence("u", "=", ""), move |params| {
            let flags = KeyFlags::from_bits(parameter(&params, 0).unwrap_or_default());
            let mode = parameter(&params, 1).unwrap_or_default();
            shared.keyboard.borrow_mut().change(shared.is_alternate(), flags, mode);
            true
        });
        modes.follow_other_keys(handlers);
        modes.answer(handlers, quiet);
        modes
    }

    /// Returns the flags of the active screen and the `modifyOtherKeys` level.
    pub(super) fn current(&self) -> (KeyFlags, u8) {
        let keyboard = self.keyboard.borrow();
        (keyboard.flags(self.is_alternate()), keyboard.other_keys())
    }

    fn follow_other_keys(&self, handlers: &mut Handlers) {
        let shared = self.clone();
        handlers.csi(&sequence("m", ">", ""), move |params| {
            if parameter(&params, 0) == Some(OTHER_KEYS) {
                let level = parameter(&params, 1).unwrap_or_default();
                shared.keyboard.borrow_mut().set_other_keys(level);
            }
            true
        });
        let shared = self.clone();
        handlers.esc(&sequence("c", "", ""), move |_| {
            *shared.keyboard.borrow_mut() = Keyboard::default();
            false
        });
    }

    fn answer(&self, handlers: &mut Handlers, quiet: &Rc<Quiet>) {
        let (shared, asked) = (self.clone(), Rc::clone(quiet));
        handlers.csi(&sequence("u", "?", ""), move |_| {
            asked.answers(&shared.keyboard.borrow().report(shared.is_alternate()))
        });
        let (shared, asked) = (self.clone(), Rc::clone(quiet));
        handlers.csi(&sequence("m", "?", ""), move |params| {
            parameter(&params, 0) == Some(OTHER_KEYS)
                && asked.answers(&shared.keyboard.borrow().report_other_keys())
        });
    }

    fn is_alternate(&self) -> bool {
        self.terminal.buffer().active().kind() == "alternate"
    }
}
