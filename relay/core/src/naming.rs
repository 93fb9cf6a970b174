//! Sessions under names that are longer than an id: seed 001 calls one `user_1_ws_<uuid>`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moorline_shared::id::{InvalidId, SessionId};
use moorline_shared::limits::{ID_CHARACTERS, LONG_ID_CHARACTERS};
use sha2::{Digest as _, Sha256};

/// The prefix of the ids of such sessions.
const PREFIX: &str = "ws_";

/// Returns the id of the session that a text names: the text itself, or, if it is longer than an
/// id, an id that is always derived in the same way. Two texts share an id only by a collision in
/// 174 bits of SHA-256.
///
/// # Errors
/// If the text has other characters, or is too short or too long.
pub fn id_of(text: &str) -> Result<SessionId, InvalidId> {
    if own_name(text).is_none() {
        return text.parse();
    }
    let mut id = PREFIX.to_owned() + &URL_SAFE_NO_PAD.encode(Sha256::digest(text));
    id.truncate(*ID_CHARACTERS.end());
    id.parse()
}

/// Returns the text if it is a name longer than an id.
#[must_use]
pub fn own_name(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let is_long = (*ID_CHARACTERS.end() + 1..=LONG_ID_CHARACTERS).contains(&text.len());
    (is_long && text.bytes().all(plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "user_1_ws_3f1c9a52-7c1f-4a53-9f0e-0d6a3c1b2e4f";

    #[test]
    fn a_long_name_has_an_id_of_its_own() {
        let id = id_of(LONG).unwrap();
        // People's databases contain it, so it must never change.
        assert_eq!(id.as_str(), "ws_dM2BdkO8GfdwBD8_hECmAgyipr2_L");
        assert_ne!(id, id_of(&LONG.replace("user_1", "user_2")).unwrap());
        assert_eq!(own_name(LONG), Some(LONG));
        assert_eq!(id_of(&"x".repeat(33)).unwrap().as_str().len(), 32);
    }

    #[test]
    fn an_id_is_itself_and_anything_else_is_none() {
        assert_eq!(id_of("abcdefgh").unwrap().as_str(), "abcdefgh");
        assert_eq!(own_name(&"x".repeat(32)), None);
        let (dots, long) = (LONG.replace('-', "."), "x".repeat(LONG_ID_CHARACTERS + 1));
        for bad in ["short", "", &dots, &long, "user_1_ws_ä-7c1f-4a53-9f0e-0d6a3c1b2e4f"] {
            assert_eq!(id_of(bad), Err(InvalidId), "{bad}");
        }
    }
}
