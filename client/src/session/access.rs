//! The page's access: the browser's cookie, or a token where the browser has none.

use leptos::prelude::*;

use crate::bindings::clock;
use crate::bindings::history::{self, UnloadWatch};
use crate::bindings::page::{self, FragmentWatch};
use crate::bindings::storage::{self, Area, StorageWatch};
use crate::session::no_access::{AccessFacts, NoAccess};
use crate::session::pasted::split_fragment;

/// The key of a token in the browser's storage.
const TOKEN: &str = "moorline.token";
/// The key under which the browser's storage has the time at which the cookie was renewed last, in
/// milliseconds since 1970. It is there while the browser is logged in by a cookie.
const COOKIE: &str = "moorline.cookie";
/// The key under which the browser's storage says how its last access has ended, until it has another.
const LEFT: &str = "moorline.left";

/// The time between two checks that have nothing to do with each other, in milliseconds.
const CHECKS_APART_MS: f64 = 5_000.0;
/// The number of checks in a row that build the page anew.
const CHECKS: u8 = 3;

/// The page's access, and whether the relay asks for another one.
#[derive(Debug, Clone, Copy)]
pub struct PageAccess {
    /// The token; `None` if requests carry the browser's cookie.
    token: RwSignal<Option<String>>,
    /// True if there is no access.
    refused: RwSignal<bool>,
    /// The reason, if there is no access.
    reason: RwSignal<NoAccess>,
    /// True while the user is leaving, until the relay has answered.
    leaving: StoredValue<bool>,
    /// True while a code or a token is being exchanged or checked.
    opening: RwSignal<bool>,
    /// True while the token is the address's and the relay has not accepted it yet.
    unproven: StoredValue<bool>,
    /// The fault of the code or token that the page was opened with, unless the relay has accepted
    /// another one since.
    wrong: StoredValue<Option<NoAccess>>,
    /// True if this page has had access, or the browser had when the page was loaded.
    had: StoredValue<bool>,
    /// When the last check of a refusal began, and the number of checks that followed each other.
    checks: StoredValue<(f64, u8)>,
    /// True for a page in a frame, which has no log-in of its own.
    framed: bool,
}

/// The access that a log-in has given to the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewAccess {
    /// The browser's cookie, which was set or renewed just now.
    Cookie,
    /// A token, because the browser gets or keeps no cookie.
    Token(String),
}

impl PageAccess {
    /// Takes the token from the page's address, or the one that the browser has stored, and provides
    /// the access to all components below.
    #[must_use]
    pub fn provide(framed: bool) -> Self {
        let given = given_token();
        let stored = storage::get(Area::Browser, TOKEN).or_else(|| take_kept(framed));
        let had = stored.is_some() || renewed_at().is_some();
        let access = Self {
            unproven: StoredValue::new(given.is_some()),
            token: RwSignal::new(given.or(stored)),
            refused: RwSignal::new(false),
            reason: RwSignal::new(NoAccess::NeverHad),
            leaving: StoredValue::new(false),
            opening: RwSignal::new(false),
            wrong: StoredValue::new(None),
            had: StoredValue::new(had),
            checks: StoredValue::new((0.0, 0)),
            framed,
        };
        provide_context(access);
        access
    }

    /// Returns the access that was provided.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// Calls `take` with each token that somebody puts into the page's address. Opening such an
    /// address in a tab that shows Moorline already does not load the page.
    pub fn watch_address(self, take: impl Fn(Self, String) + 'static) {
        let watch = page::watch_fragment(move || {
            if let Some(token) = given_token() {
                self.unproven.set_value(true);
                take(self, token);
            }
        });
        let _: StoredValue<FragmentWatch, LocalStorage> = StoredValue::new_local(watch);
    }

    /// Follows the log-ins and log-outs of the browser's other tabs. A browser that stores nothing keeps
    /// the token with this tab, while the tab loads another page.
    pub fn follow_browser(self) {
        let watch = storage::watch(move || self.look_again());
        let _: StoredValue<StorageWatch, LocalStorage> = StoredValue::new_local(watch);
        if !storage::is_allowed(Area::Browser) {
            let watch = history::watch_unload(move || self.token().map(|token| kept(&token)));
            let _: StoredValue<UnloadWatch, LocalStorage> = StoredValue::new_local(watch);
        }
    }

    /// Returns the token; `None` if requests carry the browser's cookie.
    #[must_use]
    pub fn token(self) -> Option<String> {
        self.token.get_untracked()
    }

    /// Returns the token that the browser has stored for its pages.
    #[must_use]
    pub fn stored_token(self) -> Option<String> {
        storage::get(Area::Browser, TOKEN)
    }

    /// Returns true if the page has the token of an address, which the relay has not accepted yet.
    #[must_use]
    pub fn is_unproven(self) -> bool {
        self.unproven.get_value()
    }

    /// Returns true for a page in a frame, which has no log-in of its own.
    #[must_use]
    pub const fn is_framed(self) -> bool {
        self.framed
    }

    /// Returns true if the page has no access; tracked.
    #[must_use]
    pub fn is_refused(self) -> bool {
        self.refused.get()
    }

    /// Returns true if the page has no access, or waits for the answer to a log-out.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.refused.get_untracked() || self.leaving.get_value()
    }

    /// Returns the reason why the page has no access, if it has none; tracked.
    #[must_use]
    pub fn end_reason(self) -> NoAccess {
        self.reason.get()
    }

    /// Returns true while the page waits for an answer about its code or token; tracked.
    #[must_use]
    pub fn is_opening(self) -> bool {
        self.opening.get()
    }

    /// Returns true while the page waits for an answer about its code or token.
    #[must_use]
    pub fn is_opening_untracked(self) -> bool {
        self.opening.get_untracked()
    }

    /// Counts a check of a refusal. Returns true if it is one too many in a row.
    pub fn count_check(self, now_ms: f64) -> bool {
        let (last_ms, count) = self.checks.get_value();
        let count = if now_ms - last_ms < CHECKS_APART_MS { count.saturating_add(1) } else { 1 };
        self.checks.set_value((now_ms, count));
        count > CHECKS
    }

    /// Sets whether the page waits for an answer about its code or token.
    pub fn set_opening(self, opening: bool) {
        self.opening.set(opening);
    }

    /// Notes that the relay accepts the page's token or cookie.
    pub fn note_accepted(self) {
        self.had.set_value(true);
        self.unproven.set_value(false);
        self.wrong.set_value(None);
    }

    /// Notes that the relay does not accept the code in the address, or accepts it after all. The page
    /// stays as it would be without one.
    pub fn set_code_refused(self, refused: bool) {
        let wrong = refused.then_some(NoAccess::CodeRefused);
        self.wrong.set_value(wrong);
        if let Some(wrong) = wrong {
            self.reason.set(wrong);
        }
    }

    /// Notes that the relay does not accept the token in the address. The page stays as it would be
    /// without one.
    pub fn refuse_given(self) {
        self.unproven.set_value(false);
        self.wrong.set_value(Some(NoAccess::TokenRefused));
        self.token.set(storage::get(Area::Browser, TOKEN));
        self.reason.set(NoAccess::TokenRefused);
    }

    /// Notes that the relay accepts neither the cookie nor the token.
    pub fn refuse(self) {
        if self.is_over() {
            return;
        }
        if self.unproven.get_value() {
            self.wrong.set_value(Some(NoAccess::TokenRefused));
        }
        let (refused, had) = (self.wrong.get_value(), self.had.get_value());
        let reason = AccessFacts { refused, left: left(), had }.reason();
        storage::remove(Area::Browser, COOKIE);
        // Another tab may have been given another token since.
        if reason == NoAccess::Ended && storage::get(Area::Browser, TOKEN) == self.token() {
            store_left(reason);
        }
        self.end(reason);
    }

    /// Sets whether the user is leaving. The relay ends the page's connections before it answers, and
    /// that is then no surprise.
    pub fn set_leaving(self, leaving: bool) {
        self.leaving.set_value(leaving);
    }

    /// Ends the page's access, and has it ask for another one.
    pub fn end(self, reason: NoAccess) {
        self.leaving.set_value(false);
        self.reason.set(reason);
        self.refused.set(true);
    }

    /// Uses `token` from now on, without storing it.
    pub fn accept(self, token: String) {
        self.token.set(Some(token));
        self.refused.set(false);
    }

    /// Uses what a log-in has given, and stores that for the browser's other pages.
    pub fn begin(self, new: NewAccess) {
        self.note_accepted();
        storage::remove(Area::Browser, LEFT);
        match new {
            NewAccess::Cookie => {
                note_renewal();
                storage::remove(Area::Browser, TOKEN);
                self.token.set(None);
                self.refused.set(false);
            }
            NewAccess::Token(token) => self.keep_token(token),
        }
    }

    /// Stores `token` and uses it from now on.
    pub fn keep_token(self, token: String) {
        storage::remove(Area::Browser, COOKIE);
        storage::set(Area::Browser, TOKEN, &token);
        self.accept(token);
    }

    /// Ends the access if another tab of this browser has logged out. Continues if the page has no access
    /// but another tab has been given some.
    pub fn look_again(self) {
        let leave = left().filter(|left| left.is_leave());
        if !self.refused.get_untracked() {
            if let Some(reason) = leave {
                self.forget(reason);
            }
            return;
        }
        let token = storage::get(Area::Browser, TOKEN);
        if token.is_some() && token != self.token() || renewed_at().is_some() {
            self.token.set(token);
            self.refused.set(false);
        } else if let Some(reason) = leave {
            self.reason.set(reason);
        }
    }

    /// Removes what this browser has of its access, and tells its other tabs. The page then asks for
    /// another one.
    pub fn forget(self, reason: NoAccess) {
        storage::remove(Area::Browser, TOKEN);
        storage::remove(Area::Browser, COOKIE);
        store_left(reason);
        self.wrong.set_value(None);
        self.token.set(None);
        self.end(reason);
    }
}

/// Returns when the cookie was renewed last, in milliseconds since 1970; `None` if the browser is not
/// logged in by a cookie.
#[must_use]
pub fn renewed_at() -> Option<u64> {
    storage::get(Area::Browser, COOKIE)?.parse().ok()
}

/// Notes that the cookie was set or renewed just now.
pub fn note_renewal() {
    // A whole number: the code for fractions would add to the download.
    storage::set(Area::Browser, COOKIE, &(clock::wall_ms() as u64).to_string());
}

/// Returns how the browser's last access has ended, if it has no other.
fn left() -> Option<NoAccess> {
    NoAccess::read(&storage::get(Area::Browser, LEFT)?)
}

fn store_left(reason: NoAccess) {
    if let Some(text) = reason.text() {
        storage::set(Area::Browser, LEFT, text);
    }
}

/// Returns the state of a history entry that keeps a token.
fn kept(token: &str) -> String {
    format!("{TOKEN}={token}")
}

/// Takes the token that this tab has kept while it loaded the page.
fn take_kept(framed: bool) -> Option<String> {
    if framed {
        return None;
    }
    let state = history::state()?;
    let token = state.strip_prefix(TOKEN)?.strip_prefix('=')?.to_owned();
    history::clear_state();
    Some(token)
}

/// Removes the token from the page's address, and returns it.
fn given_token() -> Option<String> {
    let (given, rest) = split_fragment(&page::fragment());
    let given = given?;
    page::replace_fragment(&rest);
    Some(given)
}
