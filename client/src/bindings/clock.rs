//! Clocks and randomness.

use moorline_shared::time::Time;
use web_sys::{Event, window};

/// The moment on the page's monotonic clock.
#[must_use]
pub fn now() -> Time {
    let ms = window().and_then(|window| window.performance()).map_or(0.0, |clock| clock.now());
    // Truncation is meant: the machines count whole milliseconds.
    Time::from_ms(ms as u64)
}

/// The moment at which the event happened, on the same clock. A busy page handles it later.
#[must_use]
pub fn time_of(event: &Event) -> Time {
    Time::from_ms(event.time_stamp() as u64)
}

/// Milliseconds since 1970.
#[must_use]
pub fn wall_ms() -> f64 {
    js_sys::Date::now()
}

/// Milliseconds since 1970 of an RFC 3339 text.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<f64> {
    let ms = js_sys::Date::parse(text);
    ms.is_finite().then_some(ms)
}

/// A moment in the reader's own way of writing time, as `14:02:31`.
#[must_use]
pub fn local_time(wall_ms: f64) -> String {
    let date = js_sys::Date::new(&wall_ms.into());
    format!("{:02}:{:02}:{:02}", date.get_hours(), date.get_minutes(), date.get_seconds())
}

/// A moment with its date in the reader's own way.
#[must_use]
pub fn local_date_time(wall_ms: f64) -> String {
    js_sys::Date::new(&wall_ms.into()).to_locale_string("default", &js_sys::Object::new()).into()
}

/// Random bits for names and for spreading retries.
#[must_use]
pub fn random_bits() -> u128 {
    let mut bytes = [0_u8; 16];
    let filled = window()
        .and_then(|window| window.crypto().ok())
        .is_some_and(|crypto| crypto.get_random_values_with_u8_array(&mut bytes).is_ok());
    if !filled {
        // Pages without Web Crypto do not exist among the supported browsers; names must differ
        // all the same.
        for byte in &mut bytes {
            *byte = (js_sys::Math::random() * 256.0) as u8;
        }
    }
    u128::from_le_bytes(bytes)
}
