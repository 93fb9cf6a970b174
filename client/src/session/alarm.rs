//! A timer that can be set repeatedly.

use gloo_timers::callback::Timeout;
use moorline_shared::time::Time;

use crate::bindings::clock;

/// A timer that rings at the time that was set last.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<(Time, Timeout)>);

impl Alarm {
    /// Rings at `time`, instead of at a time that was set before. `None` cancels the timer.
    pub(super) fn set(&mut self, time: Option<Time>, ring: impl FnOnce() + 'static) {
        let Some(time) = time else {
            self.0 = None;
            return;
        };
        if self.0.as_ref().is_some_and(|(set, _)| *set == time) {
            return;
        }
        let delay = (time - clock::now()).as_millis();
        let delay = u32::try_from(delay).unwrap_or(u32::MAX).min(i32::MAX as u32);
        // One more, because the clock cuts off the fraction of a millisecond.
        self.0 = Some((time, Timeout::new(delay.saturating_add(1), ring)));
    }
}
