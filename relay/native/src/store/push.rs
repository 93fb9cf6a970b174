//! Rows of subscriptions to notices.

use rusqlite::params;

use super::{Store, StoreError};
use moorline_core::auth::SecretHash;
use moorline_core::schema;

/// The subscription of one browser to notices.
#[derive(Clone, PartialEq, Eq)]
pub struct PushSubscription {
    /// Its id, which follows from the endpoint.
    pub id: String,
    /// Hash of the token that it was made with.
    pub token: SecretHash,
    /// The address at the browser's push service. Who knows it can send there.
    pub endpoint: String,
    /// The browser's public key, as a point of P-256.
    pub p256dh: Vec<u8>,
    /// The secret that authenticates messages.
    pub auth: [u8; 16],
}

impl std::fmt::Debug for PushSubscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushSubscription").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Store {
    /// Adds a subscription, or replaces that with the same id.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_subscription(&self, subscription: &PushSubscription) -> Result<(), StoreError> {
        let PushSubscription { id, token, endpoint, p256dh, auth } = subscription;
        let mut put = self.connection.prepare_cached(schema::PUT_SUBSCRIPTION)?;
        put.execute(params![id, token, endpoint, p256dh, auth])?;
        Ok(())
    }

    /// Returns all subscriptions.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn subscriptions(&self) -> Result<Vec<PushSubscription>, StoreError> {
        let mut select = self.connection.prepare_cached(schema::SUBSCRIPTIONS)?;
        let rows = select.query_map([], |row| {
            let [id, endpoint] = [row.get(0)?, row.get(2)?];
            let (token, p256dh, auth) = (row.get(1)?, row.get(3)?, row.get(4)?);
            Ok(PushSubscription { id, token, endpoint, p256dh, auth })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Removes a subscription, if there is one with this id.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn delete_subscription(&self, id: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::DELETE_SUBSCRIPTION)?.execute([id])?;
        Ok(())
    }

    /// Removes the subscriptions that were made with this token.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn delete_subscriptions(&self, token: &SecretHash) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::DELETE_SUBSCRIPTIONS)?.execute([token])?;
        Ok(())
    }
}
