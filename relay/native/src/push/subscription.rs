//! Reads the subscription of a browser.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moorline_core::api::ApiError;
use moorline_core::auth::{SecretHash, hash_secret};
use moorline_shared::rest::SubscribePush;
use web_push_native::p256::PublicKey;

use crate::store::PushSubscription;

/// Most bytes of a key's text.
const KEY_TEXT_BYTES: usize = 128;

/// Reads what a browser has sent with this token.
///
/// # Errors
/// `bad_request` if a key is not one.
pub(super) fn read(
    token: &SecretHash,
    wanted: &SubscribePush,
) -> Result<PushSubscription, ApiError> {
    let bad =
        || ApiError::bad_request("Send a subscription as the browser's `PushSubscription` has it.");
    let decoded = |text: &str| {
        let text = text.trim_end_matches('=');
        let decoded = URL_SAFE_NO_PAD.decode(text).ok();
        decoded.filter(|_| text.len() <= KEY_TEXT_BYTES).ok_or_else(bad)
    };
    let SubscribePush { endpoint, keys } = wanted;
    let p256dh = decoded(&keys.p256dh)?;
    PublicKey::from_sec1_bytes(&p256dh).map_err(|_| bad())?;
    let auth = decoded(&keys.auth)?.try_into().map_err(|_| bad())?;
    let hash = hash_secret(endpoint);
    let id = hash[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(PushSubscription { id, token: *token, endpoint: endpoint.clone(), p256dh, auth })
}
