//! How much a peer may be sent ahead of its acknowledgements: what it takes in half a second.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{LEAST_CREDIT_BYTES, UNACKED_OUTPUT_BYTES};
use crate::time::Time;

/// The rate is measured anew over this much time in which something was on its way.
const MEASURE: Duration = Duration::from_millis(50);

/// Measures the rate at which a peer acknowledges, while it has something to acknowledge.
///
/// Tell it [`Credit::sent`] before and [`Credit::acked`] after each change of what is on its way;
/// then [`Credit::bytes`] is what may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Whether the peer has acknowledged anything: only then it is known that it does.
    begun: bool,
    /// Since when something has been on its way that is not measured yet; `None` while nothing is.
    since: Option<Time>,
    /// How long something was on its way since the last measurement.
    busy: Duration,
    /// What was acknowledged in that time.
    bytes: u64,
    /// Bytes in a second; 0 before the first measurement.
    rate: u64,
}

impl Credit {
    /// Something is sent.
    pub fn sent(&mut self, now: Time) {
        if self.begun {
            self.since.get_or_insert(now);
        }
    }

    /// So many bytes more are acknowledged, and so many are still on their way.
    pub fn acked(&mut self, now: Time, bytes: u64, unacked_bytes: u64) {
        if let Some(since) = self.since {
            self.bytes += bytes;
            self.busy += now - since;
        }
        self.begun = true;
        self.since = (unacked_bytes > 0).then_some(now);
        if self.busy >= MEASURE {
            let busy_ms = u64::try_from(self.busy.as_millis()).unwrap_or(u64::MAX);
            self.rate = (self.bytes.saturating_mul(1000) / busy_ms.max(1)).max(1);
            (self.busy, self.bytes) = (Duration::ZERO, 0);
        }
    }

    /// How much may be on its way.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self.rate {
            0 => UNACKED_OUTPUT_BYTES,
            rate => (rate / 2).clamp(LEAST_CREDIT_BYTES, UNACKED_OUTPUT_BYTES),
        }
    }

    /// Bytes that the peer acknowledges in a second; 0 where that is not known yet.
    #[must_use]
    pub const fn rate(&self) -> u64 {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The credit of a peer that takes so many bytes in a second, over a line of this length, some time
    /// into a flood.
    fn credit(bytes_per_second: u64, round_trip_ms: u64) -> u64 {
        let (mut credit, mut now) = (Credit::default(), Time::from_ms(0));
        for _ in 0..100 {
            let bytes = credit.bytes();
            credit.sent(now);
            now.ms += round_trip_ms + bytes * 1000 / bytes_per_second;
            credit.acked(now, bytes, 0);
        }
        credit.bytes()
    }

    #[test]
    fn a_slow_line_has_half_a_second_and_a_fast_one_all() {
        let (kib, mib) = (1024, 1024 * 1024);
        assert_eq!(Credit::default().bytes(), UNACKED_OUTPUT_BYTES);
        assert_eq!(credit(20 * kib, 5), LEAST_CREDIT_BYTES);
        assert_eq!(credit(100 * mib, 1), UNACKED_OUTPUT_BYTES);
        assert_eq!(credit(50 * mib, 80), UNACKED_OUTPUT_BYTES);
        let half = credit(mib, 5);
        assert!((mib * 4 / 10..=mib / 2).contains(&half), "{half}");
    }

    #[test]
    fn time_in_which_nothing_was_on_its_way_does_not_count() {
        let mut credit = Credit::default();
        for second in 0..10 {
            let now = Time::from_ms(second * 1000);
            credit.sent(now);
            credit.acked(now + Duration::from_millis(10), 100_000, 0);
        }
        assert_eq!(credit.rate(), 10_000_000);
    }
}
