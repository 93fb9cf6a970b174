//! The token of this page: where it comes from and where it is kept.

use leptos::prelude::*;

use crate::bindings::page::{self, FragmentWatch};
use crate::bindings::storage::{self, Area};

const KEY: &str = "moorline.token";

/// The token, and whether the relay wants another one.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    token: RwSignal<Option<String>>,
    refused: RwSignal<bool>,
    /// A code is being exchanged for a token.
    opening: RwSignal<bool>,
    /// The relay did not take the last code.
    code_refused: RwSignal<bool>,
}

impl Access {
    /// Takes the token out of the page's address, or what an earlier page kept, and makes it known
    /// to all components below.
    #[must_use]
    pub fn provide() -> Self {
        let token = given_token().or_else(|| storage::get(Area::Browser, KEY));
        let access = Self {
            token: RwSignal::new(token),
            refused: RwSignal::new(false),
            opening: RwSignal::new(false),
            code_refused: RwSignal::new(false),
        };
        // An address with a token that is opened where Moorline is open already does not load.
        let watch = page::watch_fragment(move || {
            if let Some(token) = given_token() {
                access.accept(token);
            }
        });
        let _: StoredValue<FragmentWatch, LocalStorage> = StoredValue::new_local(watch);
        provide_context(access);
        access
    }

    /// The one that was provided.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// The token, where there is one.
    #[must_use]
    pub fn token(self) -> Option<String> {
        self.token.get_untracked()
    }

    /// Whether the relay refuses the token, or its absence.
    #[must_use]
    pub fn is_refused(self) -> bool {
        self.refused.get()
    }

    /// Whether the page waits for a token that it is about to get.
    #[must_use]
    pub fn is_opening(self) -> bool {
        self.opening.get()
    }

    /// The page waits for a token, or does so no longer.
    pub fn set_opening(self, opening: bool) {
        self.opening.set(opening);
    }

    /// The relay refused the last code: it was used already, or is too old.
    #[must_use]
    pub fn is_code_refused(self) -> bool {
        self.code_refused.get()
    }

    /// Says whether the relay took the last code.
    pub fn set_code_refused(self, refused: bool) {
        self.code_refused.set(refused);
    }

    /// The relay refuses the token.
    pub fn refuse(self) {
        if !self.refused.get_untracked() {
            self.refused.set(true);
        }
    }

    /// A token that the relay has accepted.
    pub fn accept(self, token: String) {
        storage::set(Area::Browser, KEY, &token);
        self.token.set(Some(token));
        self.refused.set(false);
    }

    /// Forgets the token, here and in storage.
    pub fn forget(self) {
        storage::remove(Area::Browser, KEY);
        self.code_refused.set(false);
        self.token.set(None);
        self.refused.set(true);
    }
}

/// Takes the token out of the page's address.
fn given_token() -> Option<String> {
    let (given, rest) = split_fragment(&page::fragment());
    let given = given?;
    page::replace_fragment(&rest);
    storage::set(Area::Browser, KEY, &given);
    Some(given)
}

/// The token in a fragment, as `token=…` among fields that `&` separates, and the other fields.
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

/// Whether a text can be a token: one that can also be the name of a WebSocket subprotocol.
#[must_use]
pub fn is_token(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte);
    !text.is_empty() && text.len() <= 512 && text.bytes().all(plain)
}

/// The token in what somebody pasted: the token itself, or an address that carries it.
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
