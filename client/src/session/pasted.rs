//! Tokens in addresses, and in what somebody pastes to log in.

use crate::bindings::origin::PageOrigin;

/// Splits a fragment of fields separated by `&` into the token, given as `token=…`, and the other
/// fields.
pub(super) fn split_fragment(fragment: &str) -> (Option<String>, String) {
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

/// A text that was pasted to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pasted {
    /// A token, or an address of this relay that carries one.
    Token(String),
    /// An address that is another relay's, by its origin. Its token is nothing that this relay may see.
    Elsewhere(String),
    /// Neither a token nor an address that carries one.
    Nothing,
}

/// Returns what was pasted into a page of this origin.
#[must_use]
pub fn pasted(text: &str, origin: &str) -> Pasted {
    let text = text.trim();
    let Some((address, fragment)) = text.split_once('#') else {
        return if is_token(text) { Pasted::Token(text.to_owned()) } else { Pasted::Nothing };
    };
    match (split_fragment(fragment).0, elsewhere(address, origin)) {
        (_, Some(other)) => Pasted::Elsewhere(other),
        (Some(token), None) => Pasted::Token(token),
        (None, None) => Pasted::Nothing,
    }
}

/// Returns the origin of an address, if it is another than `origin`. Names of this machine are the same.
#[must_use]
pub fn elsewhere(address: &str, origin: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let theirs = format!("{scheme}://{host}").to_ascii_lowercase();
    let plain = |origin: &str| {
        let default = if origin.starts_with("https:") { ":443" } else { ":80" };
        let origin = origin.strip_suffix(default).unwrap_or(origin);
        match PageOrigin::read(origin) {
            Some(it) if it.is_loopback() => {
                origin.replacen(it.name, "localhost", 1).replace(['[', ']'], "")
            }
            _ => origin.to_owned(),
        }
    };
    (plain(&theirs) != plain(origin)).then_some(theirs)
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
    fn a_pasted_address_may_carry_the_token() {
        let here = "http://127.0.0.1:3010";
        let token = |text: &str| Pasted::Token(text.to_owned());
        for address in [
            "http://127.0.0.1:3010/#token=abc",
            " http://localhost:3010/sessions#token=abc\n",
            "HTTP://[::1]:3010#token=abc",
            "/sessions#token=abc",
            "#token=abc",
            " abc ",
        ] {
            assert_eq!(pasted(address, here), token("abc"), "{address}");
        }
        for nothing in ["not a token", "http://127.0.0.1:3010/", "http://127.0.0.1:3010/#x", ""] {
            assert_eq!(pasted(nothing, here), Pasted::Nothing, "{nothing}");
        }
    }

    #[test]
    fn an_address_of_another_relay_is_none_of_this_ones() {
        for (address, here, theirs) in [
            ("https://moor.example/#token=abc", "http://127.0.0.1:3010", "https://moor.example"),
            ("http://127.0.0.1:3011/#token=abc", "http://127.0.0.1:3010", "http://127.0.0.1:3011"),
            ("http://moor.example/#token=abc", "https://moor.example", "http://moor.example"),
            (
                "https://moor.example@evil.example/#token=abc",
                "https://moor.example",
                "https://evil.example",
            ),
        ] {
            assert_eq!(pasted(address, here), Pasted::Elsewhere(theirs.to_owned()), "{address}");
        }
        assert_eq!(
            pasted("https://moor.example:443/#token=abc", "https://moor.example"),
            Pasted::Token("abc".to_owned())
        );
    }
}
