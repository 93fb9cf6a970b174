//! The only place where the host reads a clock, draws random numbers and asks which boot this is.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

use moorline_shared::time::Time;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Returns the current time on a monotonic clock.
#[must_use]
pub(crate) fn monotonic() -> Time {
    #[cfg(test)]
    if let Some(now) = virtual_clock::now_ms() {
        return Time::from_ms(now);
    }
    Time::from_ms(u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// Returns the wall-clock time in milliseconds since 1970.
#[must_use]
pub(crate) fn wall_ms() -> u64 {
    #[cfg(test)]
    if let Some(now) = virtual_clock::now_ms() {
        return now;
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns fresh random bits.
pub(crate) fn random_bits() -> u128 {
    #[cfg(test)]
    if let Some(bits) = virtual_clock::random_bits() {
        return bits;
    }
    // The keys come from the system's random numbers.
    let half = || u128::from(RandomState::new().hash_one(wall_ms()));
    half() << 64 | half()
}

/// Returns a name of the machine's current boot; empty if the system has none.
#[cfg(feature = "host")]
pub(crate) fn this_boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// The time and the random numbers of a simulation, on its own thread.
#[cfg(test)]
pub(crate) mod virtual_clock {
    use std::cell::Cell;

    thread_local! {
        static NOW: Cell<Option<u64>> = const { Cell::new(None) };
        static RANDOM: Cell<u128> = const { Cell::new(0) };
    }

    /// Sets this thread's time, in milliseconds since 1970; `None` for that of the machine.
    pub(crate) fn set(now_ms: Option<u64>) {
        if NOW.replace(now_ms).is_none() {
            RANDOM.set(0);
        }
    }

    pub(crate) fn now_ms() -> Option<u64> {
        NOW.get()
    }

    /// Returns bits that no other call returns; `None` without a simulation.
    pub(crate) fn random_bits() -> Option<u128> {
        NOW.get()?;
        RANDOM.set(RANDOM.get() + 1);
        Some(RANDOM.get())
    }
}
