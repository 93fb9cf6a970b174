//! A device made of software, and what the relay refuses of it.

use moorline_shared::limits::PASSKEY_CHALLENGE_LIFETIME;
use moorline_shared::rest::{
    AddPasskey, LogInByPasskey, NewPasskey, NewPasskeyResponse, PasskeyAssertion,
};
use moorline_shared::time::Time;
use p256::ecdsa::signature::Signer as _;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::auth::Access;

const TOKEN: SecretHash = [1; 32];
const NOW: Time = Time::from_ms(1000);
const KEY: ChallengeKey = ChallengeKey::new([3; CHALLENGE_KEY_BYTES]);
const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const CREDENTIAL: u8 = 0x40;

enum DeviceKey {
    Es256(p256::ecdsa::SigningKey),
    EdDsa(ed25519_dalek::SigningKey),
}

/// What a device and its browser state; each test changes one thing of it.
struct Device {
    key: DeviceKey,
    credential: Vec<u8>,
    origin: &'static str,
    relay: &'static str,
    /// A challenge of the relay's own if it is `None`.
    challenge: Option<String>,
    ceremony: Option<&'static str>,
    cross_origin: bool,
    flags: u8,
    counter: u32,
    user: Option<Vec<u8>>,
}

impl Device {
    fn new(seed: u8) -> Self {
        Self {
            key: DeviceKey::Es256(p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap()),
            credential: vec![seed; 20],
            origin: "https://moor.example",
            relay: "moor.example",
            challenge: None,
            ceremony: None,
            cross_origin: false,
            flags: PRESENT | VERIFIED,
            counter: 0,
            user: Some(user_of(&TOKEN).into()),
        }
    }

    fn with_ed25519(seed: u8) -> Self {
        let key = DeviceKey::EdDsa(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]));
        Self { key, ..Self::new(seed) }
    }

    fn client_data(&self, ceremony: &str) -> Vec<u8> {
        let token = (ceremony == "webauthn.create").then_some(&TOKEN);
        let own = || KEY.issue(token, NOW).unwrap();
        let text = serde_json::json!({
            "type": self.ceremony.unwrap_or(ceremony),
            "challenge": self.challenge.clone().unwrap_or_else(own),
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
            "something": "else",
        });
        text.to_string().into_bytes()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let mut data = Sha256::digest(self.relay).to_vec();
        data.push(self.flags | flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn public_key(&self) -> Vec<u8> {
        match &self.key {
            DeviceKey::Es256(key) => {
                let point = key.verifying_key().to_encoded_point(false);
                let (start, middle) =
                    (b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20", b"\x22\x58\x20");
                [&start[..], point.x().unwrap(), middle, point.y().unwrap()].concat()
            }
            DeviceKey::EdDsa(key) => {
                let start = b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20";
                [&start[..], key.verifying_key().as_bytes()].concat()
            }
        }
    }

    fn made(&self) -> Vec<u8> {
        let mut data = self.data(CREDENTIAL);
        data.extend([0; 16]);
        data.extend((self.credential.len() as u16).to_be_bytes());
        data.extend(&self.credential);
        data.extend(self.public_key());
        data
    }

    fn wish(&self) -> AddPasskey {
        let response = NewPasskeyResponse {
            client_data: encode(&self.client_data("webauthn.create")),
            authenticator_data: encode(&self.made()),
        };
        AddPasskey { label: Some("phone".to_owned()), credential: NewPasskey { response } }
    }

    fn login(&self) -> LogInByPasskey {
        let (client, data) = (self.client_data("webauthn.get"), self.data(0));
        let message = [&data[..], &Sha256::digest(&client)].concat();
        let signature = match &self.key {
            DeviceKey::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(&message);
                signature.to_der().as_bytes().to_vec()
            }
            DeviceKey::EdDsa(key) => key.sign(&message).to_bytes().to_vec(),
        };
        let response = PasskeyAssertion {
            client_data: encode(&client),
            authenticator_data: encode(&data),
            signature: encode(&signature),
            user: self.user.as_deref().map(encode),
        };
        LogInByPasskey { id: encode(&self.credential), response }
    }
}

fn rp() -> RelyingParty {
    RelyingParty { id: "moor.example".to_owned(), origin: "https://moor.example".to_owned() }
}

fn grant() -> Grant {
    Grant { token_id: Some("7a".to_owned()), ..Grant::unstored() }
}

/// Adds a device's passkey, beside those that are known. An error is given by its code.
fn add(device: &Device, known: &[PasskeyRecord]) -> Result<PasskeyRecord, String> {
    add_with(&device.wish(), known, NOW)
}

fn add_with(
    wish: &AddPasskey,
    known: &[PasskeyRecord],
    now: Time,
) -> Result<PasskeyRecord, String> {
    let added = PasskeyRecord::register(wish, (&grant(), &TOKEN), &rp(), &KEY, known, now);
    added.map(|(added, _)| added).map_err(|error| error.sentence().to_owned())
}

fn log_in(passkey: &PasskeyRecord, device: &Device) -> Result<PasskeyRecord, PasskeyRefused> {
    passkey.clone().log_in(&device.login(), &rp(), &KEY, NOW).map(|(used, _)| used)
}

fn refused(why: PasskeyRefused) -> Result<PasskeyRecord, String> {
    Err(ApiError::bad_passkey(why).sentence().to_owned())
}

use crate::api::ApiError;

#[test]
fn a_passkey_is_added_and_logs_in() {
    for device in [Device::new(7), Device::with_ed25519(7)] {
        let passkey = add(&device, &[]).unwrap();
        assert_eq!((passkey.token, passkey.relay.as_str()), (TOKEN, "moor.example"));
        assert_eq!(passkey.key, device.public_key());
        assert_eq!(passkey.label.as_deref(), Some("phone"));
        let used = log_in(&passkey, &device).unwrap();
        assert_eq!((used.last_used_ms, used.counter), (Some(NOW.ms), 0));
        // The user's id may be left out.
        log_in(&passkey, &Device { user: None, ..device }).unwrap();
    }
}

#[test]
fn a_challenge_is_for_one_answer_in_time() {
    let until = NOW + PASSKEY_CHALLENGE_LIFETIME;
    let late = PasskeyRefused::Challenge;
    let with = |challenge: &str| Device { challenge: Some(challenge.to_owned()), ..Device::new(7) };
    let (own, login) = (KEY.issue(Some(&TOKEN), NOW).unwrap(), KEY.issue(None, NOW).unwrap());
    assert_ne!(own, KEY.issue(Some(&TOKEN), NOW).unwrap());
    assert_eq!(add_with(&with(&own).wish(), &[], until), refused(late));
    let passkey = add(&with(&own), &[]).unwrap();
    let log_in = |device: Device, now| {
        let login = passkey.clone().log_in(&device.login(), &rp(), &KEY, now);
        login.map(|(_, used)| used)
    };
    assert_eq!(log_in(with(&login), until), Err(late));
    // The rim accepts what an answer names once.
    let used = log_in(with(&login), NOW).unwrap();
    assert_eq!((used.expires_at, log_in(with(&login), NOW)), (until, Ok(used.clone())));
    assert_ne!(log_in(Device::new(7), NOW).unwrap().hash, used.hash);

    // Of other relays, for other purposes, for other tokens, changed or made up.
    let foreign = ChallengeKey::new([4; CHALLENGE_KEY_BYTES]);
    for (challenge, token) in [
        (foreign.issue(None, NOW).unwrap(), None),
        (own, None),
        (foreign.issue(Some(&TOKEN), NOW).unwrap(), Some(TOKEN)),
        (KEY.issue(Some(&[2; 32]), NOW).unwrap(), Some(TOKEN)),
        (login.clone(), Some(TOKEN)),
        (String::new(), None),
        ("a-challenge".to_owned(), None),
    ] {
        match token {
            Some(_) => assert_eq!(add(&with(&challenge), &[]), refused(late), "{challenge}"),
            None => assert_eq!(log_in(with(&challenge), NOW), Err(late), "{challenge}"),
        }
    }
    let bytes = decode(&login).unwrap();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        assert_eq!(log_in(with(&encode(&changed)), NOW), Err(late), "byte {place}");
    }
    assert!(!format!("{KEY:?}").contains('3'), "the key is shown");
}

#[test]
fn what_is_stated_must_fit() {
    use PasskeyRefused::{Challenge, Malformed, NotVerified, Origin, Relay};
    type Case = (fn(Device) -> Device, PasskeyRefused);
    let cases: [Case; 9] = [
        (|it| Device { origin: "https://evil.example", ..it }, Origin),
        (|it| Device { origin: "http://moor.example", ..it }, Origin),
        (|it| Device { origin: "https://moor.example:8443", ..it }, Origin),
        (|it| Device { cross_origin: true, ..it }, Origin),
        (|it| Device { relay: "evil.example", ..it }, Relay),
        (|it| Device { flags: PRESENT, ..it }, NotVerified),
        (|it| Device { flags: VERIFIED, ..it }, NotVerified),
        (|it| Device { flags: PRESENT | VERIFIED | 0x10, ..it }, Malformed),
        (|it| Device { ceremony: Some("payment.get"), ..it }, Malformed),
    ];
    let passkey = add(&Device::new(7), &[]).unwrap();
    for (change, why) in cases {
        assert_eq!(log_in(&passkey, &change(Device::new(7))), Err(why));
        assert_eq!(add(&change(Device::new(7)), &[]), refused(why));
    }
    let swapped = Device { ceremony: Some("webauthn.create"), ..Device::new(7) };
    assert_eq!(log_in(&passkey, &swapped), Err(Challenge));
    let swapped = Device { ceremony: Some("webauthn.get"), ..Device::new(7) };
    assert_eq!(add(&swapped, &[]), refused(Challenge));
}

#[test]
fn a_signature_must_be_the_passkeys() {
    use PasskeyRefused::{Signature, Unknown};
    let device = Device::new(7);
    let passkey = add(&device, &[]).unwrap();
    let foreign = Device { key: Device::new(8).key, ..Device::new(7) };
    assert_eq!(log_in(&passkey, &foreign), Err(Signature));
    let foreign = Device { key: Device::with_ed25519(8).key, ..Device::new(7) };
    assert_eq!(log_in(&passkey, &foreign), Err(Signature));
    assert_eq!(log_in(&passkey, &Device::new(8)), Err(Unknown), "another credential");
    let user = Some(user_of(&[2; 32]).into());
    assert_eq!(log_in(&passkey, &Device { user, ..Device::new(7) }), Err(Unknown));

    // The signature covers what the device and the browser state.
    let mut login = device.login();
    login.response.authenticator_data =
        Device { counter: 9, ..Device::new(7) }.login().response.authenticator_data;
    let judged = passkey.clone().log_in(&login, &rp(), &KEY, NOW);
    assert_eq!(judged.map(drop), Err(Signature));
    // A passkey of one name of the relay does not work under another.
    let elsewhere = PasskeyRecord { relay: "other.example".to_owned(), ..passkey };
    assert_eq!(log_in(&elsewhere, &device), Err(PasskeyRefused::Relay));
}

#[test]
fn a_counter_goes_up() {
    let with = |counter| Device { counter, ..Device::new(7) };
    let passkey = add(&with(5), &[]).unwrap();
    for counter in [0, 4, 5] {
        assert_eq!(log_in(&passkey, &with(counter)), Err(PasskeyRefused::Counter));
    }
    let used = log_in(&passkey, &with(6)).unwrap();
    assert_eq!(log_in(&used, &with(6)), Err(PasskeyRefused::Counter));
    assert!(log_in(&used, &with(u32::MAX)).is_ok());
}

#[test]
fn passkeys_are_added_once_and_bounded() {
    let first = add(&Device::new(1), &[]).unwrap();
    let again = std::slice::from_ref(&first);
    assert_eq!(add(&Device::new(1), again), refused(PasskeyRefused::Known));
    let many: Vec<_> = (1..=16).map(|seed| add(&Device::new(seed), &[]).unwrap()).collect();
    assert_eq!(add(&Device::new(17), &many), Err(ApiError::too_many_passkeys().sentence().into()));
    assert!(add(&Device::new(17), &many[1..]).is_ok());

    let host = Grant { access: Access::Host, ..grant() };
    let wish = Device::new(1).wish();
    let refused =
        PasskeyRecord::register(&wish, (&host, &TOKEN), &rp(), &KEY, &[], NOW).unwrap_err();
    assert_eq!(refused.status().as_u16(), 403);
}

#[test]
fn what_is_cut_off_or_not_a_key_is_refused() {
    let wish = Device::new(7).wish();
    let made = Device::new(7).made();
    let add = |data: &[u8]| {
        let mut wish = wish.clone();
        wish.credential.response.authenticator_data = encode(data);
        add_with(&wish, &[], NOW)
    };
    for end in 0..made.len() {
        assert!(add(&made[..end]).is_err(), "{end} bytes");
    }
    assert_eq!(add(&[&made[..], &[0]].concat()), refused(PasskeyRefused::Malformed));
    let extended = {
        let mut made = made.clone();
        made[32] |= 0x80;
        [&made[..], &[0xa0]].concat()
    };
    assert_eq!(add(&extended).unwrap().key, Device::new(7).public_key());
    // Not a point of the curve, and the neutral element.
    let mut bad = made.clone();
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(add(&bad), refused(PasskeyRefused::Key));
    let ed25519 = Device::with_ed25519(7).made();
    let mut weak = ed25519[..ed25519.len() - 32].to_vec();
    weak.extend([[1].as_slice(), &[0; 31]].concat());
    assert_eq!(add(&weak), refused(PasskeyRefused::Key));
    let mut wish = wish.clone();
    wish.credential.response.client_data = "!".to_owned();
    assert_eq!(add_with(&wish, &[], NOW), refused(PasskeyRefused::Malformed));
}

#[test]
fn others_than_administrators_see_their_own_tokens_passkeys() {
    let own = add(&Device::new(1), &[]).unwrap();
    let other = PasskeyRecord { token: [2; 32], ..add(&Device::new(2), &[]).unwrap() };
    let both = vec![own.clone(), other];
    let reader = Grant { access: "session:abcdefgh:read".parse().unwrap(), ..grant() };
    assert_eq!(passkeys_of(both.clone(), (&reader, &TOKEN)), vec![own]);
    assert_eq!(passkeys_of(both.clone(), (&grant(), &TOKEN)), both);
}

#[test]
fn a_browser_is_asked_for_what_the_relay_checks() {
    let known = [add(&Device::new(1), &[]).unwrap()];
    let asked = creation(&rp(), (&grant(), &TOKEN), &known, "a-challenge".to_owned());
    let asked = serde_json::to_value(&asked).unwrap();
    assert_eq!(asked["rp"]["id"], "moor.example");
    assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(asked["pubKeyCredParams"][0]["alg"], -7);
    assert_eq!(asked["excludeCredentials"][0]["id"], encode(&[1; 20]));
    assert!(!asked.to_string().contains(&encode(&TOKEN)), "the token's hash is shown");
    let asked = serde_json::to_value(request(&rp(), "a-challenge".to_owned())).unwrap();
    assert_eq!(
        (&asked["rpId"], &asked["userVerification"]),
        (&"moor.example".into(), &"required".into())
    );
}
