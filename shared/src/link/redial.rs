//! The waits between attempts to dial.

use std::time::Duration;

use crate::limits::{BACKOFF_FACTOR, BACKOFF_FIRST, BACKOFF_MOST};
use crate::message::close;
use crate::time::Time;

/// Shortest time between two dials without a wait that the peer asked for. A peer that asks for
/// them all the time is in trouble.
const FREE_DIAL_EVERY: Duration = Duration::from_secs(5);

/// Decides how long to wait before the next dial of one connection.
///
/// The bound of the waits grows by [`BACKOFF_FACTOR`] up to [`BACKOFF_MOST`], and each wait is
/// drawn evenly between zero and the bound (full jitter), so that a thousand clients of a restarted
/// relay do not return at the same moment.
#[derive(Debug, Clone)]
pub struct Redial {
    /// Waits that were drawn since the peer last answered.
    attempt: u32,
    random: SplitMix64,
    longest: Duration,
    /// From when on another dial without a wait is allowed.
    free_dial_at: Time,
}

impl Redial {
    /// Creates waits of at most `longest`, drawn from `seed`.
    #[must_use]
    pub const fn new(seed: u64, longest: Duration) -> Self {
        Self { attempt: 0, random: SplitMix64(seed), longest, free_dial_at: Time::from_ms(0) }
    }

    /// Returns the number of waits since the peer last answered.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Resets the backoff: the peer has answered, rather than merely opened a socket.
    pub const fn settled(&mut self) {
        self.attempt = 0;
    }

    /// Returns how long to wait after a connection was closed with this code or could not be
    /// opened.
    pub fn wait_after(&mut self, now: Time, code: u16) -> Duration {
        let is_first = self.attempt == 0;
        let wait = self.next_wait();
        match code {
            // Dials once without a wait. If that fails, the backoff takes over.
            close::GOING_AWAY if is_first && now >= self.free_dial_at => {
                self.free_dial_at = now + FREE_DIAL_EVERY;
                Duration::ZERO
            }
            // Only the user can change that.
            _ if close::is_about_token(code) => self.longest,
            _ => wait,
        }
    }

    fn next_wait(&mut self) -> Duration {
        let exponent = i32::try_from(self.attempt).unwrap_or(i32::MAX).min(64);
        let bound = BACKOFF_FIRST.mul_f64(BACKOFF_FACTOR.powi(exponent)).min(BACKOFF_MOST);
        self.attempt = self.attempt.saturating_add(1);
        bound.mul_f64(self.random.fraction()).min(self.longest)
    }
}

/// A small random number generator, good enough to spread waits.
#[derive(Debug, Clone)]
struct SplitMix64(u64);

impl SplitMix64 {
    /// Returns a number that is evenly distributed in `0.0..1.0`.
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_ms(0);

    #[test]
    fn waits_grow_to_the_most_and_start_again_after_a_success() {
        let mut longest = [Duration::ZERO; 12];
        for seed in 0..500 {
            let mut redial = Redial::new(seed, BACKOFF_MOST);
            for most in &mut longest {
                *most = redial.wait_after(START, close::ABNORMAL).max(*most);
            }
            redial.settled();
            assert!(redial.wait_after(START, close::ABNORMAL) <= BACKOFF_FIRST);
        }
        let mut bound = BACKOFF_FIRST;
        for (attempt, most) in longest.into_iter().enumerate() {
            assert!(most <= bound && most > bound / 2, "wait {attempt}: {most:?} of {bound:?}");
            bound = bound.mul_f64(BACKOFF_FACTOR).min(BACKOFF_MOST);
        }
    }

    #[test]
    fn a_peer_that_keeps_going_away_is_not_dialled_at_once_each_time() {
        let mut redial = Redial::new(1, BACKOFF_MOST);
        let mut is_free = |ms| redial.wait_after(Time::from_ms(ms), close::GOING_AWAY).is_zero();
        assert!(is_free(0));
        assert!(!is_free(10_000), "the peer has not answered since");
        redial.settled();
        let mut is_free = |ms| {
            let wait = redial.wait_after(Time::from_ms(ms), close::GOING_AWAY);
            redial.settled();
            wait.is_zero()
        };
        assert_eq!([1_000, 5_000, 5_100].map(&mut is_free), [false, true, false]);
    }

    #[test]
    fn no_wait_exceeds_the_longest() {
        let longest = Duration::from_millis(250);
        let mut redial = Redial::new(1, longest);
        for _ in 0..100 {
            assert!(redial.wait_after(START, close::ABNORMAL) <= longest);
        }
        assert_eq!(redial.wait_after(START, close::UNAUTHORIZED), longest);
    }
}
