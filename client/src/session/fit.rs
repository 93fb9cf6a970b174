//! Whose size a session's terminal has.
//!
//! A session has one size. The last client that typed or resized decides it; the others show the
//! screen at that size until they type or resize themselves.

use moorline_shared::session::Size;

/// The size that fits the page, and the one that the session has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fit {
    fitting: Option<Size>,
    actual: Option<Size>,
    claimed: bool,
}

impl Fit {
    /// The page's terminal has place for `size`. Returns the size to ask the session for.
    pub(super) fn fits(&mut self, size: Size) -> Option<Size> {
        if self.fitting == Some(size) {
            return None;
        }
        self.fitting = Some(size);
        self.claim()
    }

    /// The session has `size`, as the relay says.
    pub(super) fn session_has(&mut self, size: Size) {
        // Until the page has asked for its own size, what the session had before does not count.
        if self.claimed {
            self.actual = Some(size);
        }
    }

    /// The user types, or asks for the page's own size. Returns the size to ask the session for,
    /// where it has another one.
    pub(super) fn claim_if_foreign(&mut self) -> Option<Size> {
        self.foreign()?;
        self.claim()
    }

    fn claim(&mut self) -> Option<Size> {
        self.claimed = true;
        self.actual = self.fitting;
        self.fitting
    }

    /// The size that the page's terminal must have.
    pub(super) fn shown(&self) -> Option<Size> {
        self.actual.or(self.fitting)
    }

    /// The session's size, where it is another one than fits the page.
    pub(super) fn foreign(&self) -> Option<Size> {
        self.actual.filter(|_| self.actual != self.fitting)
    }

    /// The size that fits the page.
    pub(super) const fn fitting(&self) -> Option<Size> {
        self.fitting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Size = Size { cols: 40, rows: 20 };
    const LARGE: Size = Size { cols: 120, rows: 40 };

    #[test]
    fn the_page_asks_for_what_fits_once() {
        let mut fit = Fit::default();
        fit.session_has(LARGE);
        assert_eq!(fit.fits(SMALL), Some(SMALL));
        assert_eq!(fit.fits(SMALL), None);
        assert_eq!((fit.shown(), fit.foreign()), (Some(SMALL), None));
    }

    #[test]
    fn another_clients_size_is_shown_until_this_one_types() {
        let mut fit = Fit::default();
        fit.fits(SMALL);
        fit.session_has(LARGE);
        assert_eq!((fit.shown(), fit.foreign()), (Some(LARGE), Some(LARGE)));
        assert_eq!(fit.claim_if_foreign(), Some(SMALL));
        assert_eq!((fit.shown(), fit.foreign()), (Some(SMALL), None));
        assert_eq!(fit.claim_if_foreign(), None);
    }
}
