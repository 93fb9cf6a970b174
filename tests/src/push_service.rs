//! A stand-in for the push service of browsers, and for a browser that has subscribed there. It reads
//! what a relay sends by the standards alone: RFC 8291 for the content, RFC 8292 for the signature.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinHandle;
use web_push_native::decrypt;
use web_push_native::p256::SecretKey;
use web_push_native::p256::ecdsa::signature::Verifier as _;
use web_push_native::p256::ecdsa::{Signature, VerifyingKey};

use crate::wait::within;

/// The secret of the browser's subscription.
const AUTH: [u8; 16] = [9; 16];
/// The longest time for which services accept a signature, in seconds.
const DAY_S: u64 = 24 * 60 * 60;

/// A push service and a browser. Dropping it ends the service.
#[derive(Debug)]
pub struct PushService {
    origin: String,
    secret: SecretKey,
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
    requests: AsyncMutex<mpsc::UnboundedReceiver<Received>>,
    server: JoinHandle<()>,
}

/// A message, as the browser reads it.
#[derive(Debug, Clone)]
pub struct PushedMessage {
    /// The path of its endpoint.
    pub path: String,
    /// The headers of the request.
    pub headers: HeaderMap,
    /// The relay's public key.
    pub key: String,
    /// The message.
    pub message: Value,
}

#[derive(Debug)]
struct Received {
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Debug, Clone)]
struct Service {
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
    received: mpsc::UnboundedSender<Received>,
}

async fn receive(
    State(service): State<Service>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    // Nobody waits for it once the scenario is over.
    let _ = service.received.send(Received { uri, headers, body });
    let answer = service.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    answer.unwrap_or(StatusCode::CREATED)
}

impl PushService {
    /// Starts the service.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let answers: Arc<Mutex<VecDeque<StatusCode>>> = Arc::default();
        let (received, requests) = mpsc::unbounded_channel();
        let service = Service { answers: Arc::clone(&answers), received };
        let router = Router::new().fallback(receive).with_state(service);
        let server = tokio::spawn(async move {
            // It ends with the scenario.
            let _ = axum::serve(listener, router).await;
        });
        let secret = SecretKey::from_slice(&[7; 32]).context("not a key")?;
        Ok(Self { origin, secret, answers, requests: AsyncMutex::new(requests), server })
    }

    /// Returns the service's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns a subscription of the browser, as the browser describes it.
    #[must_use]
    pub fn subscription(&self, name: &str) -> Value {
        let point = self.secret.public_key().to_sec1_bytes();
        json!({
            "endpoint": format!("{}/{name}", self.origin),
            "expirationTime": null,
            "keys": {
                "p256dh": URL_SAFE_NO_PAD.encode(point),
                "auth": URL_SAFE_NO_PAD.encode(AUTH),
            },
        })
    }

    /// Answers the next request with this status, and those after it with the next ones.
    pub fn answer_with(&self, statuses: &[u16]) {
        let statuses = statuses.iter().filter_map(|status| StatusCode::from_u16(*status).ok());
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).extend(statuses);
    }

    /// Waits for the next message, whatever it was answered with.
    ///
    /// # Errors
    /// If it is not signed for this service, or not encrypted for this browser.
    pub async fn next(&self) -> Result<PushedMessage> {
        let mut requests = self.requests.lock().await;
        let received = within("a message at the push service", requests.recv()).await?;
        let Received { uri, headers, body } = received.context("the service has ended")?;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        ensure!(header("content-encoding") == Some("aes128gcm"), "{headers:?}");
        let key = self.check_signature(header("authorization").context("no signature")?)?;
        let message = decrypt(body.to_vec(), &self.secret, &AUTH.into());
        let message = message.map_err(|error| anyhow::anyhow!("not for this browser: {error}"))?;
        let message = serde_json::from_slice(&message)?;
        Ok(PushedMessage { path: uri.path().to_owned(), key, message, headers })
    }

    /// Checks the signature of a message, and returns the key that it is made with.
    fn check_signature(&self, authorization: &str) -> Result<String> {
        let rest = authorization.strip_prefix("vapid t=").context("another scheme")?;
        let (token, key) = rest.split_once(", k=").context("no key")?;
        let (signed, signature) = token.rsplit_once('.').context("not a token")?;
        let (header, claims) = signed.split_once('.').context("not a token")?;
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header)?)?;
        ensure!(header["alg"] == "ES256", "{header}");
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
        ensure!(claims["aud"] == self.origin, "{claims}");
        let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let expires_s = claims["exp"].as_u64().context("no end")?;
        ensure!((now_s..now_s + DAY_S).contains(&expires_s), "{claims}");
        let contact = claims["sub"].as_str().unwrap_or_default();
        ensure!(contact.starts_with("https://") || contact.starts_with("mailto:"), "{claims}");
        let verifying = VerifyingKey::from_sec1_bytes(&URL_SAFE_NO_PAD.decode(key)?)?;
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature)?)?;
        verifying.verify(signed.as_bytes(), &signature).context("the signature is wrong")?;
        Ok(key.to_owned())
    }
}

impl Drop for PushService {
    fn drop(&mut self) {
        self.server.abort();
    }
}
