//! The waits between attempts to dial.

use std::time::Duration;

use crate::limits::{BACKOFF_FACTOR, BACKOFF_FIRST, BACKOFF_MOST};

/// Draws random waits before dialling again. Their bound grows by [`BACKOFF_FACTOR`] up to
/// [`BACKOFF_MOST`], and each wait is drawn evenly between zero and the bound (full jitter), so
/// that a thousand clients of a restarted relay do not return at the same moment.
#[derive(Debug, Clone)]
pub struct Backoff {
    attempt: u32,
    random: SplitMix64,
}

impl Backoff {
    /// Creates a backoff whose waits are drawn from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { attempt: 0, random: SplitMix64(seed) }
    }

    /// Returns the number of waits that were drawn since the last success.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Draws the next wait.
    pub fn next_wait(&mut self) -> Duration {
        let exponent = i32::try_from(self.attempt).unwrap_or(i32::MAX).min(64);
        let bound = BACKOFF_FIRST.mul_f64(BACKOFF_FACTOR.powi(exponent)).min(BACKOFF_MOST);
        self.attempt = self.attempt.saturating_add(1);
        bound.mul_f64(self.random.fraction())
    }

    /// Resets the bound after a connection succeeded.
    pub const fn succeeded(&mut self) {
        self.attempt = 0;
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

    #[test]
    fn waits_grow_to_the_most_and_start_again_after_a_success() {
        let mut longest = [Duration::ZERO; 12];
        for seed in 0..500 {
            let mut backoff = Backoff::new(seed);
            for most in &mut longest {
                *most = backoff.next_wait().max(*most);
            }
            backoff.succeeded();
            assert!(backoff.next_wait() <= BACKOFF_FIRST);
        }
        let mut bound = BACKOFF_FIRST;
        for (attempt, most) in longest.into_iter().enumerate() {
            assert!(most <= bound && most > bound / 2, "wait {attempt}: {most:?} of {bound:?}");
            bound = bound.mul_f64(BACKOFF_FACTOR).min(BACKOFF_MOST);
        }
    }
}
