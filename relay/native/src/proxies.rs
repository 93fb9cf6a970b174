//! The proxies that are trusted to say where a request comes from.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The addresses of trusted proxies. Those of this machine are always trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
}

impl TrustedProxies {
    /// Trusts the proxies in these networks.
    #[must_use]
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self { networks }
    }

    /// Returns true if a peer is a trusted proxy.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback() || self.networks.iter().any(|network| network.contains(&peer))
    }

    /// Returns the address of the client: the peer, or what trusted proxies in front of it say. Each appends the
    /// address that it sees to `X-Forwarded-For`, so the last address that is no proxy's is the client's.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lists = headers.get_all("x-forwarded-for").iter().rev();
        let mut forwarded = lists.flat_map(|list| list.to_str().unwrap_or_default().rsplit(','));
        let mut client = peer;
        while self.trusts(client)
            && let Some(before) = forwarded.next().and_then(|address| address.trim().parse().ok())
        {
            client = before;
        }
        client.to_canonical()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_say_where_a_request_comes_from() {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48"].map(|network| network.parse().unwrap());
        let proxies = TrustedProxies::new(networks.into());
        let client = |peer: &str, forwarded: &str| {
            let mut headers = HeaderMap::new();
            for list in forwarded.split('|') {
                headers.append("x-forwarded-for", list.parse().unwrap());
            }
            proxies.client(peer.parse().unwrap(), &headers).to_string()
        };
        for (peer, forwarded, expected) in [
            ("127.0.0.1", "198.51.100.7, 192.0.2.1", "192.0.2.1"),
            ("::1", "2001:db8::1", "2001:db8::1"),
            ("127.0.0.1", "unknown", "127.0.0.1"),
            ("127.0.0.1", "", "127.0.0.1"),
            ("192.0.2.9", "192.0.2.1", "192.0.2.9"),
            ("10.1.2.3", "192.0.2.1", "192.0.2.1"),
            ("::ffff:10.1.2.3", "192.0.2.1", "192.0.2.1"),
            ("2001:db8:1::9", "192.0.2.1", "192.0.2.1"),
            ("2001:db8:2::9", "192.0.2.1", "2001:db8:2::9"),
            // Through two proxies, over two headers; what the client itself claims does not count.
            ("127.0.0.1", "6.6.6.6, 192.0.2.1, 10.0.0.7", "192.0.2.1"),
            ("127.0.0.1", "6.6.6.6, 192.0.2.1|10.0.0.7", "192.0.2.1"),
            ("127.0.0.1", "192.0.2.1, nonsense, 10.0.0.7", "10.0.0.7"),
        ] {
            assert_eq!(client(peer, forwarded), expected, "{peer} {forwarded}");
        }
        assert!(!TrustedProxies::default().trusts("10.0.0.1".parse().unwrap()));
    }
}
