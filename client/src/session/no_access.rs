//! The reason why the page has no access: decided in one place, from what is known.

/// The reason why the page has no access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAccess {
    /// The browser has had none.
    NeverHad,
    /// The code in the address was used already or is too old.
    CodeRefused,
    /// The relay does not accept the token in the address.
    TokenRefused,
    /// The relay does not accept the cookie or token any more.
    Ended,
    /// The relay accepts the cookie or token, but not for this page.
    NotAllowed,
    /// The user has logged out of this browser.
    LoggedOut {
        /// True if the token was the browser's own, and is revoked.
        revoked: bool,
    },
    /// The user has logged out everywhere.
    LoggedOutEverywhere {
        /// True if the token was the browser's own, and is revoked.
        revoked: bool,
    },
}

/// The facts from which the reason is decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessFacts {
    /// The fault of the code or token that the page was opened with, unless the relay has accepted
    /// another one since.
    pub refused: Option<NoAccess>,
    /// How the browser's last access has ended, as one of its pages has stored it. Removed by a log-in.
    pub left: Option<NoAccess>,
    /// True if this page has had access, or the browser had when the page was loaded.
    pub had: bool,
}

impl AccessFacts {
    /// Returns the reason, now that the relay accepts neither the page's token nor its cookie.
    #[must_use]
    pub const fn reason(self) -> NoAccess {
        match self {
            Self { refused: Some(reason), .. } | Self { left: Some(reason), .. } => reason,
            Self { had: true, .. } => NoAccess::Ended,
            Self { had: false, .. } => NoAccess::NeverHad,
        }
    }
}

impl NoAccess {
    /// The reasons that are stored, for the browser's other pages and for later.
    const STORED: [(Self, &'static str); 5] = [
        (Self::Ended, "ended"),
        (Self::LoggedOut { revoked: false }, "logged-out"),
        (Self::LoggedOut { revoked: true }, "logged-out-revoked"),
        (Self::LoggedOutEverywhere { revoked: false }, "everywhere"),
        (Self::LoggedOutEverywhere { revoked: true }, "everywhere-revoked"),
    ];

    /// Returns the reason that is stored as `text`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::STORED.iter().find(|(_, stored)| *stored == text).map(|(reason, _)| *reason)
    }

    /// Returns the text to store; `None` for a reason that concerns only this page.
    #[must_use]
    pub fn text(self) -> Option<&'static str> {
        Self::STORED.iter().find(|(reason, _)| *reason == self).map(|(_, stored)| *stored)
    }

    /// Returns true if the user has logged out, which ends the access of all pages of the browser.
    #[must_use]
    pub const fn is_leave(self) -> bool {
        matches!(self, Self::LoggedOut { .. } | Self::LoggedOutEverywhere { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_reason_is_the_most_certain_one() {
        let nothing = AccessFacts::default();
        assert_eq!(nothing.reason(), NoAccess::NeverHad);
        let had = AccessFacts { had: true, ..nothing };
        assert_eq!(had.reason(), NoAccess::Ended);
        let everywhere = NoAccess::LoggedOutEverywhere { revoked: true };
        let left = AccessFacts { left: Some(everywhere), ..had };
        assert_eq!(left.reason(), everywhere);
        let opened = AccessFacts { refused: Some(NoAccess::TokenRefused), ..left };
        assert_eq!(opened.reason(), NoAccess::TokenRefused);
        let opened = AccessFacts { refused: Some(NoAccess::CodeRefused), ..nothing };
        assert_eq!(opened.reason(), NoAccess::CodeRefused);
    }

    #[test]
    fn a_stored_reason_reads_as_it_is_written() {
        for (reason, text) in NoAccess::STORED {
            assert_eq!((NoAccess::read(text), reason.text()), (Some(reason), Some(text)));
        }
        assert_eq!((NoAccess::read(""), NoAccess::NeverHad.text()), (None, None));
    }
}
