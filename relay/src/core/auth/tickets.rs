//! Tickets: what a browser's `EventSource`, which can send no header, brings instead of a token.
//! Each opens one event stream, soon after it was made.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moorline_shared::time::Time;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Access;

/// How long a ticket is valid.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(30);
/// Tickets at a time; one more takes the place of the oldest.
const TICKETS: usize = 4096;

#[derive(Debug)]
struct Issued {
    hash: [u8; 32],
    access: Access,
    expires_at: Time,
}

/// The tickets that were made and not used: in memory, oldest first.
#[derive(Debug, Default)]
pub struct Tickets {
    issued: Mutex<VecDeque<Issued>>,
}

impl Tickets {
    /// Makes a ticket that allows what the caller's token does.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn issue(&self, access: Access, now: Time) -> Result<String, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let ticket = URL_SAFE_NO_PAD.encode(secret);
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if issued.len() == TICKETS {
            issued.pop_front();
        }
        let expires_at = now + TICKET_LIFETIME;
        issued.push_back(Issued { hash: hash(&ticket), access, expires_at });
        Ok(ticket)
    }

    /// What a ticket allows, once.
    pub fn redeem(&self, ticket: &str, now: Time) -> Option<Access> {
        let hash = hash(ticket);
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        while issued.front().is_some_and(|oldest| oldest.expires_at <= now) {
            issued.pop_front();
        }
        let found = issued.iter().position(|issued| issued.hash.ct_eq(&hash).into())?;
        issued.remove(found).map(|issued| issued.access)
    }
}

fn hash(ticket: &str) -> [u8; 32] {
    Sha256::digest(ticket.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_once_and_soon() {
        let tickets = Tickets::default();
        let now = Time::from_ms(1000);
        let (one, two) = (tickets.issue(Access::Admin, now), tickets.issue(Access::Host, now));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(tickets.redeem("", now), None);
        assert_eq!(tickets.redeem(&one, now), Some(Access::Admin));
        assert_eq!(tickets.redeem(&one, now), None);
        assert_eq!(tickets.redeem(&two, now + TICKET_LIFETIME), None);
    }

    #[test]
    fn tickets_are_bounded() {
        let tickets = Tickets::default();
        let now = Time::from_ms(1000);
        let first = tickets.issue(Access::Admin, now).unwrap();
        let second = tickets.issue(Access::Admin, now).unwrap();
        (0..TICKETS - 1).for_each(|_| drop(tickets.issue(Access::Admin, now).unwrap()));
        assert_eq!(tickets.redeem(&first, now), None);
        assert_eq!(tickets.redeem(&second, now), Some(Access::Admin));
    }
}
