//! The credit of a peer: how many bytes may be sent ahead of its acknowledgements, about half a
//! second's worth.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{LEAST_CREDIT_BYTES, UNACKED_OUTPUT_BYTES};
use crate::time::Time;

/// Busy time after which the rate is computed anew. Only time in which something is in flight
/// counts.
const MEASURE: Duration = Duration::from_millis(50);

/// Measures the rate at which a peer acknowledges, while it has something to acknowledge.
///
/// Call [`Credit::sent`] before each send, and [`Credit::acked`] after each acknowledgement. Then
/// [`Credit::bytes`] is the limit of what may be in flight.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// True once the peer has acknowledged anything: only then is it certain that it does.
    begun: bool,
    /// Since when unmeasured bytes have been in flight; `None` while none are.
    since: Option<Time>,
    /// Busy time since the last measurement.
    busy: Duration,
    /// Bytes that were acknowledged in that time.
    bytes: u64,
    /// Bytes per second; 0 before the first measurement.
    rate: u64,
}

impl Credit {
    /// Records that something is about to be sent.
    pub fn sent(&mut self, now: Time) {
        if self.begun {
            self.since.get_or_insert(now);
        }
    }

    /// Records that `bytes` more are acknowledged, and that `unacked_bytes` are still in flight.
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

    /// Returns how many bytes may be in flight.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self.rate {
            0 => UNACKED_OUTPUT_BYTES,
            rate => (rate / 2).clamp(LEAST_CREDIT_BYTES, UNACKED_OUTPUT_BYTES),
        }
    }

    /// Returns how many bytes the peer acknowledges per second; 0 if not measured yet.
    #[must_use]
    pub const fn rate(&self) -> u64 {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the credit of a peer that takes `bytes_per_second` over a line with this round trip,
    /// some time into a flood.
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
