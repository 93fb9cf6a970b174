//! The runtime's clock, and numbers from its variables.

use js_sys::parse_float;
use moorline_shared::time::Time;
use worker::{Date, Env};

/// The current time, in milliseconds since 1970: a saved time must stay valid after the object was
/// evicted and loaded again.
pub(super) fn now() -> Time {
    Time::from_ms(wall_ms())
}

/// The current wall-clock time, in milliseconds since 1970.
pub(super) fn wall_ms() -> u64 {
    Date::now().as_millis()
}

/// A variable that is a number. JavaScript parses it, because Rust's tables for that would add 10
/// KiB to the Worker.
pub(super) fn number(env: &Env, name: &str) -> Option<f64> {
    let number = parse_float(&env.var(name).ok()?.to_string());
    (!number.is_nan()).then_some(number)
}
