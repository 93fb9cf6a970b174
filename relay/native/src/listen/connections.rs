//! The number of connections of each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_core::auth::network;
use moorline_shared::limits::CONNECTIONS_PER_ADDRESS;

use super::PeerAddress;
use crate::proxies::TrustedProxies;

/// Counts the open connections of each address, and the open requests of those that use HTTP/2, but not those of this machine or of trusted proxies, which are many clients'.
#[derive(Debug)]
pub struct AddressConnections {
    proxies: TrustedProxies,
    /// Limit of each address.
    most: usize,
    /// Open connections by address, or by network for IPv6. Each number is above 0.
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(super) struct CountedConnection {
    counter: Arc<AddressConnections>,
    /// `None` if it is not counted.
    address: Option<IpAddr>,
}

impl AddressConnections {
    /// Creates a counter without connections.
    #[must_use]
    pub fn new(proxies: TrustedProxies) -> Self {
        Self::limited(proxies, CONNECTIONS_PER_ADDRESS)
    }

    pub(super) fn limited(proxies: TrustedProxies, most: usize) -> Self {
        Self { proxies, most, open: Mutex::default() }
    }

    /// Counts a connection; `None` if its address has too many.
    pub(super) fn admit(self: &Arc<Self>, peer: PeerAddress) -> Option<CountedConnection> {
        (!self.is_full(peer)).then(|| self.count(peer))
    }

    /// Returns true if the address has as many connections as it may have.
    pub(super) fn is_full(&self, peer: PeerAddress) -> bool {
        let number = self.counted(peer).and_then(|address| self.open().get(&address).copied());
        number.is_some_and(|number| number >= self.most)
    }

    /// Counts a connection, or a request over HTTP/2, which can be as much as a connection: an event stream or a
    /// WebSocket.
    pub(super) fn count(self: &Arc<Self>, peer: PeerAddress) -> CountedConnection {
        let address = self.counted(peer);
        if let Some(address) = address {
            *self.open().entry(address).or_default() += 1;
        }
        CountedConnection { counter: Arc::clone(self), address }
    }

    /// Returns the address, or the network, for which a peer is counted. `None` if it is not.
    fn counted(&self, peer: PeerAddress) -> Option<IpAddr> {
        (!self.proxies.trusts(peer.0)).then(|| network(peer.0))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut open = self.counter.open();
        if let Some(number) = open.get_mut(&address) {
            *number -= 1;
            if *number == 0 {
                open.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_number_of_connections_and_proxies_have_any() {
        let proxies = TrustedProxies::new(vec!["10.0.0.7/32".parse().unwrap()]);
        let counter = Arc::new(AddressConnections::new(proxies));
        let admit = |peer: &str| counter.admit(PeerAddress(peer.parse().unwrap()));
        let mut open: Vec<_> =
            (0..CONNECTIONS_PER_ADDRESS).map(|_| admit("2001:db8::1").unwrap()).collect();
        assert!(admit("2001:db8::2").is_none(), "the same network");
        drop(admit("192.0.2.1").unwrap());
        open.pop();
        open.push(admit("2001:db8::2").unwrap());
        assert!(admit("2001:db8::1").is_none());
        for local in ["127.0.0.1", "::1", "10.0.0.7"] {
            open.extend((0..=CONNECTIONS_PER_ADDRESS).map(|_| admit(local).unwrap()));
        }
        drop(open);
        assert!(counter.open().is_empty());
    }
}
