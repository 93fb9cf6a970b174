//! Limits how often something that changes is reported.

use std::time::Duration;

use crate::time::Time;

/// Time without a change after which a change is reported.
const QUIET: Duration = Duration::from_millis(150);
/// Time after which a change is reported although changes continue.
const LATEST: Duration = Duration::from_secs(1);

/// Says when to report something that changes: soon after it rests, and about once a second while
/// it does not.
#[derive(Debug, Clone, Copy, Default)]
pub struct CursorPace {
    /// When to report if nothing changes before, and the time by which to report in any case.
    due: Option<(Time, Time)>,
}

impl CursorPace {
    /// Notes a change.
    pub fn changed(&mut self, now: Time) {
        let latest = self.due.map_or(now + LATEST, |(_, latest)| latest);
        self.due = Some(((now + QUIET).min(latest), latest));
    }

    /// Returns true once for changes that must be reported now. Another call is harmless.
    pub fn poll_report(&mut self, now: Time) -> bool {
        let is_due = self.due.is_some_and(|(due, _)| now >= due);
        if is_due {
            self.due = None;
        }
        is_due
    }

    /// Returns when to call [`CursorPace::poll_report`]. Changes by [`CursorPace::changed`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.due.map(|(due, _)| due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rests_is_reported_soon_and_once() {
        let mut pace = CursorPace::default();
        assert!(!pace.poll_report(Time::from_ms(5)));
        pace.changed(Time::from_ms(10));
        assert_eq!(pace.poll_timeout(), Some(Time::from_ms(160)));
        assert!(!pace.poll_report(Time::from_ms(159)));
        assert!(pace.poll_report(Time::from_ms(160)));
        assert!(!pace.poll_report(Time::from_ms(160)));
        assert_eq!(pace.poll_timeout(), None);
    }

    #[test]
    fn what_never_rests_is_reported_once_a_second() {
        let mut pace = CursorPace::default();
        let reports = (0..10_000).filter(|ms| {
            pace.changed(Time::from_ms(*ms));
            pace.poll_report(Time::from_ms(*ms))
        });
        assert_eq!(reports.count(), 9);
    }
}
