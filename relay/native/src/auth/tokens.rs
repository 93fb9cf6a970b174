//! Making, checking and revoking tokens. Only their SHA-256 is kept: a token is 256 random bits,
//! so there is nothing to guess that a slow hash would protect.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_shared::time::Time;
use subtle::ConstantTimeEq as _;

use super::Passes;
use crate::store::{Store, StoreError, TokenRecord};
use moorline_core::audit::AuditRecord;
use moorline_core::auth::{
    Access, Grant, NewToken, SecretHash, USE_RECORD_INTERVAL, hash_secret, random_secret,
};

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
    /// When each token was last used, by the token's id.
    used: Mutex<HashMap<String, Time>>,
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
            used: Mutex::default(),
        }
    }

    /// The passes, which give full access without being stored.
    #[must_use]
    pub const fn passes(&self) -> &Passes {
        &self.passes
    }

    /// Returns what the token with this hash gives at `now`, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify(&self, token: &SecretHash, now: Time) -> Result<Grant, VerifyError> {
        let is_fixed = self.fixed.is_some_and(|fixed| fixed.ct_eq(token).into());
        if is_fixed {
            return Ok(Grant::unstored());
        }
        if self.passes.allow(token, now) {
            return Ok(Grant::command_line());
        }
        if self.void().contains(token) {
            return Err(VerifyError::Refused);
        }
        let found = self.with_store(|store| store.token_by_hash(token))?;
        let grant = found.and_then(|found| Grant::of(found, token, now));
        grant.ok_or(VerifyError::Refused)
    }

    /// Records that a token is used, to be stored soon. Returns true if it was not recorded within
    /// the last minute.
    pub fn note_use(&self, grant: &Grant, now: Time) -> bool {
        let Some(id) = &grant.token_id else { return false };
        let mut used = self.used();
        let is_due = used.get(id).is_none_or(|at| now - *at >= USE_RECORD_INTERVAL);
        if is_due {
            used.insert(id.clone(), now);
        }
        is_due
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
    ) -> Result<NewToken, MintError> {
        let made = NewToken::make(access, label, now, expires_at)?;
        self.put(&made)?;
        Ok(made)
    }

    /// Stores a token that was made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put(&self, made: &NewToken) -> Result<(), StoreError> {
        self.with_store(|store| store.insert_token(&made.record, &made.hash))
    }

    /// Returns a token's row; `None` if no token has this id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn get(&self, id: &str) -> Result<Option<TokenRecord>, StoreError> {
        Ok(self.list()?.into_iter().find(|record| record.id == id))
    }

    /// Stores what a token allows from now on, its label and its expiry.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn change(&self, record: &TokenRecord) -> Result<(), StoreError> {
        self.with_store(|store| store.change_token(record))
    }

    /// Stores an audit event of another process than the relay, which records its own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record(&self, event: &AuditRecord) -> Result<(), StoreError> {
        self.with_store(|store| store.put_audit(event))
    }

    /// Returns all stored tokens, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn list(&self) -> Result<Vec<TokenRecord>, StoreError> {
        let mut records = self.with_store(Store::tokens)?;
        let used = self.used();
        for record in &mut records {
            let last_used_ms = used.get(&record.id).map(|at| at.ms);
            record.last_used_ms = record.last_used_ms.max(last_used_ms);
        }
        Ok(records)
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
    pub fn issue_cookie(
        &self,
        token: &SecretHash,
        now: Time,
        expires_at: Time,
    ) -> Result<String, MintError> {
        let secret = random_secret()?;
        let hash = hash_secret(&secret);
        self.with_store(|store| store.put_cookie(&hash, token, now, expires_at))?;
        Ok(secret)
    }

    /// Lets a cookie expire later. Its secret stays, and so does what it has opened. Returns false if
    /// it is not valid.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn renew_cookie(
        &self,
        secret: &str,
        now: Time,
        expires_at: Time,
    ) -> Result<bool, StoreError> {
        self.with_store(|store| store.renew_cookie(&hash_secret(secret), now, expires_at))
    }

    /// Returns the hash of the token that a cookie's secret stands for.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn of_cookie(&self, secret: &str, now: Time) -> Result<SecretHash, VerifyError> {
        let found = self.with_store(|store| store.cookie(&hash_secret(secret), now))?;
        found.ok_or(VerifyError::Refused)
    }

    /// Returns true if the cookie with this hash still stands for a token.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn has_cookie(&self, secret: &SecretHash, now: Time) -> Result<bool, StoreError> {
        self.with_store(|store| store.cookie(secret, now)).map(|token| token.is_some())
    }

    /// Deletes a cookie: its secret no longer stands for a token.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn drop_cookie(&self, secret: &str) -> Result<(), StoreError> {
        self.with_store(|store| store.delete_cookie(&hash_secret(secret)))
    }

    /// Ends the log-ins of a person's browsers: deletes their cookies, and revokes the tokens that are
    /// their own and have no passkeys. Returns the hashes of the tokens concerned. `token` is the hash of
    /// the caller's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn log_out_everywhere(
        &self,
        token: &SecretHash,
        person: &str,
    ) -> Result<HashSet<SecretHash>, StoreError> {
        self.with_store(|store| {
            let mut tokens = store.delete_cookies(token, person)?;
            tokens.extend(store.end_browser_tokens(None, Some(person))?);
            Ok(tokens.into_iter().collect())
        })
    }

    /// Revokes the token with this id if it is a browser's own and has no passkey. Returns true if it
    /// did.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn end_browser_token(&self, id: &str) -> Result<bool, StoreError> {
        self.with_store(|store| store.end_browser_tokens(Some(id), None))
            .map(|tokens| !tokens.is_empty())
    }

    fn used(&self) -> MutexGuard<'_, HashMap<String, Time>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn void(&self) -> MutexGuard<'_, HashSet<SecretHash>> {
        self.void.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn with_store<T>(&self, work: impl FnOnce(&Store) -> T) -> T {
        work(&self.store.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    impl Tokens {
        fn access(&self, token: &str, now: Time) -> Option<Access> {
            self.verify(&hash_secret(token), now).ok().map(|grant| grant.access)
        }
    }
    use moorline_core::auth::cookie::{COOKIE_LIFETIME, COOKIES};

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
        assert_eq!(tokens.access(&forever.text, now).unwrap(), Access::Admin);
        assert_eq!(tokens.access(&short.text, Time::from_ms(1999)).unwrap(), Access::Host);
        assert!(tokens.access(&short.text, Time::from_ms(2000)).is_none());
        assert!(tokens.access("moor_wrong", now).is_none());
        assert!(tokens.access("", now).is_none());
        assert_eq!(tokens.list().unwrap().len(), 2);
        assert!(tokens.revoke(&forever.record.id).unwrap());
        assert!(!tokens.revoke(&forever.record.id).unwrap());
        assert!(tokens.access(&forever.text, now).is_none());
    }

    #[test]
    fn a_cookie_ends_with_its_token_and_by_itself() {
        let (_folder, tokens) = tokens(Some("chosen by hand"));
        let now = Time::from_ms(1000);
        let minted = tokens.mint(&Access::Host, None, now, None).unwrap();
        let hash = hash_secret(&minted.text);
        let issue = |hash| tokens.issue_cookie(hash, now, now + COOKIE_LIFETIME).unwrap();
        let (one, two) = (issue(&hash), issue(&hash));
        let later = now + COOKIE_LIFETIME.saturating_sub(Duration::from_millis(1));
        let allows = |secret: &str, at| {
            tokens
                .of_cookie(secret, at)
                .and_then(|token| tokens.verify(&token, at))
                .ok()
                .map(|grant| grant.access)
        };
        assert_eq!(allows(&one, later), Some(Access::Host));
        assert_eq!(allows(&one, now + COOKIE_LIFETIME), None);
        assert_eq!(allows("", now), None);
        assert_eq!(allows(&minted.text, now), None);
        assert!(tokens.access(&one, now).is_none(), "a cookie is no token");
        tokens.drop_cookie(&one).unwrap();
        assert_eq!((allows(&one, now), allows(&two, now)), (None, Some(Access::Host)));
        tokens.revoke(&minted.record.id).unwrap();
        assert_eq!(allows(&two, now), None);
        let own = issue(&hash_secret("chosen by hand"));
        assert_eq!(allows(&own, now), Some(Access::Admin));
    }

    #[test]
    fn cookies_are_bounded() {
        let (_folder, tokens) = tokens(None);
        let issue = |token: u8, ms| {
            let now = Time::from_ms(ms);
            tokens.issue_cookie(&[token; 32], now, now + COOKIE_LIFETIME).unwrap()
        };
        let (other, first, second) = (issue(1, 1), issue(7, 1), issue(7, 2));
        (0..COOKIES - 1).for_each(|number| drop(issue(7, 3 + number)));
        let now = Time::from_ms(5000);
        assert!(tokens.of_cookie(&first, now).is_err());
        assert!(tokens.of_cookie(&second, now).is_ok());
        // Whoever has one token logs out nobody else.
        assert!(tokens.of_cookie(&other, now).is_ok());
    }

    #[test]
    fn a_cookie_that_is_used_is_renewed() {
        let (_folder, tokens) = tokens(None);
        let now = Time::from_ms(1000);
        let expires_at = now + COOKIE_LIFETIME;
        let cookie = tokens.issue_cookie(&[7; 32], now, expires_at).unwrap();
        let later = expires_at + COOKIE_LIFETIME;
        let renew = |secret: &str, at, until| tokens.renew_cookie(secret, at, until).unwrap();
        assert!(renew(&cookie, now, later) && renew(&cookie, now, expires_at));
        assert!(tokens.of_cookie(&cookie, expires_at).is_ok(), "it expires earlier again");
        assert!(!renew(&cookie, later, later + COOKIE_LIFETIME), "an expired one was renewed");
        assert!(!renew("another", now, later));
        tokens.drop_cookie(&cookie).unwrap();
        assert!(!renew(&cookie, now, later), "a deleted one was renewed");
    }

    #[test]
    fn the_secret_is_neither_stored_nor_shown() {
        let (folder, tokens) = tokens(None);
        let minted = tokens.mint(&Access::Admin, None, Time::from_ms(1), None).unwrap();
        assert!(minted.text.len() >= 43);
        assert!(!format!("{minted:?} {tokens:?}").contains(&minted.text));
        drop(tokens);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let secret = minted.text.as_bytes();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }

    #[test]
    fn a_fixed_token_is_an_admins() {
        let (_folder, tokens) = tokens(Some("chosen by hand"));
        let now = Time::from_ms(1);
        assert_eq!(tokens.access("chosen by hand", now).unwrap(), Access::Admin);
        assert!(tokens.access("chosen by han", now).is_none());
        assert_eq!(tokens.list().unwrap(), []);
    }
}
