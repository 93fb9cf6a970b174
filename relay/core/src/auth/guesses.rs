//! Wrong tokens, counted by where they come from. Who sends many is told to slow down, and the log
//! is told of it.
//!
//! A right token is never counted and always passes, so nobody can lock its holder out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use moorline_shared::time::Time;

/// Wrong tokens that an address may send at once.
const BURST: u32 = 20;
/// How long until it may send one more.
const EACH: Duration = Duration::from_secs(1);
/// Addresses that are remembered. One more takes the place of the quietest.
const ADDRESSES: usize = 1024;
/// How often at most the log is told of one address.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// What follows from a wrong token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// How long the sender is to wait, if it has sent too many.
    pub wait: Option<Duration>,
    /// How many to tell the log of now.
    pub log: Option<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Guesses {
    addresses: Mutex<HashMap<IpAddr, Address>>,
}

#[derive(Debug)]
struct Address {
    /// When all that it has sent will be forgotten (a generic cell rate's arrival time).
    settled: Time,
    /// Those that the log does not know of yet.
    unlogged: u64,
    logged: Option<Time>,
}

impl Guesses {
    /// A wrong token came from this address.
    pub fn wrong(&self, from: IpAddr, now: Time) -> Judged {
        let from = network(from);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if !addresses.contains_key(&from) && addresses.len() >= ADDRESSES {
            let quietest = addresses.iter().min_by_key(|(_, address)| address.settled);
            if let Some(quietest) = quietest.map(|(address, _)| *address) {
                addresses.remove(&quietest);
            }
        }
        let address = addresses.entry(from).or_insert_with(|| Address {
            settled: now,
            unlogged: 0,
            logged: None,
        });
        address.unlogged += 1;
        let log = address.logged.is_none_or(|logged| now >= logged + LOG_EVERY);
        let log = log.then(|| std::mem::take(&mut address.unlogged));
        if log.is_some() {
            address.logged = Some(now);
        }
        Judged { wait: address.charge(now), log }
    }
}

impl Address {
    fn charge(&mut self, now: Time) -> Option<Duration> {
        let settled = self.settled.max(now) + EACH;
        let wait = (settled - now).saturating_sub(EACH * BURST);
        if wait > Duration::ZERO {
            return Some(wait);
        }
        self.settled = settled;
        None
    }
}

/// Who has one address of IPv6 has a network of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_sends_many_waits_and_others_do_not() {
        let guesses = Guesses::default();
        let now = Time::from_ms(1_000_000);
        let (one, two) = (address("192.0.2.1"), address("192.0.2.2"));
        for _ in 0..BURST {
            assert_eq!(guesses.wrong(one, now).wait, None);
        }
        assert_eq!(guesses.wrong(one, now).wait, Some(EACH));
        assert_eq!(guesses.wrong(two, now).wait, None);
        assert_eq!(guesses.wrong(address("::ffff:192.0.2.1"), now).wait, Some(EACH));
        assert_eq!(guesses.wrong(one, now + EACH).wait, None);
        assert!(guesses.wrong(one, now + EACH).wait.is_some());
        let later = now + EACH * BURST * 2;
        assert_eq!(guesses.wrong(one, later).wait, None);
    }

    #[test]
    fn the_log_is_told_of_the_first_and_then_each_minute() {
        let guesses = Guesses::default();
        let now = Time::from_ms(1_000_000);
        let from = address("2001:db8::1");
        assert_eq!(guesses.wrong(from, now).log, Some(1));
        for host in 2..=100_u16 {
            let same_network = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 1, 2, 3, host));
            assert_eq!(guesses.wrong(same_network, now).log, None);
        }
        assert_eq!(guesses.wrong(from, now + LOG_EVERY).log, Some(100));
    }

    #[test]
    fn addresses_are_bounded() {
        let guesses = Guesses::default();
        let now = Time::from_ms(1_000_000);
        let busy = address("192.0.2.1");
        (0..=BURST).for_each(|_| assert!(guesses.wrong(busy, now).log.is_none_or(|log| log == 1)));
        for number in 0..4096_u32 {
            guesses.wrong(IpAddr::from((0x0a00_0000 + number).to_be_bytes()), now);
        }
        assert!(guesses.addresses.lock().unwrap().len() <= ADDRESSES);
        assert!(guesses.wrong(busy, now).wait.is_some(), "the busiest is forgotten");
    }
}
