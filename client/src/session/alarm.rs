//! One timer that is set again and again.

use gloo_timers::callback::Timeout;
use moorline_shared::time::Time;

use crate::bindings::clock;

/// Rings at the time that was asked for last.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<(Time, Timeout)>);

impl Alarm {
    /// Rings at `time`, and at no earlier one that was asked for.
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
        // One more, because the clock's fraction of a millisecond was cut off.
        self.0 = Some((time, Timeout::new(delay.saturating_add(1), ring)));
    }
}
