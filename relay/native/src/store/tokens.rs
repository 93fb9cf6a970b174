//! Rows of tokens and cookies. Only their hashes are stored.

use moorline_shared::time::Time;
use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError, from_sql, to_sql};
use moorline_core::auth::SecretHash;
use moorline_core::auth::cookie::COOKIES;
use moorline_core::record::{FoundToken, TokenRecord};
use moorline_core::schema;

impl Store {
    /// Adds a token. `hash` is the SHA-256 of its text.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn insert_token(&self, record: &TokenRecord, hash: &[u8]) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::INSERT_TOKEN)?.execute(params![
            record.id,
            hash,
            record.scope,
            record.label,
            to_sql(record.created_at_ms),
            record.expires_at_ms.map(to_sql),
            record.browser_of,
        ])?;
        Ok(())
    }

    /// Returns all tokens, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::TOKENS)?;
        let records = statement.query_map([], |row| {
            Ok(TokenRecord {
                id: row.get(0)?,
                scope: row.get(1)?,
                label: row.get(2)?,
                created_at_ms: from_sql(row.get(3)?),
                expires_at_ms: row.get::<_, Option<i64>>(4)?.map(from_sql),
                last_used_ms: row.get::<_, Option<i64>>(5)?.map(from_sql),
                browser_of: row.get(6)?,
            })
        })?;
        Ok(records.collect::<Result<_, _>>()?)
    }

    /// Returns the token with this hash.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn token_by_hash(&self, hash: &[u8]) -> Result<Option<FoundToken>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::TOKEN_BY_HASH)?;
        let found = statement
            .query_row([hash], |row| {
                let expires_at: Option<i64> = row.get(4)?;
                Ok(FoundToken {
                    id: row.get(0)?,
                    hash: row.get(1)?,
                    scope: row.get(2)?,
                    label: row.get(3)?,
                    expires_at: expires_at.map(|at| Time::from_ms(from_sql(at))),
                    browser_of: row.get(5)?,
                })
            })
            .optional()?;
        Ok(found)
    }

    /// Returns the hash of the token with this id.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn token_hash(&self, id: &str) -> Result<Option<SecretHash>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::TOKEN_HASH)?;
        Ok(statement.query_row([id], |row| row.get(0)).optional()?)
    }

    /// Stores a cookie and the token that it stands for, by their hashes. Removes expired cookies,
    /// and those of the token that are over the limit.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_cookie(
        &self,
        hash: &SecretHash,
        token: &SecretHash,
        now: Time,
        expires_at: Time,
    ) -> Result<(), StoreError> {
        let rest = to_sql(COOKIES.saturating_sub(1));
        let mut expire = self.connection.prepare_cached(schema::EXPIRE_COOKIES)?;
        expire.execute(params![to_sql(now.ms), rest, token])?;
        let mut put = self.connection.prepare_cached(schema::PUT_COOKIE)?;
        put.execute(params![hash, token, to_sql(expires_at.ms)])?;
        Ok(())
    }

    /// Lets a cookie expire later. Returns false if it is not valid.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn renew_cookie(
        &self,
        hash: &SecretHash,
        now: Time,
        expires_at: Time,
    ) -> Result<bool, StoreError> {
        let mut renew = self.connection.prepare_cached(schema::RENEW_COOKIE)?;
        Ok(renew.execute(params![hash, to_sql(expires_at.ms), to_sql(now.ms)])? > 0)
    }

    /// Returns the hash of the token that a cookie stands for, unless the cookie is expired.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn cookie(&self, hash: &SecretHash, now: Time) -> Result<Option<SecretHash>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::COOKIE)?;
        let found = statement.query_row(params![hash, to_sql(now.ms)], |row| row.get(0));
        Ok(found.optional()?)
    }

    /// Deletes a cookie.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn delete_cookie(&self, hash: &SecretHash) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::DELETE_COOKIE)?.execute([hash])?;
        Ok(())
    }

    /// Deletes the cookies of a person's browsers. Returns the hash of each one's token. `token` is the
    /// hash of the caller's.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn delete_cookies(
        &self,
        token: &SecretHash,
        person: &str,
    ) -> Result<Vec<SecretHash>, StoreError> {
        let mut delete = self.connection.prepare_cached(schema::DELETE_COOKIES)?;
        let tokens = delete.query_map(params![token, person], |row| row.get(0))?;
        Ok(tokens.collect::<Result<_, _>>()?)
    }

    /// Revokes the token with this id, or those of a person's browsers, if they are browsers' own and
    /// have no passkeys. Returns the hash of each.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn end_browser_tokens(
        &self,
        id: Option<&str>,
        person: Option<&str>,
    ) -> Result<Vec<SecretHash>, StoreError> {
        let mut end = self.connection.prepare_cached(schema::END_BROWSER_TOKENS)?;
        let tokens = end.query_map(params![id, person], |row| row.get(0))?;
        Ok(tokens.collect::<Result<_, _>>()?)
    }

    /// Changes what a token allows, its label and its expiry.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn change_token(&self, record: &TokenRecord) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::CHANGE_TOKEN)?.execute(params![
            record.id,
            record.scope,
            record.label,
            record.expires_at_ms.map(to_sql),
        ])?;
        Ok(())
    }

    /// Records a token's last use, at `at_ms` in milliseconds since 1970.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn use_token(&self, id: &str, at_ms: u64) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::USE_TOKEN)?.execute(params![id, to_sql(at_ms)])?;
        Ok(())
    }

    /// Revokes a token, and removes its passkeys. Returns false if no token has this id.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn delete_token(&self, id: &str) -> Result<bool, StoreError> {
        self.connection.prepare_cached(schema::DELETE_PASSKEYS)?.execute([id])?;
        Ok(self.connection.prepare_cached(schema::DELETE_TOKEN)?.execute([id])? > 0)
    }
}
