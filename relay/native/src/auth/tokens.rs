//! Making, checking and revoking tokens. Only their SHA-256 is kept: a token is 256 random bits,
//! so there is nothing to guess that a slow hash would protect.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_shared::time::Time;
use subtle::ConstantTimeEq as _;

use super::Passes;
use crate::store::{Store, StoreError, TokenRecord};
use moorline_core::auth::cookie::COOKIE_LIFETIME;
use moorline_core::auth::{Access, SecretHash, hash_secret, random_secret};

/// Prefix by which people and secret scanners recognize a token.
const PREFIX: &str = "moor_";

/// A new token. Its text is available only here.
#[derive(Clone)]
pub struct Minted {
    /// The token's text, which is not stored.
    pub token: String,
    /// The stored record of the token.
    pub record: TokenRecord,
}

/// The reason that a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The token could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system could not provide random numbers.
    #[error("cannot get random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// The reason that a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The token is unknown, revoked or expired. The caller does not learn which.
    #[error("the token is wrong, revoked or expired")]
    Refused,
    /// The stored tokens could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The tokens of this relay. Other processes may add and revoke some at any time.
#[derive(Debug)]
pub struct Tokens {
    store: Mutex<Store>,
    /// Hash of the admin token from the configuration, if there is one.
    fixed: Option<SecretHash>,
    /// Secrets that give full access without being stored.
    passes: Passes,
    /// Hashes of revoked tokens that could not be deleted from the store.
    void: Mutex<HashSet<SecretHash>>,
}

impl Tokens {
    /// Serves the tokens in `store`, and `fixed`: an admin token that is never stored.
    #[must_use]
    pub fn new(store: Store, fixed: Option<&str>) -> Self {
        Self {
            store: Mutex::new(store),
            fixed: fixed.map(hash_secret),
            passes: Passes::default(),
            void: Mutex::default(),
        }
    }

    /// The passes, which give full access without being stored.
    #[must_use]
    pub const fn passes(&self) -> &Passes {
        &self.passes
    }

    /// Returns the access that the token with this hash gives at `now`, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify(&self, token: &SecretHash, now: Time) -> Result<Access, VerifyError> {
        if self.fixed.is_some_and(|fixed| fixed.ct_eq(token).into()) {
            return Ok(Access::Admin);
        }
        if self.passes.allow(token, now) {
            return Ok(Access::Admin);
        }
        if self.void().contains(token) {
            return Err(VerifyError::Refused);
        }
        let found = self.with_store(|store| store.token_by_hash(token))?;
        let found = found.ok_or(VerifyError::Refused)?;
        let same: bool = found.hash.ct_eq(token.as_slice()).into();
        let valid = found.expires_at.is_none_or(|expires_at| now < expires_at);
        if !(same && valid) {
            return Err(VerifyError::Refused);
        }
        found.scope.parse().map_err(|_| VerifyError::Refused)
    }

    /// Makes and stores a token.
    ///
    /// # Errors
    /// [`MintError`].
    pub fn mint(
        &self,
        access: &Access,
        label: Option<String>,
        now: Time,
        expires_at: Option<Time>,
    ) -> Result<Minted, MintError> {
        let mut name = [0_u8; 8];
        getrandom::fill(&mut name)?;
        let token = format!("{PREFIX}{}", random_secret()?);
        let record = TokenRecord {
            id: name.iter().map(|byte| format!("{byte:02x}")).collect(),
            scope: access.to_string(),
            label,
            created_at_ms: now.ms,
            expires_at_ms: expires_at.map(|time| time.ms),
        };
        self.with_store(|store| store.insert_token(&record, &hash_secret(&token)))?;
        Ok(Minted { token, record })
    }

    /// Returns all stored tokens, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn list(&self) -> Result<Vec<TokenRecord>, StoreError> {
        self.with_store(Store::tokens)
    }

    /// Revokes a token. Returns false if no token has this id.
    ///
    /// # Errors
    /// [`StoreError`]: the token is still stored, but is refused for as long as this value lives.
    pub fn revoke(&self, id: &str) -> Result<bool, StoreError> {
        let (hash, deleted) =
            self.with_store(|store| (store.token_hash(id), store.delete_token(id)));
        if let (Ok(Some(hash)), Err(_)) = (hash, &deleted) {
            self.void().insert(hash);
        }
        deleted
    }

    /// Makes and stores the secret of a cookie that stands for the token with this hash.
    ///
    /// # Errors
    /// [`MintError`].
    pub fn issue_cookie(&self, token: &SecretHash, now: Time) -> Result<String, MintError> {
        let secret = random_secret()?;
        let (hash, expires_at) = (hash_secret(&secret), now + COOKIE_LIFETIME);
        self.with_store(|store| store.put_cookie(&hash, token, now, expires_at))?;
        Ok(secret)
    }

    /// Returns the hash of the token that a cookie's secret stands for.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn of_cookie(&self, secret: &str, now: Time) -> Result<SecretHash, VerifyError> {
        let found = self.with_store(|store| store.cookie(&hash_secret(secret), now))?;
        found.ok_or(VerifyError::Refused)
    }

    /// Deletes a cookie: its secret no longer stands for a token.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn drop_cookie(&self, secret: &str) -> Result<(), StoreError> {
        self.with_store(|store| store.delete_cookie(&hash_secret(secret)))
    }

    fn void(&self) -> MutexGuard<'_, HashSet<SecretHash>> {
        self.void.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_store<T>(&self, work: impl FnOnce(&Store) -> T) -> T {
        work(&self.store.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted").field("record", &self.record).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use moorline_core::auth::cookie::COOKIES;

    fn tokens(fixed: Option<&str>) -> (tempfile::TempDir, Tokens) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (folder, Tokens::new(store, fixed))
    }

    #[test]
    fn a_token_opens_until_it_expires_or_is_revoked() {
        let (_folder, tokens) = tokens(None);
        let now = Time::from_ms(1000);
        let forever = tokens.mint(&Access::Admin, None, now, None).unwrap();
        let until = Some(Time::from_ms(2000));
        let short = tokens.mint(&Access::Host, Some("ci".into()), now, until).unwrap();
        assert_eq!(tokens.verify(&hash_secret(&forever.token), now).unwrap(), Access::Admin);
        assert_eq!(
            tokens.verify(&hash_secret(&short.token), Time::from_ms(1999)).unwrap(),
            Access::Host
        );
        assert!(tokens.verify(&hash_secret(&short.token), Time::from_ms(2000)).is_err());
        assert!(tokens.verify(&hash_secret("moor_wrong"), now).is_err());
        assert!(tokens.verify(&hash_secret(""), now).is_err());
        assert_eq!(tokens.list().unwrap().len(), 2);
        assert!(tokens.revoke(&forever.record.id).unwrap());
        assert!(!tokens.revoke(&forever.record.id).unwrap());
        assert!(tokens.verify(&hash_secret(&forever.token), now).is_err());
    }

    #[test]
    fn a_cookie_ends_with_its_token_and_by_itself() {
        let (_folder, tokens) = tokens(Some("chosen by hand"));
        let now = Time::from_ms(1000);
        let minted = tokens.mint(&Access::Host, None, now, None).unwrap();
        let hash = hash_secret(&minted.token);
        let (one, two) = (tokens.issue_cookie(&hash, now), tokens.issue_cookie(&hash, now));
        let (one, two) = (one.unwrap(), two.unwrap());
        let later = now + COOKIE_LIFETIME.saturating_sub(Duration::from_millis(1));
        let allows = |secret: &str, at| {
            tokens.of_cookie(secret, at).and_then(|token| tokens.verify(&token, at)).ok()
        };
        assert_eq!(allows(&one, later), Some(Access::Host));
        assert_eq!(allows(&one, now + COOKIE_LIFETIME), None);
        assert_eq!(allows("", now), None);
        assert_eq!(allows(&minted.token, now), None);
        assert!(tokens.verify(&hash_secret(&one), now).is_err(), "a cookie is no token");
        tokens.drop_cookie(&one).unwrap();
        assert_eq!((allows(&one, now), allows(&two, now)), (None, Some(Access::Host)));
        tokens.revoke(&minted.record.id).unwrap();
        assert_eq!(allows(&two, now), None);
        let own = tokens.issue_cookie(&hash_secret("chosen by hand"), now).unwrap();
        assert_eq!(allows(&own, now), Some(Access::Admin));
    }

    #[test]
    fn cookies_are_bounded() {
        let (_folder, tokens) = tokens(None);
        let issue = |ms| tokens.issue_cookie(&[7; 32], Time::from_ms(ms)).unwrap();
        let (first, second) = (issue(1), issue(2));
        (0..COOKIES - 1).for_each(|number| drop(issue(3 + number)));
        let now = Time::from_ms(5000);
        assert!(tokens.of_cookie(&first, now).is_err());
        assert!(tokens.of_cookie(&second, now).is_ok());
    }

    #[test]
    fn the_secret_is_neither_stored_nor_shown() {
        let (folder, tokens) = tokens(None);
        let minted = tokens.mint(&Access::Admin, None, Time::from_ms(1), None).unwrap();
        assert!(minted.token.len() >= 43 + PREFIX.len());
        assert!(!format!("{minted:?} {tokens:?}").contains(&minted.token));
        drop(tokens);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let secret = minted.token.as_bytes();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }

    #[test]
    fn a_fixed_token_is_an_admins() {
        let (_folder, tokens) = tokens(Some("chosen by hand"));
        let now = Time::from_ms(1);
        assert_eq!(tokens.verify(&hash_secret("chosen by hand"), now).unwrap(), Access::Admin);
        assert!(tokens.verify(&hash_secret("chosen by han"), now).is_err());
        assert_eq!(tokens.list().unwrap(), []);
    }
}
