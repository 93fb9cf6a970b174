//! Checks that what browsers and devices state of passkeys is refused or taken, whatever it contains.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use moorline_core::auth::{Grant, SecretHash};
use moorline_core::passkey::{
    CHALLENGE_KEY_BYTES, ChallengeKey, PasskeyRecord, PasskeyRefused, RelyingParty,
};
use moorline_shared::rest::{
    AddPasskey, LogInByPasskey, NewPasskey, NewPasskeyResponse, PasskeyAssertion,
};
use moorline_shared::time::Time;

const KEY: ChallengeKey = ChallengeKey::new([3; CHALLENGE_KEY_BYTES]);
const TOKEN: SecretHash = [1; 32];
const NOW: Time = Time::from_ms(1000);
/// What a device states before the key of a passkey: for this relay, by a user whom it has checked, with the id `test`.
const DEVICE_START: &[u8] = b"\x3c\x1a\x21\x23\x94\x2d\x1e\x10\x96\xe9\xbc\xfa\x5b\x60\xd5\x84\x94\x15\xcc\x18\xb4\xe4\xbf\x12\xc9\x53\xea\x4d\xea\x52\x03\x00\x45\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04test";
/// What a browser states, with a challenge of the relay's own: to add a passkey, and to log in.
static STATED: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    [("webauthn.create", Some(&TOKEN)), ("webauthn.get", None)].map(|(kind, token)| {
        let challenge = KEY.issue(token, NOW).expect("there are random numbers");
        let text = serde_json::json!({
            "type": kind, "challenge": challenge, "origin": "https://moor.example",
        });
        text.to_string().into_bytes()
    })
});

fn add(client_data: &[u8], data: &[u8]) -> Option<PasskeyRecord> {
    let [client_data, authenticator_data] =
        [client_data, data].map(|it| URL_SAFE_NO_PAD.encode(it));
    let response = NewPasskeyResponse { client_data, authenticator_data };
    let wanted = AddPasskey { label: None, credential: NewPasskey { response } };
    let by = (&Grant::unstored(), &TOKEN);
    PasskeyRecord::register(&wanted, by, &relay(), &KEY, &[], NOW).ok().map(|(made, _)| made)
}

fn relay() -> RelyingParty {
    RelyingParty { id: "moor.example".to_owned(), origin: "https://moor.example".to_owned() }
}

fn log_in(made: PasskeyRecord, client_data: &[u8], data: &[u8], signature: &[u8]) {
    let id = URL_SAFE_NO_PAD.encode(&made.credential);
    let [client_data, authenticator_data, signature] =
        [client_data, data, signature].map(|it| URL_SAFE_NO_PAD.encode(it));
    let response = PasskeyAssertion { client_data, authenticator_data, signature, user: None };
    let refused = made.log_in(&LogInByPasskey { id, response }, &relay(), &KEY, NOW).err();
    // Nobody signs by chance, and a key that was taken is one.
    assert!(refused.is_some_and(|why| why != PasskeyRefused::Key));
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, input)) = input.split_first() else { return };
    let [create, get] = &*STATED;
    match kind % 3 {
        // The browser's statement.
        0 => assert!(add(input, &[]).is_none(), "no statement of a device is empty"),
        // The device's statement of a new passkey, which may sign next.
        1 => {
            if let Some(made) = add(create, input) {
                assert!(input.ends_with(&made.key) || input.len() > made.key.len());
                log_in(made, get, &input[..input.len().min(37)], input);
            }
        }
        // The signature of a passkey, whose key comes first.
        _ => {
            let (key, rest) = input.split_at(input.len().min(77));
            let (data, signature) = rest.split_at(rest.len().min(37));
            let Some(made) = add(create, &[DEVICE_START, key].concat()) else { return };
            log_in(made, get, data, signature);
        }
    }
});
