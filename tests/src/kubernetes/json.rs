//! Short ways to read and make objects.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::random::Random;

/// The text of a field; empty if it has none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The entries of a list; none if it is none.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The name of an object.
pub(super) fn name(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

/// The namespace of an object.
pub(super) fn namespace(object: &Value) -> &str {
    text(&object["metadata"]["namespace"])
}

/// The uid of an object.
pub(super) fn uid(object: &Value) -> &str {
    text(&object["metadata"]["uid"])
}

/// The current time, as objects have it.
pub(super) fn now() -> String {
    time_after(Duration::ZERO)
}

/// A time in the future, as objects have it.
pub(super) fn time_after(delay: Duration) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from((since + delay).as_secs()).unwrap_or_default();
    format!("{:.0}", jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX))
}

/// A new uid. The keys of the hasher are random.
pub(super) fn new_uid() -> String {
    let mut random = Random::new(RandomState::new().build_hasher().finish());
    let (high, low) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

/// Letters for the end of a generated name.
pub(super) fn new_suffix() -> String {
    let mut random = Random::new(RandomState::new().build_hasher().finish());
    let letters = b"bcdfghjklmnpqrstvwxz2456789";
    let letter = |_| char::from(letters[random.between(0, letters.len() as u64) as usize]);
    (0..5).map(letter).collect()
}
