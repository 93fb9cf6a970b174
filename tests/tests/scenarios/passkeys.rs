//! Passkeys, with a device made of software.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{StreamExt as _, stream};
use moorline_shared::limits::PASSKEY_CHALLENGES;
use moorline_shared::rest::{AuditKind, AuditList, PasskeyList, TokenCreated};
use moorline_tests::api::Api;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use reqwest::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The flags of a device that has checked who uses it.
const VERIFIED: u8 = 0x05;
/// The flag of a new credential.
const CREDENTIAL: u8 = 0x40;

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A device with one passkey, and the page that uses it.
struct Device {
    key: SigningKey,
    /// Where the page is: `localhost` and the relay's port, behind a proxy with TLS.
    host: String,
    origin: String,
    counter: u32,
}

impl Device {
    fn new(relay: &Relay) -> Result<Self> {
        let host = relay.url().replace("http://127.0.0.1", "localhost");
        let origin = format!("https://{host}");
        Ok(Self { key: SigningKey::from_slice(&[7; 32])?, host, origin, counter: 0 })
    }

    async fn post(&self, api: &Api, path: &str, body: &Value) -> Result<Response> {
        let request = api.request(Method::POST, path).header(HOST, &self.host);
        Ok(request.header(ORIGIN, &self.origin).json(body).send().await?)
    }

    async fn challenge(&self, api: &Api, path: &str) -> Result<String> {
        let answer = self.post(api, path, &json!({})).await?;
        ensure!(answer.status() == 200, "{}", answer.text().await?);
        let options: Value = answer.json().await?;
        let name = options["rp"]["id"].as_str().or(options["rpId"].as_str());
        ensure!(name == Some("localhost"), "{options}");
        Ok(options["challenge"].as_str().context("no challenge")?.to_owned())
    }

    fn client_data(&self, ceremony: &str, challenge: &str) -> Vec<u8> {
        json!({"type": ceremony, "challenge": challenge, "origin": self.origin})
            .to_string()
            .into_bytes()
    }

    fn data(&mut self, flags: u8) -> Vec<u8> {
        self.counter += 1;
        let flags = [VERIFIED | flags];
        [&Sha256::digest("localhost")[..], &flags, &self.counter.to_be_bytes()].concat()
    }

    async fn add(&mut self, api: &Api) -> Result<Response> {
        let challenge = self.challenge(api, "/api/passkeys/challenge").await?;
        let point = self.key.verifying_key().to_encoded_point(false);
        let (x, y) = (point.x().context("no x")?, point.y().context("no y")?);
        let credential = [&[0; 16][..], b"\0\x04abcd"].concat();
        let key =
            [b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20", &x[..], b"\x22\x58\x20", y].concat();
        let data = [self.data(CREDENTIAL), credential, key].concat();
        let response = json!({
            "clientDataJSON": encode(&self.client_data("webauthn.create", &challenge)),
            "authenticatorData": encode(&data),
        });
        let wish = json!({
            "label": "phone",
            "credential": {"id": encode(b"abcd"), "type": "public-key", "response": response},
        });
        self.post(api, "/api/passkeys", &wish).await
    }

    fn sign(&mut self, challenge: &str) -> Value {
        let client = self.client_data("webauthn.get", challenge);
        let data = self.data(0);
        let message = [&data[..], &Sha256::digest(&client)].concat();
        let signature: Signature = self.key.sign(&message);
        let response = json!({
            "clientDataJSON": encode(&client),
            "authenticatorData": encode(&data),
            "signature": encode(signature.to_der().as_bytes()),
        });
        json!({"id": encode(b"abcd"), "type": "public-key", "response": response})
    }

    async fn log_in(&mut self, api: &Api) -> Result<Response> {
        let challenge = self.challenge(api, "/api/login/passkey/challenge").await?;
        let signed = self.sign(&challenge);
        self.post(api, "/api/login/passkey?keepForMs=60000", &signed).await
    }

    /// Logs in, and returns what the cookie gives.
    async fn status(&mut self, api: &Api) -> Result<Value> {
        let answer = self.log_in(api).await?;
        let set: Vec<_> = answer.headers().get_all(SET_COOKIE).iter().cloned().collect();
        ensure!(answer.status() == 200 && set.len() == 2, "{}", answer.text().await?);
        let set = set[0].to_str()?;
        ensure!(set.contains("Max-Age=60; HttpOnly; SameSite=Strict; Secure"), "{set}");
        let cookie = set.split(';').next().context("it is not empty")?.to_owned();
        let request = api.request(Method::GET, "/api/login").header(HOST, &self.host);
        Ok(request.header(COOKIE, cookie).send().await?.json().await?)
    }
}

async fn ensure_refused(answer: Response, status: u16, code: &str) -> Result<()> {
    let found = answer.status();
    let body: Value = answer.json().await?;
    ensure!(found == status && body["code"] == code, "{found}: {body}");
    Ok(())
}

async fn token(relay: &Relay, scope: &str, label: &str) -> Result<(String, Api)> {
    let wish = json!({"scope": scope, "label": label});
    let made = relay.api().expect(201, Method::POST, "/api/tokens", wish).await?;
    let TokenCreated { token, summary, .. } = serde_json::from_value(made)?;
    Ok((summary.id, relay.api().with_token(Some(&token))))
}

async fn passkeys(api: &Api) -> Result<PasskeyList> {
    api.get("/api/passkeys").await
}

#[tokio::test]
async fn a_passkey_logs_in_as_long_as_its_token_is_valid() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, laptop) = token(&relay, "admin", "laptop").await?;
    let (_, other) = token(&relay, "session:abcdefgh:read", "guest").await?;
    let nobody = relay.api().with_token(None);
    let mut device = Device::new(&relay)?;
    let added = device.add(&laptop).await?;
    ensure!(added.status() == 201, "{}", added.text().await?);
    ensure_refused(device.add(&laptop).await?, 400, "bad_passkey").await?;

    let listed = passkeys(&relay.api()).await?.passkeys;
    ensure!(listed.len() == 1 && listed[0].token_id.as_ref() == Some(&id), "{listed:?}");
    ensure!(listed[0].label.as_deref() == Some("phone"), "{listed:?}");
    ensure!(listed[0].token_label.as_deref() == Some("laptop"), "{listed:?}");
    ensure!(listed[0].relay == "localhost" && listed[0].last_used.is_none(), "{listed:?}");
    ensure!(passkeys(&other).await?.passkeys.is_empty(), "a guest sees an administrator's");
    let path = format!("/api/passkeys/{}", listed[0].id);
    other.expect(404, Method::DELETE, &path, Value::Null).await?;

    let status = device.status(&nobody).await?;
    ensure!(status == json!({"scope": "admin", "tokenId": id, "label": "laptop"}), "{status}");
    let used = passkeys(&laptop).await?.passkeys;
    ensure!(used[0].last_used.is_some(), "{used:?}");

    // It gives what the token gives now, and nothing once that is revoked.
    let of_token = format!("/api/tokens/{id}");
    let less = json!({"scope": "session:abcdefgh:write"});
    relay.api().expect(200, Method::PATCH, &of_token, less).await?;
    ensure!(device.status(&nobody).await?["scope"] == "session:abcdefgh:write");
    relay.api().expect(200, Method::DELETE, &of_token, Value::Null).await?;
    ensure_refused(device.log_in(&nobody).await?, 401, "passkey_refused").await?;
    ensure!(passkeys(&relay.api()).await?.passkeys.is_empty(), "it outlives its token");

    // The relay's own token can have passkeys, too.
    ensure!(device.add(&relay.api()).await?.status() == 201);
    ensure!(device.status(&nobody).await? == json!({"scope": "admin"}));
    relay.api().expect(200, Method::DELETE, &path, Value::Null).await?;
    ensure_refused(device.log_in(&nobody).await?, 401, "passkey_refused").await?;

    wait_until("the events in the audit", async || {
        let list: Result<AuditList> = relay.api().get("/api/audit?limit=500").await;
        let Ok(AuditList { events, .. }) = list else { return false };
        let count = |kind: AuditKind, who: &str| {
            let is_it = |detail: &String| detail == "passkey “phone” for localhost";
            let of = events.iter().filter(|event| event.kind == kind && event.who == who);
            of.filter(|event| event.detail.as_ref().is_some_and(is_it)).count()
        };
        count(AuditKind::PasskeyAdded, "laptop") == 1
            && count(AuditKind::LoggedIn, "laptop") == 2
            && count(AuditKind::PasskeyRemoved, "admin") == 1
    })
    .await
}

#[tokio::test]
async fn a_challenge_outlives_any_number_of_others() -> Result<()> {
    let relay = Relay::start().await?;
    let nobody = relay.api().with_token(None);
    let mut device = Device::new(&relay)?;
    ensure!(device.add(&relay.api()).await?.status() == 201);
    let path = "/api/login/passkey/challenge";
    let first = device.challenge(&nobody, path).await?;
    let others = stream::iter(0..PASSKEY_CHALLENGES + 100).map(|_| device.challenge(&nobody, path));
    let others: Vec<Result<String>> = others.buffer_unordered(32).collect().await;
    ensure!(others.iter().all(Result::is_ok), "a challenge was refused");
    let signed = device.sign(&first);
    ensure!(device.post(&nobody, "/api/login/passkey", &signed).await?.status() == 200);
    Ok(())
}

#[tokio::test]
async fn passkeys_that_do_not_fit_are_refused_and_counted() -> Result<()> {
    let relay = Relay::start().await?;
    let nobody = relay.api().with_token(None);
    let mut device = Device::new(&relay)?;
    ensure_refused(device.log_in(&nobody).await?, 401, "passkey_refused").await?;
    ensure!(device.add(&relay.api()).await?.status() == 201);

    let challenge = device.challenge(&nobody, "/api/login/passkey/challenge").await?;
    let signed = device.sign(&challenge);
    let path = "/api/login/passkey";
    ensure!(device.post(&nobody, path, &signed).await?.status() == 200);
    ensure_refused(device.post(&nobody, path, &signed).await?, 401, "passkey_refused").await?;
    // A challenge to add a passkey is none to log in.
    let challenge = device.challenge(&relay.api(), "/api/passkeys/challenge").await?;
    let signed = device.sign(&challenge);
    ensure_refused(device.post(&nobody, path, &signed).await?, 401, "passkey_refused").await?;
    // Its counter went back.
    device.counter = 0;
    ensure_refused(device.log_in(&nobody).await?, 401, "passkey_refused").await?;
    ensure_refused(
        device.post(&nobody, "/api/passkeys/challenge", &json!({})).await?,
        401,
        "unauthorized",
    )
    .await?;

    // Neither by an address, nor without TLS, nor for another page.
    for (host, origin) in [
        (relay.url().replace("http://", ""), relay.url().replace("http://", "https://")),
        (device.host.clone(), format!("http://{}", device.host)),
    ] {
        let page = Device { host, origin, key: device.key.clone(), counter: 0 };
        let answer = page.post(&nobody, "/api/login/passkey/challenge", &json!({})).await?;
        ensure_refused(answer, 403, "passkey_unavailable").await?;
    }
    let page = Device { origin: "https://evil.example".to_owned(), ..Device::new(&relay)? };
    let answer = page.post(&nobody, "/api/login/passkey/challenge", &json!({})).await?;
    ensure_refused(answer, 403, "forbidden").await?;

    wait_until("somebody who guesses to be slowed down", async || {
        let guess = device.post(&nobody, path, &signed).await;
        guess.is_ok_and(|answer| answer.status() == 429)
    })
    .await
}
