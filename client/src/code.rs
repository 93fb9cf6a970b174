//! The code in the address that `moorline open` prints: good for a minute, and for one page, which
//! exchanges it for a token of its own. What stays in a browser's history opens nothing.

use leptos::prelude::*;
use moorline_shared::rest::{CreateToken, TokenCreated};

use crate::access::{Access, is_token};
use crate::api::{self, Request};
use crate::bindings::page::{self, FragmentWatch};

/// How long the page's own token is valid.
const TOKEN_LIFETIME_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// A code, which is a token that expires soon.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Code {
    secret: String,
    /// Names it for revoking.
    id: String,
}

/// Exchanges the code in the page's address, now and whenever another one is opened in this page.
pub fn redeem(access: Access) {
    let take = move || {
        let (code, rest) = split_fragment(&page::fragment());
        if let Some(code) = code {
            page::replace_fragment(&rest);
            exchange(access, code);
        }
    };
    take();
    let _: StoredValue<FragmentWatch, LocalStorage> =
        StoredValue::new_local(page::watch_fragment(take));
}

fn exchange(access: Access, code: Code) {
    access.set_opening(true);
    let wanted = CreateToken {
        scope: "admin".to_owned(),
        label: Some("a browser, by `moorline open`".to_owned()),
        expires_in_ms: Some(TOKEN_LIFETIME_MS),
    };
    let request = Request::post("/api/tokens".to_owned(), &wanted);
    api::ask_as(Some(code.secret), request, move |answer| {
        if let Ok(made) = answer.and_then(|text| api::parse::<TokenCreated>(&text)) {
            let used = Request::delete(format!("/api/tokens/{}", code.id));
            api::ask_as(Some(made.token.clone()), used, drop);
            access.accept(made.token);
        }
        // A code that was used or has expired leaves the page as it would be without.
        access.set_opening(false);
    });
}

/// The code in a fragment, as `code=<secret>.<id>` among fields that `&` separates, and the others.
fn split_fragment(fragment: &str) -> (Option<Code>, String) {
    let mut code = None;
    let mut rest = Vec::new();
    for field in fragment.split('&').filter(|field| !field.is_empty()) {
        let parts = field.strip_prefix("code=").and_then(|value| value.rsplit_once('.'));
        match parts {
            Some((secret, id)) if is_token(secret) && is_token(id) => {
                code = Some(Code { secret: secret.to_owned(), id: id.to_owned() });
            }
            _ => rest.push(field),
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
        let code = Code { secret: "moor_a-b".into(), id: "0f".into() };
        assert_eq!(split_fragment("a=1&code=moor_a-b.0f&b"), (Some(code), "a=1&b".into()));
        for none in ["code=", "code=x", "code=.", "code=a.", "token=a.b"] {
            assert_eq!(split_fragment(none), (None, none.to_owned()));
        }
    }
}
