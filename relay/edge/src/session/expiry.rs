//! When the session's alarm rings, and when the session expires.

use std::time::Duration;

use moorline_shared::session::Lifecycle;
use moorline_shared::time::Time;
use worker::Env;

use super::clock::number;

/// Upper bound on how late a timer's work can run if eviction lost the timer. An alarm keeps the
/// object awake for longer, so alarms should be rare.
pub(super) const SAFETY: Duration = Duration::from_secs(60);
/// Default retention of a session that is over or whose host is away, in days.
const EXPIRY_DAYS: f64 = 30.0;
/// The variable that overrides [`EXPIRY_DAYS`]; fractions are allowed.
const EXPIRY_VARIABLE: &str = "MOORLINE_EXPIRY_DAYS";
/// Time that an expired session stays listed before it is removed; shorter if its retention was.
const GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const DAY_SECONDS: f64 = 24.0 * 60.0 * 60.0;

/// Retention of a session that is over or whose host is away.
#[derive(Debug)]
pub(super) struct Expiry {
    after: Duration,
    /// Time of the alarm that is set, as far as this instance knows.
    alarm: Option<Time>,
}

impl Expiry {
    pub(super) fn configured(env: &Env) -> Self {
        let days = number(env, EXPIRY_VARIABLE).filter(|days| *days > 0.0).unwrap_or(EXPIRY_DAYS);
        let after = Duration::try_from_secs_f64(days * DAY_SECONDS).unwrap_or(Duration::MAX);
        Self { after, alarm: None }
    }

    /// Time at which a session that is in this state since then expires or is removed; `None` while
    /// it is live.
    pub(super) fn ends_at(&self, lifecycle: Lifecycle, since: Time) -> Option<Time> {
        match lifecycle {
            Lifecycle::Live => None,
            Lifecycle::Expired => Some(since + GRACE.min(self.after)),
            Lifecycle::Detached | Lifecycle::Exited | Lifecycle::Lost => Some(since + self.after),
        }
    }

    /// Time to set the alarm for, and assumes that it is set; `None` if no alarm is needed or an
    /// earlier one is set.
    pub(super) fn alarm_at(&mut self, wanted: Option<Time>) -> Option<Time> {
        let wanted = wanted?;
        if self.alarm.is_some_and(|alarm| alarm <= wanted) {
            return None;
        }
        self.alarm = Some(wanted);
        Some(wanted)
    }

    /// Notes that the alarm has come.
    pub(super) const fn rang(&mut self) {
        self.alarm = None;
    }
}
