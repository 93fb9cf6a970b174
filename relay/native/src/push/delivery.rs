//! Sends a notice to one browser, by its push service.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moorline_core::auth::hash_secret;
use moorline_core::push::{PushMessage, PushNotice};
use moorline_host::dial::RelayTrust;
use tokio::time::sleep;
use web_push_native::p256::PublicKey;
use web_push_native::{Auth, encrypt};

use super::Push;
use crate::clock::wall_ms;
use crate::http_client;
use crate::store::PushSubscription;

/// Pauses before a notice is sent again.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
];
/// Longest pause that a service can ask for.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// Time allowed for a service to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest time for which a service keeps a notice for a browser that is away, in seconds.
const KEPT_S: u64 = 24 * 60 * 60;

/// The client for all push services.
pub(super) type PushClient = ureq::Agent;

/// A request to a push service.
struct PushRequest {
    endpoint: String,
    authorization: String,
    /// How long the service keeps it, in seconds.
    ttl_s: u64,
    urgency: &'static str,
    /// A later notice of the same topic replaces one that the browser does not have yet.
    topic: String,
    body: Vec<u8>,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
enum PushOutcome {
    Delivered,
    /// The browser has unsubscribed.
    Gone,
    /// It may be sent again, after this time at the earliest.
    Later(Duration),
    /// It will not be taken.
    Refused(String),
}

/// Sends a notice, several times if the service cannot take it now.
pub(super) async fn deliver(push: Arc<Push>, notice: PushNotice, subscription: PushSubscription) {
    let mut pauses = PAUSES.iter();
    loop {
        let is_old = matches!(notice.message, PushMessage::Asked { .. })
            && !push.is_open(&notice.message.key());
        if is_old {
            return;
        }
        let id = &*subscription.id;
        match push.send(&notice, &subscription).await {
            PushOutcome::Delivered => return,
            PushOutcome::Gone => {
                tracing::info!(id, "a browser does not want notices any more");
                return push.forget(id);
            }
            PushOutcome::Refused(why) => {
                return tracing::warn!(id, "a push service refuses a notice: {why}");
            }
            PushOutcome::Later(wanted) => match pauses.next() {
                Some(pause) => sleep(wanted.min(LONGEST_PAUSE).max(*pause)).await,
                None => return tracing::warn!(id, "a push service does not take a notice"),
            },
        }
    }
}

impl Push {
    async fn send(&self, notice: &PushNotice, subscription: &PushSubscription) -> PushOutcome {
        let request = match self.request(notice, subscription) {
            Ok(Some(request)) => request,
            Ok(None) => return PushOutcome::Delivered,
            Err(why) => return PushOutcome::Refused(why),
        };
        let client = match self.client() {
            Ok(client) => client.clone(),
            Err(error) => return PushOutcome::Refused(format!("{error:#}")),
        };
        let Ok(_turn) = self.sends.acquire().await else {
            return PushOutcome::Later(Duration::ZERO);
        };
        let sent = tokio::task::spawn_blocking(move || post(&client, request)).await;
        sent.unwrap_or_else(|panicked| PushOutcome::Refused(panicked.to_string()))
    }

    fn client(&self) -> anyhow::Result<&PushClient> {
        match self.client.get() {
            Some(client) => Ok(client),
            None => {
                let client = http_client::agent(PATIENCE, Some(&RelayTrust::System))?;
                Ok(self.client.get_or_init(|| client))
            }
        }
    }

    /// Returns the request; `None` if nobody needs it any more.
    fn request(
        &self,
        notice: &PushNotice,
        subscription: &PushSubscription,
    ) -> Result<Option<PushRequest>, String> {
        let (is_asked, now_ms) = (matches!(notice.message, PushMessage::Asked { .. }), wall_ms());
        let ttl_s = match notice.expires_at {
            Some(expires_at) if expires_at <= now_ms && is_asked => return Ok(None),
            Some(expires_at) => expires_at.saturating_sub(now_ms).div_ceil(1000).min(KEPT_S),
            None => KEPT_S,
        };
        // The services may have been others when the browser subscribed.
        let origin = self.services.origin(&subscription.endpoint);
        let origin = origin.ok_or("its service is not one that notices are sent to")?;
        let key = self.key().map_err(|error| error.to_string())?;
        // Texts and ids always encode.
        let message = serde_json::to_vec(&notice.message).map_err(|error| error.to_string())?;
        let public = PublicKey::from_sec1_bytes(&subscription.p256dh);
        let public = public.map_err(|error| error.to_string())?;
        let body = encrypt(message, &public, &Auth::from(subscription.auth));
        let (session, approval) = notice.message.key();
        let topic = hash_secret(&format!("{session} {approval}"));
        Ok(Some(PushRequest {
            endpoint: subscription.endpoint.clone(),
            authorization: key.authorization(&origin, now_ms / 1000),
            ttl_s,
            urgency: if is_asked { "high" } else { "normal" },
            topic: URL_SAFE_NO_PAD.encode(&topic[..18]),
            body: body.map_err(|error| error.to_string())?,
        }))
    }
}

/// Sends a request. Blocks.
fn post(client: &PushClient, request: PushRequest) -> PushOutcome {
    let PushRequest { endpoint, authorization, ttl_s, urgency, topic, body } = request;
    let answer = client
        .post(&endpoint)
        .header("Authorization", authorization)
        .header("Content-Encoding", "aes128gcm")
        .header("Content-Type", "application/octet-stream")
        .header("TTL", ttl_s.to_string())
        .header("Urgency", urgency)
        .header("Topic", topic)
        .send(&body[..]);
    match answer {
        Ok(answer) => {
            let wanted = answer.headers().get("retry-after").and_then(|it| it.to_str().ok());
            outcome(answer.status().as_u16(), wanted)
        }
        // The endpoint is a secret, and an error may have it.
        Err(_) => PushOutcome::Later(Duration::ZERO),
    }
}

fn outcome(status: u16, retry_after: Option<&str>) -> PushOutcome {
    match status {
        200..300 => PushOutcome::Delivered,
        404 | 410 => PushOutcome::Gone,
        429 | 500.. => {
            let wanted = retry_after.and_then(|seconds| seconds.trim().parse().ok());
            PushOutcome::Later(Duration::from_secs(wanted.unwrap_or(0)))
        }
        status => PushOutcome::Refused(format!("it answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use web_push_native::decrypt;
    use web_push_native::p256::SecretKey;

    use super::*;

    #[test]
    fn a_service_is_asked_again_only_if_that_can_help() {
        assert_eq!(outcome(201, None), PushOutcome::Delivered);
        assert_eq!([404, 410].map(|it| outcome(it, None)), [PushOutcome::Gone, PushOutcome::Gone]);
        let later = |seconds| PushOutcome::Later(Duration::from_secs(seconds));
        assert_eq!(outcome(429, Some("120")), later(120));
        assert_eq!(outcome(503, Some("Wed, 21 Oct 2026 07:28:00 GMT")), later(0));
        for status in [302, 400, 403, 413] {
            assert!(matches!(outcome(status, None), PushOutcome::Refused(_)), "{status}");
        }
    }

    /// RFC 8291, section 5 and appendix A.
    #[test]
    fn the_encryption_is_that_of_the_standard() {
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let secret = SecretKey::from_slice(&decoded("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"));
        let secret = secret.unwrap();
        let auth: [u8; 16] = decoded("BTBZMqHH6r4Tts7J_aSIgg").try_into().unwrap();
        let message = decoded(
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLoc\
             InmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLV\
             WGNWQexSgSxsj_Qulcy4a-fN",
        );
        let text = "When I grow up, I want to be a watermelon";
        assert_eq!(decrypt(message, &secret, &auth.into()).unwrap(), text.as_bytes());
        // What this relay encrypts is read by the same rules, and is different each time.
        let sealed = || encrypt(text.into(), &secret.public_key(), &auth.into()).unwrap();
        assert_eq!(decrypt(sealed(), &secret, &auth.into()).unwrap(), text.as_bytes());
        assert_ne!(sealed(), sealed());
        let mut changed = sealed();
        *changed.last_mut().unwrap() ^= 1;
        assert!(decrypt(changed, &secret, &auth.into()).is_err());
    }
}
