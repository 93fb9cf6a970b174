//! The page's access token: its sources and its storage.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::bindings::page::{self, FragmentWatch};
use crate::bindings::push;
use crate::bindings::storage::{self, Area};

const KEY: &str = "moorline.token";

/// The page's token, and whether the relay asks for another one.
#[derive(Debug, Clone, Copy)]
pub struct PageAccess {
    token: RwSignal<Option<String>>,
    refused: RwSignal<bool>,
    /// True while a code is being exchanged for a token.
    opening: RwSignal<bool>,
    /// True if the relay refused the last code.
    code_refused: RwSignal<bool>,
}

impl PageAccess {
    /// Takes the token from the page's address, or the one that an earlier page stored, and
    /// provides it to all components below.
    #[must_use]
    pub fn provide() -> Self {
        let token = given_token().or_else(|| storage::get(Area::Browser, KEY));
        let access = Self {
            token: RwSignal::new(token),
            refused: RwSignal::new(false),
            opening: RwSignal::new(false),
            code_refused: RwSignal::new(false),
        };
        // Opening an address with a token in a tab that shows Moorline already does not load the
        // page.
        let watch = page::watch_fragment(move || {
            if let Some(token) = given_token() {
                access.accept(token);
            }
        });
        let _: StoredValue<FragmentWatch, LocalStorage> = StoredValue::new_local(watch);
        provide_context(access);
        access
    }

    /// Returns the access that was provided.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// Returns the token, if any.
    #[must_use]
    pub fn token(self) -> Option<String> {
        self.token.get_untracked()
    }

    /// Returns true if the relay refuses the token, or its absence; tracked.
    #[must_use]
    pub fn is_refused(self) -> bool {
        self.refused.get()
    }

    /// Returns true while the page waits for a token that it has requested; tracked.
    #[must_use]
    pub fn is_opening(self) -> bool {
        self.opening.get()
    }

    /// Sets whether the page waits for a token.
    pub fn set_opening(self, opening: bool) {
        self.opening.set(opening);
    }

    /// Returns true if the relay refused the last code, which was used already or is too old;
    /// tracked.
    #[must_use]
    pub fn is_code_refused(self) -> bool {
        self.code_refused.get()
    }

    /// Sets whether the relay refused the last code.
    pub fn set_code_refused(self, refused: bool) {
        self.code_refused.set(refused);
    }

    /// Notes that the relay refuses the token.
    pub fn refuse(self) {
        if !self.refused.get_untracked() {
            self.refused.set(true);
        }
    }

    /// Stores `token` and uses it from now on.
    pub fn accept(self, token: String) {
        storage::set(Area::Browser, KEY, &token);
        self.token.set(Some(token));
        self.refused.set(false);
    }

    /// Removes the token here and in storage, and ends the notices that come with it. The page then
    /// asks for another one.
    pub fn forget(self) {
        if push::is_on() {
            spawn_local(push::turn_off(self.token()));
        }
        storage::remove(Area::Browser, KEY);
        self.code_refused.set(false);
        self.token.set(None);
        self.refused.set(true);
    }
}

/// Moves the token from the page's address to the storage, and returns it.
fn given_token() -> Option<String> {
    let (given, rest) = split_fragment(&page::fragment());
    let given = given?;
    page::replace_fragment(&rest);
    storage::set(Area::Browser, KEY, &given);
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
