//! Points in time, as numbers that are passed in.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time on a monotonic clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time {
    /// Milliseconds since the clock's arbitrary start.
    pub ms: u64,
}

impl Time {
    /// Returns the point in time `ms` milliseconds after the clock's start.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self { ms }
    }
}

impl Add<Duration> for Time {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self { ms: self.ms.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)) }
    }
}

impl Sub for Time {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_millis(self.ms.saturating_sub(earlier.ms))
    }
}
