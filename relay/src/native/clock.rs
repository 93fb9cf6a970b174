//! The only place of the relay that asks what time it is.

use std::time::{Duration, Instant, SystemTime};

use moorline_shared::time::Time;

/// A monotonic clock for the machines, started once for the whole relay.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts at 0.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The time since the start.
    #[must_use]
    pub fn now(&self) -> Time {
        Time::from_ms(whole_ms(self.start.elapsed()))
    }

    /// The moment of a [`Time`], for a timer.
    #[must_use]
    pub fn instant(&self, time: Time) -> Instant {
        // A machine that never wants to be called again names a time beyond any clock.
        const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
        self.start + Duration::from_millis(time.ms).min(self.start.elapsed() + FAR)
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn wall_ms() -> u64 {
    whole_ms(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Milliseconds since 1970 as RFC 3339, as `2026-01-02T03:04:05.678Z`.
#[must_use]
pub fn rfc3339(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", time.unwrap_or(jiff::Timestamp::MAX))
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_milliseconds_and_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert!(rfc3339(u64::MAX).starts_with("9999-"));
    }

    #[test]
    fn the_end_of_time_is_an_instant_too() {
        let clock = Clock::start();
        assert!(clock.instant(Time::from_ms(u64::MAX)) > Instant::now());
    }
}
