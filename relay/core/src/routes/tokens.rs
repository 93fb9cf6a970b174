//! Tokens that requests make and change.

use std::time::Duration;

use moorline_shared::rest::{ChangeToken, CreateToken};
use moorline_shared::time::Time;

use crate::api::{ApiError, name};
use crate::auth::{Access, NewToken};
use crate::record::TokenRecord;
use crate::schema::LARGEST_NUMBER;

/// Makes the token that a request asks for.
///
/// # Errors
/// `bad_request`; `internal` if the system provides no random numbers.
pub fn new_token(wanted: &CreateToken, now: Time) -> Result<NewToken, ApiError> {
    let label = name(wanted.label.as_deref())?;
    let access: Access = wanted.scope.parse().map_err(ApiError::bad_request)?;
    check_lifetime(wanted.expires_in_ms)?;
    let expires_at = wanted.expires_in_ms.map(|ms| now + Duration::from_millis(ms));
    NewToken::make(&access, label, now, expires_at).map_err(|error| ApiError::internal(&error))
}

/// Refuses a token that would have expired before anybody has it.
fn check_lifetime(expires_in_ms: Option<u64>) -> Result<(), ApiError> {
    match expires_in_ms {
        Some(0) => Err(ApiError::bad_request("`expiresInMs` must be at least 1.")),
        _ => Ok(()),
    }
}

/// Returns the row after a change that a request asks for.
///
/// # Errors
/// `bad_request`.
pub fn changed_token(
    record: TokenRecord,
    wanted: &ChangeToken,
    now: Time,
) -> Result<TokenRecord, ApiError> {
    let scope = match &wanted.scope {
        Some(scope) => scope.parse::<Access>().map_err(ApiError::bad_request)?.to_string(),
        None => record.scope,
    };
    let label = match &wanted.label {
        Some(label) => name(Some(label))?,
        None => record.label,
    };
    check_lifetime(wanted.expires_in_ms.flatten())?;
    let expires_at_ms = match wanted.expires_in_ms {
        Some(Some(ms)) => Some(now.ms.saturating_add(ms).min(LARGEST_NUMBER)),
        Some(None) => None,
        None => record.expires_at_ms,
    };
    Ok(TokenRecord { scope, label, expires_at_ms, ..record })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::hash_secret;

    #[test]
    fn a_token_is_made_as_asked_and_its_text_is_not_shown() {
        let wanted = CreateToken {
            scope: "project:project_1:read".into(),
            label: Some("phone".into()),
            expires_in_ms: Some(u64::MAX),
        };
        let made = new_token(&wanted, Time::from_ms(5)).unwrap();
        assert!(made.text.starts_with("moor_") && made.hash == hash_secret(&made.text));
        assert_eq!(
            (made.record.created_at_ms, made.record.expires_at_ms),
            (5, Some(LARGEST_NUMBER))
        );
        assert!(!format!("{made:?}").contains(&made.text));
        let bad = CreateToken { scope: "everything".into(), ..wanted };
        assert_eq!(new_token(&bad, Time::from_ms(5)).unwrap_err().status().as_u16(), 400);
        let over = CreateToken { scope: "host".into(), label: None, expires_in_ms: Some(0) };
        assert_eq!(new_token(&over, Time::from_ms(5)).unwrap_err().status().as_u16(), 400);
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let now = Time::from_ms(1000);
        let label = Some("phone".to_owned());
        let record = NewToken::make(&Access::Admin, label, now, None).unwrap().record;
        let same = changed_token(record.clone(), &ChangeToken::default(), now).unwrap();
        assert_eq!(same, record);
        let wanted = ChangeToken {
            scope: Some("session:abcdefgh:read".into()),
            label: Some(String::new()),
            expires_in_ms: Some(Some(7)),
        };
        let less = changed_token(record, &wanted, now).unwrap();
        assert_eq!((less.scope.as_str(), &less.label), ("session:abcdefgh:read", &None));
        assert_eq!(less.expires_at_ms, Some(1007));
        // `null` is not the same as nothing.
        let wanted = |text: &str| serde_json::from_str::<ChangeToken>(text).unwrap();
        let same = changed_token(less.clone(), &wanted("{}"), now).unwrap();
        assert_eq!(same.expires_at_ms, Some(1007));
        let lasting = wanted(r#"{"expiresInMs":null}"#);
        assert_eq!(serde_json::to_string(&lasting).unwrap(), r#"{"expiresInMs":null}"#);
        assert_eq!(changed_token(same, &lasting, now).unwrap().expires_at_ms, None);
        let over = ChangeToken { expires_in_ms: Some(Some(0)), ..ChangeToken::default() };
        assert!(changed_token(less.clone(), &over, now).is_err());
        let bad = ChangeToken { scope: Some("root".into()), ..ChangeToken::default() };
        assert!(changed_token(less, &bad, now).is_err());
    }
}
