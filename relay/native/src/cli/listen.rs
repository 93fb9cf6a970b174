//! Parsers for addresses, names and origins on the command line.

use std::net::{SocketAddr, ToSocketAddrs as _};

/// Parses the address to listen on: an IP address or a name, and a port.
///
/// # Errors
/// The text is neither, or the name cannot be resolved. The message says what to write.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let explain = |why: &str| {
        Err(format!(
            "{why}: write an address and a port, such as 127.0.0.1:3010, or 0.0.0.0:3010 for all \
             its addresses"
        ))
    };
    if text.contains("://") {
        return explain("it must not be a URL");
    }
    let Some((name, port)) = text.rsplit_once(':') else { return explain("the port is missing") };
    if port.parse::<u16>().is_err() {
        return explain("the port is not a number from 0 to 65535");
    }
    if name.is_empty() {
        return explain("the address is missing");
    }
    match text.to_socket_addrs().map(Vec::from_iter) {
        // Browsers try both families if a name has both.
        Ok(found) => match found.iter().find(|found| found.is_ipv4()).or(found.first()) {
            Some(address) => Ok(*address),
            None => explain(&format!("{name} has no address")),
        },
        Err(error) => explain(&format!("{name} has no address here ({error})")),
    }
}

/// Parses a name by which the relay is addressed, without scheme, port and path. `*`, for any name,
/// and an empty text, as of an empty variable, are returned as they are.
///
/// # Errors
/// The text is not a name. The message says what to write.
pub(super) fn name(text: &str) -> Result<String, String> {
    let explain = |why: &str| Err(format!("{why}: write only the name, such as moor.example.org"));
    let name = text.trim();
    if name == "*" || name.is_empty() {
        return Ok(name.to_owned());
    }
    if name.contains("://") {
        return explain("it is an origin or a URL, not a name");
    }
    if name.contains('*') {
        return explain("a name cannot contain * (* alone allows any name)");
    }
    if name.contains(':') && !name.starts_with('[') {
        return explain("a name has no port");
    }
    if !name.is_ascii() {
        return explain("browsers send this name in its ASCII form, which begins with xn--");
    }
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    if !name.bytes().all(is_of_name) || name.starts_with('.') {
        return explain("it is not a name");
    }
    Ok(name.strip_suffix('.').unwrap_or(name).to_owned())
}

/// Parses an origin as browsers send it: a scheme, a name and, unless it is the scheme's own, a
/// port.
///
/// # Errors
/// The text is not an origin. The message says what to write.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let explain = |why: &str| Err(format!("{why}: write an origin, such as https://example.org"));
    let text = text.trim();
    let Some((scheme, authority)) = text.split_once("://") else {
        return explain("the scheme is missing");
    };
    let is_of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if scheme.is_empty() || !scheme.bytes().all(is_of_scheme) {
        return explain("the scheme is not valid");
    }
    if authority.contains(['/', '?', '#']) {
        return explain("an origin has no path");
    }
    // Colons within an IPv6 address are in brackets.
    let port = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    let (host, port) = port.map_or((authority, None), |(host, port)| (host, Some(port)));
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return explain("the port is not a number from 0 to 65535");
    }
    if host.is_empty() || host == "*" {
        return explain("the name is missing");
    }
    name(host).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_what_browsers_send() {
        for good in [
            "https://example.org",
            "HTTPS://Example.org:8443",
            "http://[::1]:3000",
            "app://obsidian.md",
            "capacitor://localhost",
        ] {
            assert_eq!(origin(good).as_deref(), Ok(good));
        }
        for (bad, why) in [
            ("example.org", "scheme is missing"),
            ("://example.org", "scheme is not valid"),
            ("https://example.org/", "no path"),
            ("https://example.org/notes", "no path"),
            ("https://example.org:99999", "not a number"),
            ("https://", "name is missing"),
            ("https://*", "name is missing"),
            ("https://*.example.org", "cannot contain *"),
            ("https://ü.de", "xn--"),
            ("https://a b", "not a name"),
        ] {
            let refused = origin(bad).unwrap_err();
            assert!(refused.contains(why), "{bad}: {refused}");
        }
    }

    #[test]
    fn addresses_and_names_with_a_port_are_where_to_listen() {
        for (text, listened) in [
            ("127.0.0.1:3010", "127.0.0.1:3010"),
            ("[::1]:0", "[::1]:0"),
            ("0.0.0.0:1", "0.0.0.0:1"),
        ] {
            assert_eq!(address(text), Ok(listened.parse().unwrap()));
        }
        let local = address("localhost:3010").unwrap();
        assert!(local.ip().is_loopback() && local.port() == 3010, "{local}");
        for (bad, why) in [
            ("3010", "port is missing"),
            ("localhost", "port is missing"),
            (":3010", "address is missing"),
            ("localhost:http", "not a number"),
            ("localhost:65536", "not a number"),
            ("http://localhost:3010", "not be a URL"),
            ("no-such-name.invalid:1", "no address"),
            ("", "port is missing"),
        ] {
            let refused = address(bad).unwrap_err();
            assert!(
                refused.contains(why) && refused.contains("127.0.0.1:3010"),
                "{bad}: {refused}"
            );
        }
    }

    #[test]
    fn names_are_names_alone() {
        for good in ["moor.example.org", "Moor.Example", "*", "localhost", "[::1]", "10.0.0.1"] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        assert_eq!(name(" moor.example. ").as_deref(), Ok("moor.example"));
        assert_eq!(name("").as_deref(), Ok(""));
        for (bad, why) in [
            ("https://moor.example", "URL"),
            ("moor.example:443", "has no port"),
            ("moor.example/", "not a name"),
            ("*.example", "cannot contain *"),
            ("moör.example", "xn--"),
            ("a b", "not a name"),
            (".example", "not a name"),
        ] {
            let refused = name(bad).unwrap_err();
            assert!(
                refused.contains(why) && refused.contains("moor.example.org"),
                "{bad}: {refused}"
            );
        }
    }
}
