//! Parts of a request's URL. The runtime has already parsed and normalized it, so the full URL
//! parser that `worker` brings is not needed.

/// The host and port, as in the `Host` header; `None` if the URL has no host.
pub fn authority(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())
}

/// The query string without its `?`; empty if there is none.
pub fn query(address: &str) -> &str {
    let address = address.split('#').next().unwrap_or_default();
    address.split_once('?').map_or("", |(_, query)| query)
}

/// Value of the first query parameter that has one of these names, decoded.
pub fn asked(address: &str, names: &[&str]) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query(address).as_bytes());
    pairs.find(|(name, _)| names.contains(&&**name)).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_what_a_host_header_has() {
        for (address, expected) in [
            ("https://box.example/", Some("box.example")),
            ("http://localhost:8787/a/b?c=//d", Some("localhost:8787")),
            ("http://[::1]:8787/", Some("[::1]:8787")),
            ("https://box.example?a=/", Some("box.example")),
            ("file:///etc", None),
            ("/a", None),
        ] {
            assert_eq!(authority(address), expected, "{address}");
        }
    }

    #[test]
    fn what_is_asked_is_what_comes_first() {
        let address = "https://a/b?x=1&last%20id=5.7+%25&x=2&empty#?x=3&y=4";
        for (names, expected) in [
            (&["x"][..], Some("1")),
            (&["last id"], Some("5.7 %")),
            (&["empty", "last id"], Some("5.7 %")),
            (&["empty"], Some("")),
            (&["y"], None),
            (&[""], None),
        ] {
            assert_eq!(asked(address, names).as_deref(), expected, "{names:?}");
        }
        assert_eq!(query("https://a/b"), "");
        assert_eq!(query("https://a/b#c?d"), "");
        assert_eq!(query("https://a/b?c?d"), "c?d");
    }
}
