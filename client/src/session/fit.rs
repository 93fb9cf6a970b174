//! Decides which size a session's terminal has.
//!
//! A session has one size. The last client that typed or resized decides it; the others show the
//! screen at that size until they type or resize themselves.

use std::time::Duration;

use moorline_shared::session::Size;
use moorline_shared::time::Time;

/// Time that the relay's confirmation may take after the page has requested a size. Until then the
/// page shows the size that it requested: older sizes on their way back would make it jump.
const ECHO: Duration = Duration::from_secs(1);

/// The size that fits the page, and the size that the session has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fit {
    fitting: Option<Size>,
    heard: Option<Size>,
    claim: SizeClaim,
    only_watches: bool,
}

#[derive(Debug, Clone, Copy, Default)]
enum SizeClaim {
    #[default]
    None,
    Unsent,
    Sent(Time),
}

impl Fit {
    /// Notes that `size` fits the page. Returns the size to request from the session.
    pub(super) fn fits(&mut self, size: Size) -> Option<Size> {
        if self.fitting == Some(size) {
            return None;
        }
        self.fitting = Some(size);
        self.claim()
    }

    /// Notes the session's size, as the relay reports it.
    pub(super) fn session_has(&mut self, size: Size, only_watches: bool) {
        self.heard = Some(size);
        self.only_watches = only_watches;
        if only_watches || (self.fitting == self.heard && matches!(self.claim, SizeClaim::Sent(_)))
        {
            self.claim = SizeClaim::None;
        }
    }

    /// Claims the page's own size, because the user types or asks for it. Returns the size to
    /// request if the session has a different one.
    pub(super) fn claim_if_foreign(&mut self, now: Time) -> Option<Size> {
        self.foreign(now)?;
        self.claim()
    }

    /// Notes that the request has been sent.
    pub(super) const fn sent(&mut self, now: Time) {
        if matches!(self.claim, SizeClaim::Unsent) {
            self.claim = SizeClaim::Sent(now);
        }
    }

    /// Returns the size that the page's terminal must have.
    pub(super) fn shown(&self, now: Time) -> Option<Size> {
        self.foreign(now).or(self.fitting)
    }

    /// Returns the session's size if it differs from the one that fits the page.
    pub(super) fn foreign(&self, now: Time) -> Option<Size> {
        let awaits_echo = match self.claim {
            SizeClaim::None => false,
            SizeClaim::Unsent => true,
            SizeClaim::Sent(at) => now < at + ECHO,
        };
        self.heard.filter(|_| !awaits_echo && self.heard != self.fitting)
    }

    /// Returns when [`Fit::foreign`] may change by itself.
    pub(super) fn timeout(&self) -> Option<Time> {
        match self.claim {
            SizeClaim::Sent(at) => Some(at + ECHO),
            SizeClaim::None | SizeClaim::Unsent => None,
        }
    }

    /// Returns the size that fits the page.
    pub(super) const fn fitting(&self) -> Option<Size> {
        self.fitting
    }

    fn claim(&mut self) -> Option<Size> {
        if self.only_watches {
            return None;
        }
        self.claim = SizeClaim::Unsent;
        self.fitting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SMALL: Size = Size { cols: 40, rows: 20 };
    const LARGE: Size = Size { cols: 120, rows: 40 };
    const T0: Time = Time::from_ms(0);
    const LATER: Time = Time::from_ms(5_000);

    fn settled() -> Fit {
        let mut fit = Fit::default();
        fit.fits(SMALL);
        fit.sent(T0);
        fit.session_has(SMALL, false);
        fit
    }

    #[test]
    fn the_page_asks_for_what_fits_once() {
        let mut fit = Fit::default();
        assert_eq!(fit.fits(SMALL), Some(SMALL));
        assert_eq!(fit.fits(SMALL), None);
        fit.session_has(LARGE, false);
        assert_eq!((fit.shown(LATER), fit.foreign(LATER)), (Some(SMALL), None));
    }

    #[test]
    fn another_clients_size_is_shown_until_this_one_types() {
        let mut fit = settled();
        fit.session_has(LARGE, false);
        assert_eq!((fit.shown(T0), fit.foreign(T0)), (Some(LARGE), Some(LARGE)));
        assert_eq!(fit.claim_if_foreign(T0), Some(SMALL));
        assert_eq!((fit.shown(T0), fit.foreign(T0)), (Some(SMALL), None));
        assert_eq!(fit.claim_if_foreign(T0), None);
    }

    #[test]
    fn sizes_from_before_a_claim_do_not_count_until_its_echo_is_overdue() {
        let mut fit = settled();
        fit.fits(LARGE);
        fit.sent(T0);
        fit.session_has(SMALL, false);
        assert_eq!(fit.foreign(T0), None);
        assert_eq!(fit.foreign(fit.timeout().unwrap()), Some(SMALL));
    }

    #[test]
    fn who_only_watches_follows_and_never_asks() {
        let mut fit = Fit::default();
        fit.fits(SMALL);
        fit.session_has(LARGE, true);
        assert_eq!(fit.shown(T0), Some(LARGE));
        assert_eq!(fit.claim_if_foreign(T0), None);
        assert_eq!(fit.fits(Size { cols: 10, rows: 10 }), None);
        assert_eq!(fit.shown(T0), Some(LARGE));
    }
}
