//! The names by which this relay may be addressed.
//!
//! A page of another site can have its own name resolve to this machine. Its browser then takes the
//! page and the relay for one origin (DNS rebinding). Only the name in `Host` reveals it.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::HOST;

/// The entry that allows any name.
const ANY: &str = "*";

/// The names by which browsers may address this relay. An IP address is as safe as `localhost`: no
/// site can use one as its name.
#[derive(Debug, Clone, Default)]
pub struct HostPolicy {
    names: Vec<String>,
}

impl HostPolicy {
    /// Allows these names, such as `moor.example.org`, and those of trusted origins. An origin with
    /// a scheme of its own, such as `app://obsidian.md`, has no name that leads to a machine.
    #[must_use]
    pub fn new(mut names: Vec<String>, origins: &[String]) -> Self {
        let of_origins = origins.iter().filter_map(|origin| origin.trim().split_once("://"));
        let of_web = of_origins.filter(|(scheme, _)| {
            ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web))
        });
        names.extend(of_web.map(|(_, authority)| name_of(authority).to_owned()));
        Self { names }
    }

    /// Returns true if a request is addressed to this relay. A request without `Host` does not come
    /// from a browser.
    #[must_use]
    pub fn allows(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(HOST) else { return true };
        host.to_str().is_ok_and(|authority| self.is_known(authority))
    }

    /// Returns true if this relay goes by a name, given as in `Host` or in an origin.
    #[must_use]
    pub fn is_known(&self, authority: &str) -> bool {
        let name = name_of(authority);
        let same = |allowed: &String| allowed == ANY || allowed.eq_ignore_ascii_case(name);
        is_address(name) || is_loopback(name) || self.names.iter().any(same)
    }
}

/// Returns an authority without its port, and without the dot that may end a full name.
pub(super) fn name_of(authority: &str) -> &str {
    let end = authority.rfind(']').map_or(0, |end| end + 1);
    let port = authority[end..].find(':').map_or(authority.len(), |colon| end + colon);
    let name = &authority[..port];
    name.strip_suffix('.').unwrap_or(name)
}

fn is_address(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    inner.unwrap_or(name).parse::<IpAddr>().is_ok()
}

/// Returns true for names under `localhost`, which never leave the machine (RFC 6761).
pub(super) fn is_loopback(name: &str) -> bool {
    let last = name.rsplit('.').next();
    last.is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(policy: &HostPolicy, host: &str) -> bool {
        policy.allows(&HeaderMap::from_iter([(HOST, host.parse().unwrap())]))
    }

    #[test]
    fn addresses_loopback_and_listed_names_are_this_relay() {
        let origins = ["https://notes.example:8443".to_owned(), "app://obsidian.md".to_owned()];
        let policy = HostPolicy::new(vec!["moor.example".to_owned()], &origins);
        for host in [
            "127.0.0.1:3010",
            "192.168.1.7",
            "[::1]:3010",
            "[fe80::1]",
            "localhost",
            "LocalHost:3010",
            "a.localhost:3010",
            "localhost.:3010",
            "moor.example",
            "Moor.Example.:443",
            "notes.example",
        ] {
            assert!(allows(&policy, host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:3010",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "sub.moor.example",
            "[",
            "]:",
            "1234",
            "obsidian.md",
        ] {
            assert!(!allows(&policy, host), "{host}");
        }
        assert!(policy.allows(&HeaderMap::new()));
        assert!(allows(&HostPolicy::new(vec!["*".to_owned()], &[]), "any.example"));
    }
}
