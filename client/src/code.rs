//! The code in the address that `moorline open` prints: a ticket, which one page can exchange for a token
//! of its own within a minute. What stays in a browser's history opens nothing.

use leptos::prelude::*;
use moorline_shared::rest::{CreateToken, TokenCreated};

use crate::access::{Access, is_token};
use crate::api::{self, Request};
use crate::bindings::page::{self, FragmentWatch};

/// How long the page's own token is valid.
const TOKEN_LIFETIME_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Exchanges the code in the page's address, now and whenever another one is opened in this page.
pub fn redeem(access: Access) {
    let take = move || {
        let (code, rest) = split_fragment(&page::fragment());
        if let Some(code) = code {
            page::replace_fragment(&rest);
            exchange(access, &code);
        }
    };
    take();
    let _: StoredValue<FragmentWatch, LocalStorage> =
        StoredValue::new_local(page::watch_fragment(take));
}

fn exchange(access: Access, code: &str) {
    access.set_opening(true);
    let wanted = CreateToken {
        scope: "admin".to_owned(),
        label: Some("a browser, by `moorline open`".to_owned()),
        expires_in_ms: Some(TOKEN_LIFETIME_MS),
    };
    let request = Request::post(format!("/api/tokens?ticket={code}"), &wanted);
    api::ask_as(None, request, move |answer| {
        if let Ok(made) = answer.and_then(|text| api::parse::<TokenCreated>(&text)) {
            access.accept(made.token);
        }
        // A code that was used or has expired leaves the page as it would be without.
        access.set_opening(false);
    });
}

/// The code in a fragment, as `code=<ticket>` among fields that `&` separates, and the others.
fn split_fragment(fragment: &str) -> (Option<String>, String) {
    let mut code = None;
    let mut rest = Vec::new();
    for field in fragment.split('&').filter(|field| !field.is_empty()) {
        match field.strip_prefix("code=").filter(|ticket| is_token(ticket)) {
            Some(ticket) => code = Some(ticket.to_owned()),
            None => rest.push(field),
        }
    }
    (code, rest.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_code_leaves_the_fragment() {
        let code = Some("a-b_0".to_owned());
        assert_eq!(split_fragment("a=1&code=a-b_0&b"), (code, "a=1&b".into()));
        for none in ["code=", "code=a b", "token=a.b"] {
            assert_eq!(split_fragment(none), (None, none.to_owned()));
        }
    }
}
