//! The page's access: the browser's cookie, or a token where the browser has none.

use leptos::prelude::*;

use crate::bindings::clock;
use crate::bindings::page::{self, FragmentWatch};
use crate::bindings::storage::{self, Area};

/// The key of a token in the browser's storage.
const TOKEN: &str = "moorline.token";
/// The key under which the browser's storage has the time at which the cookie was renewed last, in
/// milliseconds since 1970. It is there while the browser is logged in by a cookie.
const COOKIE: &str = "moorline.cookie";

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
    /// The user has logged out of this browser.
    LoggedOut,
    /// The user has logged out everywhere.
    LoggedOutEverywhere,
}

/// The page's access, and whether the relay asks for another one.
#[derive(Debug, Clone, Copy)]
pub struct PageAccess {
    /// The token; `None` if requests carry the browser's cookie.
    token: RwSignal<Option<String>>,
    /// True if there is no access.
    refused: RwSignal<bool>,
    /// The reason, if there is no access.
    reason: StoredValue<NoAccess>,
    /// The way in which the user is leaving, until the relay has answered.
    leaving: StoredValue<Option<NoAccess>>,
    /// True while a code or a token is being exchanged.
    opening: RwSignal<bool>,
    /// True if the relay refused the last code.
    code_refused: RwSignal<bool>,
}

impl PageAccess {
    /// Takes the token from the page's address, or the one that the browser has stored, and provides
    /// the access to all components below.
    #[must_use]
    pub fn provide() -> Self {
        let token = given_token().or_else(|| storage::get(Area::Browser, TOKEN));
        let access = Self {
            token: RwSignal::new(token),
            refused: RwSignal::new(false),
            reason: StoredValue::new(NoAccess::NeverHad),
            leaving: StoredValue::new(None),
            opening: RwSignal::new(false),
            code_refused: RwSignal::new(false),
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
                take(self, token);
            }
        });
        let _: StoredValue<FragmentWatch, LocalStorage> = StoredValue::new_local(watch);
    }

    /// Returns the token; `None` if requests carry the browser's cookie.
    #[must_use]
    pub fn token(self) -> Option<String> {
        self.token.get_untracked()
    }

    /// Returns true if the page has no access; tracked.
    #[must_use]
    pub fn is_refused(self) -> bool {
        self.refused.get()
    }

    /// Returns the reason why the page has no access, if it has none.
    #[must_use]
    pub fn end_reason(self) -> NoAccess {
        self.reason.get_value()
    }

    /// Returns true while the page waits for an answer about its code or token; tracked.
    #[must_use]
    pub fn is_opening(self) -> bool {
        self.opening.get()
    }

    /// Sets whether the page waits for an answer about its code or token.
    pub fn set_opening(self, opening: bool) {
        self.opening.set(opening);
    }

    /// Sets whether the relay refused the last code.
    pub fn set_code_refused(self, refused: bool) {
        self.code_refused.set(refused);
        if refused {
            self.reason.set_value(NoAccess::CodeRefused);
        }
    }

    /// Notes that the relay accepts neither the cookie nor the token.
    pub fn refuse(self) {
        if self.refused.get_untracked() {
            return;
        }
        let had_access = self.token.with_untracked(Option::is_some) || renewed_at().is_some();
        let reason = self.leaving.get_value().unwrap_or(
            match (self.code_refused.get_untracked(), had_access) {
                (true, _) => NoAccess::CodeRefused,
                (false, true) => NoAccess::Ended,
                (false, false) => NoAccess::NeverHad,
            },
        );
        storage::remove(Area::Browser, COOKIE);
        self.end(reason);
    }

    /// Notes that the user is leaving, and how; `None` if that has failed. The relay ends the page's connections before it
    /// answers, and that is then no surprise.
    pub fn set_leaving(self, reason: Option<NoAccess>) {
        self.leaving.set_value(reason);
    }

    fn end(self, reason: NoAccess) {
        self.leaving.set_value(None);
        self.reason.set_value(reason);
        self.refused.set(true);
    }

    /// Uses `token` from now on, without storing it.
    pub fn accept(self, token: String) {
        self.token.set(Some(token));
        self.refused.set(false);
    }

    /// Stores `token` and uses it from now on, because the browser gets or keeps no cookie.
    pub fn keep_token(self, token: String) {
        storage::remove(Area::Browser, COOKIE);
        storage::set(Area::Browser, TOKEN, &token);
        self.accept(token);
    }

    /// Uses the browser's cookie from now on, which was set or renewed just now. The page has no
    /// token any more.
    pub fn use_cookie(self) {
        // A whole number: the code for fractions would add to the download.
        storage::set(Area::Browser, COOKIE, &(clock::wall_ms() as u64).to_string());
        storage::remove(Area::Browser, TOKEN);
        self.token.set(None);
        self.refused.set(false);
    }

    /// Continues if the page has no access but another tab of this browser has been given some.
    pub fn look_again(self) {
        if !self.refused.get_untracked() {
            return;
        }
        let token = storage::get(Area::Browser, TOKEN);
        if token.is_some() && token != self.token() || renewed_at().is_some() {
            self.token.set(token);
            self.refused.set(false);
        }
    }

    /// Removes what this browser has stored of its access. The page then asks for another one.
    pub fn forget(self, reason: NoAccess) {
        storage::remove(Area::Browser, TOKEN);
        storage::remove(Area::Browser, COOKIE);
        self.code_refused.set(false);
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

/// Removes the token from the page's address, and returns it.
fn given_token() -> Option<String> {
    let (given, rest) = split_fragment(&page::fragment());
    let given = given?;
    page::replace_fragment(&rest);
    Some(given)
}

/// Splits a fragment of fields separated by `&` into the token, given as `token=…`, and the other
/// fields.
fn split_fragment(fragment: &str) -> (Option<String>, String) {
    let mut token = None;
    let mut rest = Vec::new();
    for field in fragment.split('&').filter(|field| !field.is_empty()) {
        match field.strip_prefix("token=") {
            Some(value) if is_token(value) => token = Some(value.to_owned()),
            _ => rest.push(field),
        }
    }
    (token, rest.join("&"))
}

/// Returns true if `text` can be a token. A token can also be the name of a WebSocket subprotocol.
#[must_use]
pub fn is_token(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte);
    !text.is_empty() && text.len() <= 512 && text.bytes().all(plain)
}

/// Returns the token in pasted text: the token itself, or an address that carries it.
#[must_use]
pub fn token_in(pasted: &str) -> Option<String> {
    let pasted = pasted.trim();
    let fragment = pasted.split_once('#').map_or("", |(_, fragment)| fragment);
    split_fragment(fragment).0.or_else(|| is_token(pasted).then(|| pasted.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_token_leaves_the_fragment() {
        assert_eq!(split_fragment("token=abc"), (Some("abc".into()), String::new()));
        assert_eq!(split_fragment("a=1&token=x-Y_&b"), (Some("x-Y_".into()), "a=1&b".into()));
        assert_eq!(split_fragment(""), (None, String::new()));
        assert_eq!(split_fragment("token="), (None, "token=".into()));
    }

    #[test]
    fn a_pasted_address_will_do() {
        assert_eq!(token_in(" http://127.0.0.1:3010/#token=abc.def\n"), Some("abc.def".into()));
        assert_eq!(token_in("abc"), Some("abc".into()));
        assert_eq!(token_in("not a token"), None);
        assert_eq!(token_in("http://127.0.0.1:3010/"), None);
    }
}
