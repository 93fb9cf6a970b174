//! Clocks, and a source of randomness.

use js_sys::Promise;
use moorline_shared::time::Time;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Event, window};

/// Returns the current time on the page's monotonic clock.
#[must_use]
pub fn now() -> Time {
    let ms = window().and_then(|window| window.performance()).map_or(0.0, |clock| clock.now());
    // Truncates on purpose: the state machines count whole milliseconds.
    Time::from_ms(ms as u64)
}

/// Returns the time at which `event` happened, on the same clock as [`now`]. A busy page handles it
/// later.
#[must_use]
pub fn time_of(event: &Event) -> Time {
    Time::from_ms(event.time_stamp() as u64)
}

/// Returns the wall-clock time in milliseconds since 1970.
#[must_use]
pub fn wall_ms() -> f64 {
    js_sys::Date::now()
}

/// Waits until the browser is about to draw the next frame.
pub async fn frame() {
    let frame = Promise::new(&mut |resolve, _| {
        // Fails only without a window.
        let _ = window().map(|window| window.request_animation_frame(&resolve));
    });
    // It is never rejected.
    let _ = JsFuture::from(frame).await;
}

/// Parses an RFC 3339 timestamp into milliseconds since 1970. Returns `None` if it is malformed.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<f64> {
    let ms = js_sys::Date::parse(text);
    ms.is_finite().then_some(ms)
}

/// Formats a wall-clock time as local hours, minutes and seconds, such as `14:02:31`.
#[must_use]
pub fn local_time(wall_ms: f64) -> String {
    let date = js_sys::Date::new(&wall_ms.into());
    format!("{:02}:{:02}:{:02}", date.get_hours(), date.get_minutes(), date.get_seconds())
}

/// Formats a wall-clock time with its date in the browser's locale.
#[must_use]
pub fn local_date_time(wall_ms: f64) -> String {
    js_sys::Date::new(&wall_ms.into()).to_locale_string("default", &js_sys::Object::new()).into()
}

/// Returns 128 random bits, for names and for spreading retries.
#[must_use]
pub fn random_bits() -> u128 {
    let mut bytes = [0_u8; 16];
    let filled = window()
        .and_then(|window| window.crypto().ok())
        .is_some_and(|crypto| crypto.get_random_values_with_u8_array(&mut bytes).is_ok());
    if !filled {
        // Every supported browser has Web Crypto. If it fails all the same, names must still
        // differ.
        for byte in &mut bytes {
            *byte = (js_sys::Math::random() * 256.0) as u8;
        }
    }
    u128::from_le_bytes(bytes)
}
