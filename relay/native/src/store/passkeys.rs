//! Rows of passkeys, and of the challenges that were answered.

use moorline_core::passkey::{ChallengeKey, PasskeyRecord, UsedChallenge};
use moorline_core::schema;
use moorline_shared::limits::PASSKEY_CHALLENGES;
use moorline_shared::time::Time;
use rusqlite::{OptionalExtension as _, Row, params};

use super::{Store, StoreError, from_sql, to_sql};

impl Store {
    /// Returns the key of challenges. Stores a new one if there is none.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn passkey_challenge_key(&self, new: ChallengeKey) -> Result<ChallengeKey, StoreError> {
        let mut find = self.connection.prepare_cached(schema::PASSKEY_CHALLENGE_KEY)?;
        let mut find = || find.query_row([], |row| row.get(0)).optional();
        if let Some(key) = find()? {
            return Ok(ChallengeKey::new(key));
        }
        self.connection.execute(schema::PUT_PASSKEY_CHALLENGE_KEY, [new.bytes()])?;
        Ok(new)
    }

    /// Notes that a challenge was used. Returns false if it was noted before, or if too many are.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn use_passkey_challenge(
        &self,
        used: &UsedChallenge,
        now: Time,
    ) -> Result<bool, StoreError> {
        let mut expire = self.connection.prepare_cached(schema::EXPIRE_PASSKEY_CHALLENGES)?;
        expire.execute([to_sql(now.ms)])?;
        let mut put = self.connection.prepare_cached(schema::USE_PASSKEY_CHALLENGE)?;
        let noted = params![used.hash, to_sql(used.expires_at.ms), to_sql(PASSKEY_CHALLENGES)];
        Ok(put.query_row(noted, |_| Ok(())).optional()?.is_some())
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
