//! Wrong tokens, counted by the address that sends them. An address that sends many must slow down,
//! and the log reports it.
//!
//! A right token is never counted and always passes, so nobody can lock its holder out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use moorline_shared::time::Time;

use super::allowance::{Allowance, network};

/// Wrong tokens that an address may send in a burst.
const BURST: u32 = 20;
/// The time until an address may send one more.
const EACH: Duration = Duration::from_secs(1);
/// The number of addresses kept. One more replaces the quietest.
const ADDRESSES: usize = 1024;
/// The shortest interval between log lines about one address.
const LOG_EVERY: Duration = Duration::from_secs(60);
/// Log lines allowed in a burst, over all addresses: a proxy may pass on any address.
const LINES: u32 = 20;
/// The time until one more log line is allowed.
const LINE_EACH: Duration = Duration::from_secs(6);

/// The consequences of a wrong token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The time that the sender must wait, if it has sent too many.
    pub wait: Option<Duration>,
    /// The counts to log now; `None` if no line is due.
    pub log: Option<Count>,
}

/// Wrong tokens that have not been logged yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// From the address that sent the last one.
    pub here: u64,
    /// From other addresses, whose lines were left out to keep the log short.
    pub elsewhere: u64,
}

/// Counts wrong tokens by address, within bounds of memory and of the log.
#[derive(Debug, Default)]
pub struct Guesses {
    state: Mutex<GuessState>,
}

#[derive(Debug, Default)]
struct GuessState {
    addresses: HashMap<IpAddr, GuessAddress>,
    lines: Allowance,
    /// Wrong tokens of addresses whose log line was left out.
    left_out: u64,
}

#[derive(Debug, Default)]
struct GuessAddress {
    guesses: Allowance,
    /// Wrong tokens that are neither logged nor counted as left out.
    unlogged: u64,
    logged: Option<Time>,
}

impl Guesses {
    /// Counts a wrong token from an address.
    pub fn wrong(&self, from: IpAddr, now: Time) -> Judged {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.wrong(network(from), now)
    }
}

impl GuessState {
    fn wrong(&mut self, from: IpAddr, now: Time) -> Judged {
        if !self.addresses.contains_key(&from) && self.addresses.len() >= ADDRESSES {
            self.forget_the_quietest();
        }
        let address = self.addresses.entry(from).or_default();
        address.unlogged += 1;
        let wait = address.guesses.take(now, EACH, BURST);
        if address.logged.is_some_and(|logged| now < logged + LOG_EVERY) {
            return Judged { wait, log: None };
        }
        let here = std::mem::take(&mut address.unlogged);
        if self.lines.take(now, LINE_EACH, LINES).is_some() {
            self.left_out += here;
            return Judged { wait, log: None };
        }
        address.logged = Some(now);
        let elsewhere = std::mem::take(&mut self.left_out);
        Judged { wait, log: Some(Count { here, elsewhere }) }
    }

    fn forget_the_quietest(&mut self) {
        let quietest = self.addresses.iter().min_by_key(|(_, address)| address.guesses.settled());
        let quietest = quietest.map(|(address, _)| *address);
        let forgotten = quietest.and_then(|address| self.addresses.remove(&address));
        self.left_out += forgotten.map_or(0, |address| address.unlogged);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn numbered(number: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + number).to_be_bytes())
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
        let count = |here| Some(Count { here, elsewhere: 0 });
        assert_eq!(guesses.wrong(from, now).log, count(1));
        for host in 2..=100_u16 {
            let same_network = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 1, 2, 3, host));
            assert_eq!(guesses.wrong(same_network, now).log, None);
        }
        assert_eq!(guesses.wrong(from, now + LOG_EVERY).log, count(100));
    }

    #[test]
    fn lines_are_bounded_whatever_the_addresses_and_nothing_goes_uncounted() {
        let guesses = Guesses::default();
        let start = Time::from_ms(1_000_000);
        let sent = 8000 * 3;
        let (mut lines, mut counted) = (0, 0);
        for number in 0..sent {
            let now = start + Duration::from_millis(u64::from(number) / 8);
            // Each address returns after it was forgotten.
            if let Some(count) = guesses.wrong(numbered(number % 5000), now).log {
                lines += 1;
                counted += count.here + count.elsewhere;
            }
        }
        assert!(lines <= LINES, "{lines} lines");
        let later = start + Duration::from_secs(3600);
        let last = guesses.wrong(address("192.0.2.1"), later).log.unwrap();
        let state = guesses.state.lock().unwrap();
        let waiting: u64 = state.addresses.values().map(|address| address.unlogged).sum();
        assert_eq!(counted + last.here + last.elsewhere + waiting, u64::from(sent) + 1);
    }

    #[test]
    fn addresses_are_bounded() {
        let guesses = Guesses::default();
        let now = Time::from_ms(1_000_000);
        let busy = address("192.0.2.1");
        for _ in 0..=BURST {
            assert!(guesses.wrong(busy, now).log.is_none_or(|log| log.here == 1));
        }
        for number in 0..4096 {
            guesses.wrong(numbered(number), now);
        }
        assert!(guesses.state.lock().unwrap().addresses.len() <= ADDRESSES);
        assert!(guesses.wrong(busy, now).wait.is_some(), "the busiest is forgotten");
    }
}
