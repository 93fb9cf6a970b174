//! The relay's clocks. No other module reads the time.

use std::time::{Duration, Instant, SystemTime};

use moorline_shared::time::Time;

/// A monotonic clock for the machines, started once for the whole relay.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts the clock at 0.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Returns the time since the start.
    #[must_use]
    pub fn now(&self) -> Time {
        Time::from_ms(whole_ms(self.start.elapsed()))
    }

    /// Converts a [`Time`] of this clock for use with a timer.
    #[must_use]
    pub fn instant(&self, time: Time) -> Instant {
        // A machine without a next deadline names a time that `Instant` cannot represent.
        const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
        self.start + Duration::from_millis(time.ms).min(self.start.elapsed() + FAR)
    }
}

/// Returns the wall-clock time, in milliseconds since 1970.
#[must_use]
pub fn wall_ms() -> u64 {
    whole_ms(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_time_is_an_instant_too() {
        let clock = Clock::start();
        assert!(clock.instant(Time::from_ms(u64::MAX)) > Instant::now());
    }
}
