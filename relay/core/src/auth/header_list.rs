//! Reads headers whose value is a list.

use http::{HeaderMap, HeaderName};

/// Returns the items of all headers of this name, without the spaces around them.
pub(super) fn items<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    separator: char,
) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(move |value| value.split(separator)).map(str::trim)
}
