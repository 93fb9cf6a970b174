//! Rows of what was done by whom.

use moorline_core::audit::{AUDIT_EVENTS, AuditRecord};
use moorline_core::routes::AuditPage;
use moorline_core::schema;
use moorline_shared::rest::{AuditEvent, AuditKind};
use rusqlite::params;

use super::{Store, StoreError, from_sql, to_sql};

impl Store {
    /// Adds an event.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_audit(&self, record: &AuditRecord) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::PUT_AUDIT)?.execute(params![
            to_sql(record.at_ms),
            record.kind.as_str(),
            record.who,
            record.token_id,
            record.address,
            record.session.as_ref().map(|id| id.as_str()),
            record.detail,
        ])?;
        Ok(())
    }

    /// Removes the oldest events beyond the limit.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn trim_audit(&self) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::TRIM_AUDIT)?.execute([to_sql(AUDIT_EVENTS)])?;
        Ok(())
    }

    /// Returns a page of the events, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn audit(&self, page: &AuditPage) -> Result<Vec<AuditEvent>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::AUDIT)?;
        let asked = params![to_sql(page.before), to_sql(page.limit), page.kinds];
        let rows = statement.query_map(asked, |row| {
            let session: Option<String> = row.get(6)?;
            let record = AuditRecord {
                at_ms: from_sql(row.get(1)?),
                kind: AuditKind::named(&row.get::<_, String>(2)?),
                who: row.get(3)?,
                token_id: row.get(4)?,
                address: row.get(5)?,
                session: session.and_then(|id| id.parse().ok()),
                detail: row.get(7)?,
            };
            Ok(record.event(from_sql(row.get(0)?)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
