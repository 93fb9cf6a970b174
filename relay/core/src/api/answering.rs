//! Headers that every answer carries.

use http::header::{CACHE_CONTROL, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};

use crate::auth::OriginPolicy;
use crate::auth::cors::{self, Header};

/// Returns the headers to set on an answer to `request`. `cache_control` and `vary` are the ones
/// that the answer has already.
///
/// A cache keeps nothing unless the answer allows it, browsers do not guess the content type, addresses
/// are told to no other site, and pages of trusted origins may read the answer.
#[must_use]
pub fn headers(
    origins: &OriginPolicy,
    request: &HeaderMap,
    cache_control: Option<&HeaderValue>,
    vary: Option<&HeaderValue>,
) -> Vec<Header> {
    let mut headers = cors::of_answer(origins, request);
    headers.push((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")));
    headers.push((REFERRER_POLICY, HeaderValue::from_static("no-referrer")));
    if cache_control.is_none() {
        headers.push((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    }
    let vary = match vary.and_then(|vary| vary.to_str().ok()) {
        Some(vary) => HeaderValue::from_str(&format!("{vary}, origin")).ok(),
        None => Some(HeaderValue::from_static("origin")),
    };
    headers.extend(vary.map(|vary| (VARY, vary)));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_says_itself_counts() {
        let (origins, request) = (OriginPolicy::default(), HeaderMap::new());
        let said = HeaderValue::from_static("accept-encoding");
        let told = headers(&origins, &request, Some(&said), Some(&said));
        assert!(!told.iter().any(|(name, _)| *name == CACHE_CONTROL));
        assert!(told.contains(&(VARY, "accept-encoding, origin".parse().unwrap())));
        let told = headers(&origins, &request, None, None);
        assert!(told.contains(&(CACHE_CONTROL, "no-store".parse().unwrap())));
        assert!(told.contains(&(X_CONTENT_TYPE_OPTIONS, "nosniff".parse().unwrap())));
        assert!(told.contains(&(REFERRER_POLICY, "no-referrer".parse().unwrap())));
    }
}
