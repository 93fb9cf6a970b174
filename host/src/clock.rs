//! The only place where the host reads a clock.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

use moorline_shared::time::Time;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Returns the current time on a monotonic clock.
#[must_use]
pub(crate) fn monotonic() -> Time {
    Time::from_ms(u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// Returns the wall-clock time in milliseconds since 1970.
#[must_use]
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
