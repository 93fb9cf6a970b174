//! Rows of passkeys, and of the challenges that wait for an answer.

use moorline_core::auth::SecretHash;
use moorline_core::passkey::{PasskeyChallenge, PasskeyRecord};
use moorline_core::schema;
use moorline_shared::limits::PASSKEY_CHALLENGES;
use moorline_shared::time::Time;
use rusqlite::{OptionalExtension as _, Row, params};

use super::{Store, StoreError, from_sql, to_sql};

impl Store {
    /// Stores a challenge. Removes expired ones, and those that are over the limit.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_passkey_challenge(
        &self,
        challenge: &PasskeyChallenge,
        now: Time,
    ) -> Result<(), StoreError> {
        let PasskeyChallenge { hash, token, expires_at } = challenge;
        let rest = to_sql(PASSKEY_CHALLENGES.saturating_sub(1));
        let mut expire = self.connection.prepare_cached(schema::EXPIRE_PASSKEY_CHALLENGES)?;
        expire.execute(params![to_sql(now.ms), rest])?;
        let mut put = self.connection.prepare_cached(schema::PUT_PASSKEY_CHALLENGE)?;
        put.execute(params![hash, token, to_sql(expires_at.ms)])?;
        Ok(())
    }

    /// Removes a challenge and returns it, even if it has expired.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn take_passkey_challenge(
        &self,
        hash: &SecretHash,
    ) -> Result<Option<PasskeyChallenge>, StoreError> {
        let mut take = self.connection.prepare_cached(schema::TAKE_PASSKEY_CHALLENGE)?;
        let taken = take.query_row([hash], |row| {
            let expires_at = Time::from_ms(from_sql(row.get(1)?));
            Ok(PasskeyChallenge { hash: *hash, token: row.get(0)?, expires_at })
        });
        Ok(taken.optional()?)
    }

    /// Returns all passkeys, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn passkeys(&self) -> Result<Vec<PasskeyRecord>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::PASSKEYS)?;
        Ok(statement.query_map([], passkey)?.collect::<Result<_, _>>()?)
    }

    /// Adds a passkey.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_passkey(&self, record: &PasskeyRecord) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::PUT_PASSKEY)?.execute(params![
            record.id,
            record.token,
            record.relay,
            record.label,
            record.credential,
            record.key,
            record.counter,
            to_sql(record.created_at_ms),
        ])?;
        Ok(())
    }

    /// Stores the counter and the time of a login.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn use_passkey(&self, record: &PasskeyRecord) -> Result<(), StoreError> {
        let used = record.last_used_ms.map(to_sql);
        let mut update = self.connection.prepare_cached(schema::USE_PASSKEY)?;
        update.execute(params![record.id, record.counter, used])?;
        Ok(())
    }

    /// Removes a passkey.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn delete_passkey(&self, id: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::DELETE_PASSKEY)?.execute([id])?;
        Ok(())
    }
}

fn passkey(row: &Row<'_>) -> rusqlite::Result<PasskeyRecord> {
    Ok(PasskeyRecord {
        id: row.get(0)?,
        token: row.get(1)?,
        relay: row.get(2)?,
        label: row.get(3)?,
        credential: row.get(4)?,
        key: row.get(5)?,
        counter: row.get(6)?,
        created_at_ms: from_sql(row.get(7)?),
        last_used_ms: row.get::<_, Option<i64>>(8)?.map(from_sql),
        token_id: row.get(9)?,
        token_label: row.get(10)?,
    })
}
