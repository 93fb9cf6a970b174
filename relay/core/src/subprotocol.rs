//! Chooses one of the subprotocols that a WebSocket offers.

use moorline_shared::message::{EVENTS_SUBPROTOCOL, SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX};

/// The prefix of this project's own subprotocols.
const OWN: &str = "moorline.";

/// Returns `moorline.v1` or `moorline.events` if one is offered. Otherwise returns the first foreign name, because a
/// browser that offers names wants one of them back. Never returns a token or an unknown version.
///
/// `offered` are the values of `Sec-WebSocket-Protocol`.
pub fn choose<'a>(offered: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    debug_assert!(TOKEN_SUBPROTOCOL_PREFIX.starts_with(OWN));
    let is_own =
        |name: &str| name.get(..OWN.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN));
    let names = offered.flat_map(|value| value.split(',')).map(str::trim);
    let mut first = None;
    for name in names.filter(|name| !name.is_empty()) {
        if name == SUBPROTOCOL || name == EVENTS_SUBPROTOCOL {
            return Some(name);
        }
        first = first.or(Some(name).filter(|name| !is_own(name)));
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_token_nor_another_version_is_echoed() {
        for (offered, chosen) in [
            (&["moorline.bearer.t", "moorline.v1"][..], Some("moorline.v1")),
            (&["moorline.bearer.t, moorline.v1"], Some("moorline.v1")),
            (&["ic-1", "moorline.v1"], Some("moorline.v1")),
            (&["moorline.events", "moorline.bearer.t"], Some("moorline.events")),
            (&["moorline.bearer.t", "ic-1"], Some("ic-1")),
            (&["moorline.v2, ic-1"], Some("ic-1")),
            (&["moorline.v2", "moorline.v1"], Some("moorline.v1")),
            (&["moorline.v2"], None),
            (&["Moorline.V1"], None),
            (&["moorline.publish.v1", "moorline."], None),
            (&["moorline.bearer.t"], None),
            (&[" , ,"], None),
            (&[], None),
        ] {
            assert_eq!(choose(offered.iter().copied()), chosen, "{offered:?}");
        }
    }
}
