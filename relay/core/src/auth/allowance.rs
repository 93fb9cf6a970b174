//! Rate limits: one [`Allowance`] for each address or token, in tables of bounded size.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use moorline_shared::limits::{
    ADDRESS_REQUEST_EACH, ADDRESS_REQUESTS, RATED_CALLERS, SESSION_START_EACH, SESSION_STARTS,
    TOKEN_REQUEST_EACH, TOKEN_REQUESTS,
};
use moorline_shared::time::Time;

use super::Grant;

/// The state of one rate limit (the generic cell rate algorithm).
#[derive(Debug, Default)]
pub(super) struct Allowance {
    /// The time at which the full burst is available again; `None` before the first use.
    settled: Option<Time>,
}

impl Allowance {
    /// Takes one of `burst`, each of which returns after `each`. Returns how long to wait if none
    /// is left, and takes nothing then.
    pub(super) fn take(&mut self, now: Time, each: Duration, burst: u32) -> Option<Duration> {
        let settled = self.settled.map_or(now, |settled| settled.max(now)) + each;
        let wait = (settled - now).saturating_sub(each * burst);
        if wait > Duration::ZERO {
            return Some(wait);
        }
        self.settled = Some(settled);
        None
    }

    /// Returns the time at which the full burst is available again; `None` before the first use.
    pub(super) const fn settled(&self) -> Option<Time> {
        self.settled
    }
}

/// Takes one of the sessions that a token may start, for a relay that stores the state between requests. The state is the
/// time at which the full burst is available again: `None` before the first start, and the result afterwards.
///
/// # Errors
/// The time to wait if none is left. Nothing is to be stored then.
pub fn start_session(settled: Option<Time>, now: Time) -> Result<Time, Duration> {
    let mut allowance = Allowance { settled };
    match allowance.take(now, SESSION_START_EACH, SESSION_STARTS) {
        Some(wait) => Err(wait),
        None => Ok(allowance.settled.unwrap_or(now)),
    }
}

/// Returns the /64 network of an IPv6 address: the holder of one address has all of it.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address => address,
    }
}

/// The same rate limit for each of many callers.
#[derive(Debug)]
struct RateTable<K> {
    each: Duration,
    burst: u32,
    callers: HashMap<K, Allowance>,
}

impl<K: Hash + Eq + Clone> RateTable<K> {
    fn new(each: Duration, burst: u32) -> Self {
        Self { each, burst, callers: HashMap::new() }
    }

    /// Takes one from a caller's allowance. Returns how long to wait if none is left.
    fn take(&mut self, caller: &K, now: Time) -> Option<Duration> {
        if !self.callers.contains_key(caller) && self.callers.len() >= RATED_CALLERS {
            self.make_room(now);
        }
        self.callers.entry(caller.clone()).or_default().take(now, self.each, self.burst)
    }

    /// Forgets every caller whose allowance is full again. If there is none, forgets the one that is
    /// closest to it.
    fn make_room(&mut self, now: Time) {
        self.callers.retain(|_, allowance| allowance.settled().is_some_and(|at| at > now));
        if self.callers.len() >= RATED_CALLERS {
            let quietest = self.callers.iter().min_by_key(|(_, allowance)| allowance.settled());
            if let Some(quietest) = quietest.map(|(caller, _)| caller.clone()) {
                self.callers.remove(&quietest);
            }
        }
    }
}

/// Limits the requests of each address and of each stored token, and the sessions that a token starts.
///
/// Each method returns the time to wait if the limit is reached, and counts nothing then. A token that is not stored is
/// of the machine's owner, whom the relay does not slow down.
#[derive(Debug)]
pub struct RequestRates {
    addresses: Mutex<RateTable<IpAddr>>,
    tokens: Mutex<RateTable<String>>,
    starts: Mutex<RateTable<String>>,
}

impl Default for RequestRates {
    fn default() -> Self {
        Self {
            addresses: Mutex::new(RateTable::new(ADDRESS_REQUEST_EACH, ADDRESS_REQUESTS)),
            tokens: Mutex::new(RateTable::new(TOKEN_REQUEST_EACH, TOKEN_REQUESTS)),
            starts: Mutex::new(RateTable::new(SESSION_START_EACH, SESSION_STARTS)),
        }
    }
}

impl RequestRates {
    /// Counts a request of an address beyond this machine (for IPv6, of its /64 network).
    pub fn request_from(&self, address: IpAddr, now: Time) -> Option<Duration> {
        let is_local = address.to_canonical().is_loopback();
        (!is_local).then(|| take(&self.addresses, &network(address), now)).flatten()
    }

    /// Counts a request with a token.
    pub fn request_with(&self, grant: &Grant, now: Time) -> Option<Duration> {
        take(&self.tokens, grant.token_id.as_ref()?, now)
    }

    /// Counts a request to start a session with a token.
    pub fn start_with(&self, grant: &Grant, now: Time) -> Option<Duration> {
        take(&self.starts, grant.token_id.as_ref()?, now)
    }
}

fn take<K: Hash + Eq + Clone>(
    table: &Mutex<RateTable<K>>,
    caller: &K,
    now: Time,
) -> Option<Duration> {
    table.lock().unwrap_or_else(PoisonError::into_inner).take(caller, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_ms(1_000_000);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_a_burst_and_then_a_rate_and_others_are_not_slowed() {
        let rates = RequestRates::default();
        let one = address("2001:db8::1");
        for _ in 0..ADDRESS_REQUESTS {
            assert_eq!(rates.request_from(one, NOW), None);
        }
        assert_eq!(rates.request_from(one, NOW), Some(ADDRESS_REQUEST_EACH));
        assert!(rates.request_from(address("2001:db8::ffff"), NOW).is_some(), "the same network");
        assert_eq!(rates.request_from(address("2001:db8:0:1::1"), NOW), None);
        assert_eq!(rates.request_from(one, NOW + ADDRESS_REQUEST_EACH), None);
        for _ in 0..2 * ADDRESS_REQUESTS {
            for local in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
                assert_eq!(rates.request_from(address(local), NOW), None);
            }
        }
    }

    #[test]
    fn a_stored_token_has_a_limit_of_requests_and_one_of_sessions() {
        let rates = RequestRates::default();
        let stored = Grant { token_id: Some("token-1".into()), ..Grant::unstored() };
        for _ in 0..SESSION_STARTS {
            assert_eq!(rates.start_with(&stored, NOW), None);
        }
        assert_eq!(rates.start_with(&stored, NOW), Some(SESSION_START_EACH));
        assert_eq!(rates.request_with(&stored, NOW), None);
        for _ in 1..TOKEN_REQUESTS {
            assert_eq!(rates.request_with(&stored, NOW), None);
        }
        assert_eq!(rates.request_with(&stored, NOW), Some(TOKEN_REQUEST_EACH));
        for _ in 0..2 * TOKEN_REQUESTS {
            assert_eq!(rates.request_with(&Grant::unstored(), NOW), None);
            assert_eq!(rates.start_with(&Grant::unstored(), NOW), None);
        }
    }

    #[test]
    fn a_stored_allowance_is_that_in_memory() {
        let rates = RequestRates::default();
        let grant = Grant { token_id: Some("token-1".into()), ..Grant::unstored() };
        let (mut stored, mut refused) = (None, 0);
        for step in 0..4 * SESSION_STARTS {
            let now = NOW + SESSION_START_EACH / 3 * step;
            let wait = match start_session(stored, now) {
                Ok(settled) => {
                    stored = Some(settled);
                    None
                }
                Err(wait) => {
                    refused += 1;
                    Some(wait)
                }
            };
            assert_eq!(wait, rates.start_with(&grant, now), "at step {step}");
        }
        assert!(refused > SESSION_STARTS, "{refused} were refused");
    }

    #[test]
    fn the_busiest_is_remembered_among_however_many() {
        let mut table = RateTable::new(Duration::from_secs(1), 2);
        for _ in 0..2 {
            assert_eq!(table.take(&u64::MAX, NOW), None);
        }
        for caller in 0..3 * RATED_CALLERS as u64 {
            assert_eq!(table.take(&caller, NOW), None);
        }
        assert!(table.callers.len() <= RATED_CALLERS);
        assert!(table.take(&u64::MAX, NOW).is_some(), "the busiest is forgotten");
        table.make_room(NOW + Duration::from_secs(9));
        assert!(table.callers.is_empty());
    }
}
