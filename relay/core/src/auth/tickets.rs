//! Tickets: each replaces a token once, within its short lifetime, and only while the token that it
//! was made with is valid. A browser's `EventSource`, which cannot send headers, passes one in its
//! address. The code in an address of `moorline open` is one too.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use moorline_shared::limits::TICKET_LIFETIME;
use moorline_shared::time::Time;
use subtle::ConstantTimeEq as _;

use super::{SecretHash, hash_secret, random_secret};

/// The number of unused tickets; one more replaces the oldest.
pub const TICKETS: usize = 4096;

#[derive(Debug)]
struct Issued {
    hash: SecretHash,
    token: SecretHash,
    expires_at: Time,
}

/// The unused tickets: in memory, oldest first.
#[derive(Debug, Default)]
pub struct Tickets {
    issued: Mutex<VecDeque<Issued>>,
}

impl Tickets {
    /// Makes a ticket that stands for the token with this hash.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub fn issue(&self, token: SecretHash, now: Time) -> Result<String, getrandom::Error> {
        let ticket = random_secret()?;
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if issued.len() == TICKETS {
            issued.pop_front();
        }
        let expires_at = now + TICKET_LIFETIME;
        issued.push_back(Issued { hash: hash_secret(&ticket), token, expires_at });
        Ok(ticket)
    }

    /// Uses a ticket up and returns the token that it stands for. `None` if it is unknown, used or
    /// expired.
    pub fn redeem(&self, ticket: &str, now: Time) -> Option<SecretHash> {
        let hash = hash_secret(ticket);
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        while issued.front().is_some_and(|oldest| oldest.expires_at <= now) {
            issued.pop_front();
        }
        let found = issued.iter().position(|issued| issued.hash.ct_eq(&hash).into())?;
        issued.remove(found).map(|issued| issued.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SecretHash = [1; 32];
    const TWO: SecretHash = [2; 32];

    #[test]
    fn a_ticket_opens_once_and_soon() {
        let tickets = Tickets::default();
        let now = Time::from_ms(1000);
        let (one, two) = (tickets.issue(ONE, now).unwrap(), tickets.issue(TWO, now).unwrap());
        assert_eq!(tickets.redeem("", now), None);
        assert_eq!(tickets.redeem(&one, now), Some(ONE));
        assert_eq!(tickets.redeem(&one, now), None);
        assert_eq!(tickets.redeem(&two, now + TICKET_LIFETIME), None);
    }

    #[test]
    fn tickets_are_bounded() {
        let tickets = Tickets::default();
        let now = Time::from_ms(1000);
        let first = tickets.issue(ONE, now).unwrap();
        let second = tickets.issue(TWO, now).unwrap();
        (0..TICKETS - 1).for_each(|_| drop(tickets.issue(ONE, now).unwrap()));
        assert_eq!(tickets.redeem(&first, now), None);
        assert_eq!(tickets.redeem(&second, now), Some(TWO));
    }
}
