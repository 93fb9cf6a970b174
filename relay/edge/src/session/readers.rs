//! The readers of a session's event streams.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use moorline_shared::time::Time;

use super::clock::now;
use crate::internal::Caller;

/// The reader of an event stream.
#[derive(Debug)]
pub(super) struct StreamReader {
    /// Who reads.
    caller: RefCell<Caller>,
    /// True once the stream must end.
    pub(super) is_cut: Cell<bool>,
}

impl StreamReader {
    /// Returns true if the reader may read no more.
    pub(super) fn has_ended(&self) -> bool {
        self.is_cut.get() || has_expired(&self.caller.borrow(), now())
    }

    /// Who reads.
    pub(super) fn caller(&self) -> Caller {
        self.caller.borrow().clone()
    }

    /// When the reader's token or cookie expires.
    pub(super) fn ends_at(&self) -> Option<Time> {
        self.caller.borrow().ends_at()
    }

    /// Takes over what the reader's token and cookie give now, such as another expiry.
    pub(super) fn renew(&self, caller: &Caller) {
        *self.caller.borrow_mut() = caller.clone();
    }
}

/// The readers of event streams, which are gone once nobody else has them.
#[derive(Debug, Default)]
pub(super) struct Readers(RefCell<Vec<Weak<StreamReader>>>);

impl Readers {
    pub(super) fn add(&self, caller: Caller) -> Rc<StreamReader> {
        let reader =
            Rc::new(StreamReader { caller: RefCell::new(caller), is_cut: Cell::new(false) });
        let mut readers = self.0.borrow_mut();
        readers.retain(|reader| reader.strong_count() > 0);
        readers.push(Rc::downgrade(&reader));
        reader
    }

    /// All readers that are left.
    pub(super) fn all(&self) -> Vec<Rc<StreamReader>> {
        self.0.borrow().iter().filter_map(Weak::upgrade).collect()
    }
}

/// Returns true if the caller's token or cookie has expired.
pub(super) fn has_expired(caller: &Caller, now: Time) -> bool {
    caller.ends_at().is_some_and(|at| at <= now)
}
