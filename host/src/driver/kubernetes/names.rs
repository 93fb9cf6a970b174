//! The names of pods and volumes.
//!
//! Kubernetes allows lower-case letters, digits and `-` in a name, which must not end with `-`; the
//! ids of sessions have upper-case letters and `_` as well. So `_`, the most frequent of these,
//! becomes `-`, and other characters are written with a `z` in front. Two sessions never have the
//! same name.

use moorline_shared::id::SessionId;

/// The beginning of every name, as in the seed's pods.
const PREFIX: &str = "exec-";

/// Returns the name of a session's pod and of its volume.
pub(super) fn pod_name(session: &SessionId) -> String {
    let id = session.as_str();
    let mut name = PREFIX.to_owned();
    for (at, character) in id.char_indices() {
        let is_last = at + 1 == id.len();
        match character {
            '_' if is_last => name.push_str("z1"),
            '_' => name.push('-'),
            '-' => name.push_str("z0"),
            'z' => name.push_str("zz"),
            'Z' => name.push_str("z2"),
            'A'..='Y' => name.extend(['z', character.to_ascii_lowercase()]),
            other => name.push(other),
        }
    }
    name
}

/// Returns the session that a pod's name stands for; `None` if it is no such name.
pub(super) fn session_of(name: &str) -> Option<SessionId> {
    let mut characters = name.strip_prefix(PREFIX)?.chars();
    let mut id = String::new();
    while let Some(character) = characters.next() {
        id.push(match character {
            '-' => '_',
            'z' => match characters.next()? {
                '0' => '-',
                '1' => '_',
                '2' => 'Z',
                'z' => 'z',
                letter @ 'a'..='y' => letter.to_ascii_uppercase(),
                _ => return None,
            },
            other => other,
        });
    }
    id.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_stay_readable() {
        let name = |id: &str| pod_name(&id.parse().unwrap());
        assert_eq!(name("user_1_ws_abc123_123456"), "exec-user-1-ws-abc123-123456");
        assert_eq!(name("Fizz-Z_a_"), "exec-zfizzzzz0z2-az1");
        assert_eq!(session_of("exec-z3aaaaaaa"), None);
        assert_eq!(session_of("other-aaaaaaaa"), None);
    }

    proptest! {
        #[test]
        fn a_name_stands_for_one_session(id in "[a-zA-Z0-9_-]{8,32}") {
            let session: SessionId = id.parse().unwrap();
            let name = pod_name(&session);
            prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(!name.ends_with('-') && name.len() <= 253);
            prop_assert_eq!(session_of(&name), Some(session));
        }
    }
}
