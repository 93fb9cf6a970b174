//! The waits between the dials of one link.

use std::time::Duration;

use moorline_shared::link::Backoff;
use moorline_shared::message::close;

/// Decides how long to wait before the next dial of one link.
#[derive(Debug)]
pub(crate) struct Redial {
    backoff: Backoff,
    longest: Duration,
}

impl Redial {
    /// Creates waits of at most `longest`, spread by `seed`.
    pub(crate) const fn new(seed: u64, longest: Duration) -> Self {
        Self { backoff: Backoff::new(seed), longest }
    }

    /// Resets the backoff: the relay has answered, rather than merely opened a socket.
    pub(crate) const fn settled(&mut self) {
        self.backoff.succeeded();
    }

    /// Returns how long to wait after a link was closed with this code, or could not be opened.
    pub(crate) fn wait_after(&mut self, code: u16) -> Duration {
        let is_first = self.backoff.attempt() == 0;
        let wait = self.backoff.next_wait().min(self.longest);
        match code {
            // Dials once without a wait. If that fails, the backoff takes over.
            close::GOING_AWAY if is_first => Duration::ZERO,
            // Only the user can change that.
            1008 | close::UNAUTHORIZED | close::FORBIDDEN => self.longest,
            _ => wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_that_restarts_is_dialled_at_once_but_not_for_ever() {
        let longest = Duration::from_millis(250);
        let mut redial = Redial::new(1, longest);
        assert_eq!(redial.wait_after(close::GOING_AWAY), Duration::ZERO);
        assert!(redial.wait_after(close::GOING_AWAY) > Duration::ZERO);
        redial.settled();
        assert_eq!(redial.wait_after(close::GOING_AWAY), Duration::ZERO);
        for _ in 0..100 {
            assert!(redial.wait_after(1006) <= longest);
        }
        assert_eq!(redial.wait_after(close::UNAUTHORIZED), longest);
    }
}
