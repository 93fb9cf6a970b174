//! The code in the address that `moorline open` prints: a ticket that one page can exchange for a
//! token of its own within 30 seconds, and that for the browser's cookie. So an address in a browser's
//! history opens nothing.

use leptos::prelude::*;
use moorline_shared::rest::{CreateToken, TokenCreated};

use crate::bindings::keyboard;
use crate::bindings::origin::PageOrigin;
use crate::bindings::page::{self, FragmentWatch};
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest, RequestError};
use crate::session::login;
use crate::session::pasted::{elsewhere, is_token};

/// Validity of the page's own token, in milliseconds.
const TOKEN_LIFETIME_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Exchanges the code in the page's address, now and whenever an address with another code is
/// opened in this page.
pub fn redeem(access: PageAccess) {
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

/// Exchanges `code` for a token of this page. If the relay refuses the code, the page stays as it
/// would be without one.
pub fn exchange(access: PageAccess, code: &str) {
    access.set_opening(true);
    access.set_code_refused(false);
    let wanted = CreateToken {
        scope: "admin".to_owned(),
        label: Some(keyboard::browser_name()),
        expires_in_ms: Some(TOKEN_LIFETIME_MS),
    };
    let request = ApiRequest::post(format!("/api/tokens?ticket={code}"), &wanted);
    api::ask_as(None, request, move |answer| {
        match answer.and_then(|text| api::parse::<TokenCreated>(&text)) {
            Ok(made) => login::enter(access, made.token),
            Err(error) => {
                access.set_code_refused(error == RequestError::Unauthorized);
                access.set_opening(false);
            }
        }
    });
}

/// Splits a fragment of fields separated by `&` into the ticket, given as `code=<ticket>`, and the
/// other fields.
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

/// Returns the code in an address that is pasted into a page of this origin. The address may be the one
/// that the relay has on its own machine, because a code is only good for whoever uses it first.
#[must_use]
pub fn code_in(pasted: &str, origin: &str) -> Option<String> {
    let (address, fragment) = pasted.trim().split_once('#')?;
    let is_here = match elsewhere(address, origin) {
        None => true,
        Some(other) => PageOrigin::read(&other).is_some_and(PageOrigin::is_loopback),
    };
    split_fragment(fragment).0.filter(|_| is_here)
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

    #[test]
    fn a_pasted_address_may_have_a_code() {
        let code_in = |pasted| code_in(pasted, "https://moor.example");
        for address in ["http://127.0.0.1:3010/#code=abc.d\n", "https://moor.example/#code=abc.d"] {
            assert_eq!(code_in(address), Some("abc.d".into()));
        }
        for none in
            ["http://127.0.0.1:3010/#token=abc.d", "abc.d", "https://other.example/#code=abc.d"]
        {
            assert_eq!(code_in(none), None, "{none}");
        }
    }
}
