//! Errors for a malformed request body.

use moorline_shared::id::{InvalidId, SessionId};
use serde::Deserialize;

use super::ApiError;

/// What `serde_json` says of a number that does not fit, and what is said instead.
const NUMBERS: [(&str, &str); 3] = [
    ("expected u64", "expected a whole number that is not negative"),
    ("expected u32", "expected a whole number from 0 to 4294967295"),
    ("expected u16", "expected a whole number from 0 to 65535"),
];

/// Returns the error for a JSON body that does not fit the route. An invalid id in the body gets
/// the same answer as an invalid id in a path.
#[must_use]
pub fn malformed(error: &serde_json::Error, body: &[u8]) -> ApiError {
    let why = error.to_string();
    // The position in the body may follow the message.
    if !why.starts_with(&InvalidId.to_string()) {
        let why = NUMBERS.iter().fold(why, |why, (kind, words)| why.replace(kind, words));
        return ApiError::bad_request(format!("The body is not valid: {why}."));
    }
    let given = serde_json::from_slice::<Given>(body).ok().and_then(|given| given.session_id);
    match given.filter(|id| id.parse::<SessionId>().is_err()) {
        Some(id) => ApiError::invalid_id(&id),
        None => ApiError::invalid_id_within(),
    }
}

/// The session id of any body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    session_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use moorline_shared::rest::CreateSession;

    use super::*;

    #[test]
    fn an_id_that_is_none_is_answered_as_in_a_path() {
        let refused = |body: &str| {
            let error = serde_json::from_str::<CreateSession>(body).unwrap_err();
            malformed(&error, body.as_bytes())
        };
        for (body, id) in [
            ("{\n  \"sessionId\": \"bad id\"}", Some("bad id")),
            (r#"{"name": "x", "sessionId": ""}"#, Some("")),
            (r#"{"sessionId": "abcdefgh", "project": "x"}"#, None),
            (r#"{"host": "a b c d e"}"#, None),
        ] {
            let refused = refused(body);
            assert!(refused.body().pattern.is_some() && refused.body().code == "invalid_id");
            assert_eq!(refused.body().session_id.as_deref(), id, "{body}");
        }
        for body in ["{", r#"{"sessionId": 1}"#, r#"{"cols": "an id is 8 to 32"}"#] {
            let refused = refused(body);
            assert!(refused.body().pattern.is_none() && refused.body().code == "bad_request");
        }
        let number = refused(r#"{"cols": -5}"#).body().message.clone().unwrap();
        assert!(number.contains("`-5`, expected a whole number from 0 to 65535"), "{number}");
    }
}
