//! The only place of the host that asks what time of the day it is.

use std::time::SystemTime;

/// Milliseconds since 1970.
#[must_use]
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
