//! Reports that xterm.js has parsed what was written to it.
//!
//! It goes on parsing after a terminal is disposed, and reports that, too. So the function that it
//! calls outlives the terminal, until the last report.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::prelude::*;

thread_local! {
    /// The reports of terminals that are gone, until xterm.js has made the last one.
    static LEFT: RefCell<Vec<Reports>> = const { RefCell::new(Vec::new()) };
}

#[derive(Clone)]
struct Reports {
    report: Rc<Closure<dyn FnMut()>>,
    /// The number of reports that xterm.js owes.
    owed: Rc<Cell<u32>>,
}

/// The function that xterm.js calls for everything that it has parsed.
#[must_use = "it must live as long as the terminal"]
pub(super) struct WriteReports(Reports);

impl WriteReports {
    /// Has xterm.js call `parsed` once for each [`WriteReports::next`].
    pub(super) fn new(mut parsed: impl FnMut() + 'static) -> Self {
        let owed = Rc::new(Cell::new(0_u32));
        let left = Rc::clone(&owed);
        let report = Closure::new(move || {
            left.set(left.get().saturating_sub(1));
            parsed();
        });
        Self(Reports { report: Rc::new(report), owed })
    }

    /// Returns the function for the next write.
    pub(super) fn next(&self) -> &Function {
        self.0.owed.set(self.0.owed.get() + 1);
        self.0.report.as_ref().as_ref().unchecked_ref()
    }
}

impl Drop for WriteReports {
    fn drop(&mut self) {
        LEFT.with_borrow_mut(|left| {
            left.retain(|reports| reports.owed.get() > 0);
            if self.0.owed.get() > 0 {
                left.push(self.0.clone());
            }
        });
    }
}
