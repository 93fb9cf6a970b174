//! The directory's rows: the core's tables, and its own.

use moorline_core::audit::{AUDIT_EVENTS, AuditRecord};
use moorline_core::auth::SecretHash;
use moorline_core::auth::cookie::COOKIES;
use moorline_core::directory::SessionReport;
use moorline_core::record::{FoundToken, HostRecord, ProjectRecord, TokenRecord, WorkspaceRecord};
use moorline_core::routes::AuditPage;
use moorline_core::schema;
use moorline_shared::id::{HostId, ProjectId, SessionId, WorkspaceId};
use moorline_shared::rest::{AuditEvent, AuditKind};
use moorline_shared::time::Time;

use crate::sql::{ObjectDatabase, Result, SqlError};

/// Each session's last report and the session beside which it was opened; tickets, which must
/// outlive the object's sleep, as their callers; the sessions that each token has opened
/// connections to, by the token's hash; and, by its id, the time at which a token may start the full
/// number of sessions again.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS listed (
    session TEXT PRIMARY KEY NOT NULL,
    told    TEXT,
    beside  TEXT
) WITHOUT ROWID;
DROP TABLE IF EXISTS tickets;
CREATE TABLE IF NOT EXISTS issued_tickets (
    hash       BLOB PRIMARY KEY NOT NULL,
    caller     TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS opened (
    token   BLOB NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (token, session)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS starts (
    token      TEXT PRIMARY KEY NOT NULL,
    settled_at INTEGER NOT NULL
) WITHOUT ROWID;";

const LISTED: &str = "SELECT session, told, beside FROM listed";
const PUT_LISTED: &str =
    "INSERT OR REPLACE INTO listed (session, told, beside) VALUES (?1, ?2, ?3)";
const DELETE_LISTED: &str = "DELETE FROM listed WHERE session = ?1";
const PUT_TICKET: &str =
    "INSERT INTO issued_tickets (hash, caller, expires_at) VALUES (?1, ?2, ?3)";
const TAKE_TICKET: &str = "DELETE FROM issued_tickets WHERE hash = ?1 RETURNING caller, expires_at";
const EXPIRE_TICKETS: &str = "DELETE FROM issued_tickets WHERE expires_at <= ?1";
const COUNT_TICKETS: &str = "SELECT count(*) FROM issued_tickets";
const PUT_OPENED: &str = "INSERT OR IGNORE INTO opened (token, session) VALUES (?1, ?2)";
const OPENED_BY: &str = "SELECT session FROM opened WHERE token = ?1";
const FORGET_TOKEN: &str = "DELETE FROM opened WHERE token = ?1";
const FORGET_SESSION: &str = "DELETE FROM opened WHERE session = ?1";
const STARTS: &str = "SELECT settled_at FROM starts WHERE token = ?1";
const FORGET_STARTS: &str = "DELETE FROM starts WHERE settled_at <= ?1";
const PUT_STARTS: &str = "INSERT OR REPLACE INTO starts (token, settled_at) VALUES (?1, ?2)";
/// All deletions that hosts have not heard of yet: (session, host).
const ALL_DELETED: &str = "SELECT session, host FROM deleted";

/// Stored details of a listed session, besides its record.
#[derive(Debug)]
pub(super) struct ListedRow {
    pub(super) session: SessionId,
    pub(super) report: Option<Box<SessionReport>>,
    pub(super) beside: Option<SessionId>,
}

impl ObjectDatabase {
    /// Creates the directory's own tables.
    pub(super) fn prepare_directory(&self) -> Result<()> {
        self.run(TABLES, &[])
    }

    /// Stored details of all listed sessions.
    pub(super) fn listed(&self) -> Result<Vec<ListedRow>> {
        let rows = self.rows(LISTED, &[])?;
        let row = |row: &crate::sql::ResultRow| {
            Ok(ListedRow {
                session: row.parsed(0)?,
                // A report in another version's format is dropped: the session reports again.
                report: row.optional_text(1)?.and_then(|report| serde_json::from_str(report).ok()),
                beside: row.optional_text(2)?.and_then(|id| id.parse().ok()),
            })
        };
        rows.iter().map(row).collect()
    }

    pub(super) fn put_listed(
        &self,
        id: &SessionId,
        report: Option<&SessionReport>,
        beside: Option<&SessionId>,
    ) -> Result<()> {
        let report = report.and_then(|report| serde_json::to_string(report).ok());
        let beside = beside.map(SessionId::as_str);
        self.run(PUT_LISTED, &[id.as_str().into(), report.as_deref().into(), beside.into()])
    }

    pub(super) fn delete_listed(&self, id: &SessionId) -> Result<()> {
        self.run(FORGET_SESSION, &[id.as_str().into()])?;
        self.run(DELETE_LISTED, &[id.as_str().into()])
    }

    pub(super) fn projects(&self) -> Result<Vec<ProjectRecord>> {
        let rows = self.rows(schema::PROJECTS, &[])?;
        let row = |row: &crate::sql::ResultRow| {
            Ok(ProjectRecord {
                id: row.parsed(0)?,
                name: row.text(1)?.to_owned(),
                directory: row.optional_text(2)?.map(str::to_owned),
                created_at_ms: row.number(3)?,
            })
        };
        rows.iter().map(row).collect()
    }

    pub(super) fn put_project(&self, record: &ProjectRecord) -> Result<()> {
        let (id, name) = (record.id.as_str().into(), record.name.as_str().into());
        let directory = record.directory.as_deref().into();
        self.run(schema::PUT_PROJECT, &[id, name, directory, record.created_at_ms.into()])
    }

    pub(super) fn delete_project(&self, id: &ProjectId) -> Result<()> {
        schema::DELETE_PROJECT.iter().try_for_each(|delete| self.run(delete, &[id.as_str().into()]))
    }

    pub(super) fn workspaces(&self) -> Result<Vec<WorkspaceRecord>> {
        let rows = self.rows(schema::WORKSPACES, &[])?;
        let row = |row: &crate::sql::ResultRow| {
            Ok(WorkspaceRecord {
                id: row.parsed(0)?,
                name: row.optional_text(1)?.map(str::to_owned),
                project: row.optional_text(2)?.and_then(|id| id.parse().ok()),
                created_at_ms: row.number(3)?,
            })
        };
        rows.iter().map(row).collect()
    }

    pub(super) fn delete_workspace(&self, id: &WorkspaceId) -> Result<()> {
        self.run(schema::DELETE_WORKSPACE, &[id.as_str().into()])
    }

    pub(super) fn put_workspace(&self, record: &WorkspaceRecord) -> Result<()> {
        let (id, name) = (record.id.as_str().into(), record.name.as_deref().into());
        let project = record.project.as_ref().map(ProjectId::as_str).into();
        self.run(schema::PUT_WORKSPACE, &[id, name, project, record.created_at_ms.into()])
    }

    pub(super) fn hosts(&self) -> Result<Vec<HostRecord>> {
        let rows = self.rows(schema::HOSTS, &[])?;
        let row = |row: &crate::sql::ResultRow| {
            Ok(HostRecord {
                id: row.parsed(0)?,
                name: row.text(1)?.to_owned(),
                version: row.text(2)?.to_owned(),
                drivers: row.json(3)?,
                last_seen_ms: row.number(4)?,
                missing: row.json(5)?,
            })
        };
        rows.iter().map(row).collect()
    }

    pub(super) fn put_host(&self, record: &HostRecord) -> Result<()> {
        let (id, name) = (record.id.as_str().into(), record.name.as_str().into());
        let drivers = serde_json::to_string(&record.drivers).unwrap_or_default();
        let missing = serde_json::to_string(&record.missing).unwrap_or_default();
        let (version, drivers) = (record.version.as_str().into(), drivers.as_str().into());
        let (last_seen, missing) = (record.last_seen_ms.into(), missing.as_str().into());
        self.run(schema::PUT_HOST, &[id, name, version, drivers, last_seen, missing])
    }

    pub(super) fn deleted(&self) -> Result<Vec<(SessionId, HostId)>> {
        let rows = self.rows(ALL_DELETED, &[])?;
        rows.iter().map(|row| Ok((row.parsed(0)?, row.parsed(1)?))).collect()
    }

    pub(super) fn put_deleted(&self, id: &SessionId, host: &HostId, now: u64) -> Result<()> {
        let (id, host) = (id.as_str().into(), host.as_str().into());
        self.run(schema::PUT_DELETED, &[id, host, now.into()])
    }

    pub(super) fn remove_deleted(&self, id: &SessionId) -> Result<()> {
        self.run(schema::REMOVE_DELETED, &[id.as_str().into()])
    }

    pub(super) fn tokens(&self) -> Result<Vec<TokenRecord>> {
        let rows = self.rows(schema::TOKENS, &[])?;
        let row = |row: &crate::sql::ResultRow| {
            Ok(TokenRecord {
                id: row.text(0)?.to_owned(),
                scope: row.text(1)?.to_owned(),
                label: row.optional_text(2)?.map(str::to_owned),
                created_at_ms: row.number(3)?,
                expires_at_ms: row.optional_number(4)?,
                last_used_ms: row.optional_number(5)?,
                browser_of: row.optional_text(6)?.map(str::to_owned),
            })
        };
        rows.iter().map(row).collect()
    }

    pub(super) fn insert_token(&self, record: &TokenRecord, hash: &[u8]) -> Result<()> {
        let (id, scope) = (record.id.as_str().into(), record.scope.as_str().into());
        let label = record.label.as_deref().into();
        let times = (record.created_at_ms.into(), record.expires_at_ms.into());
        let browser_of = record.browser_of.as_deref().into();
        let values = [id, hash.into(), scope, label, times.0, times.1, browser_of];
        self.run(schema::INSERT_TOKEN, &values)
    }

    pub(super) fn token_by_hash(&self, hash: &[u8]) -> Result<Option<FoundToken>> {
        let Some(mut row) = self.row(schema::TOKEN_BY_HASH, &[hash.into()])? else {
            return Ok(None);
        };
        Ok(Some(FoundToken {
            id: row.text(0)?.to_owned(),
            hash: row.take_blob(1)?,
            scope: row.text(2)?.to_owned(),
            label: row.optional_text(3)?.map(str::to_owned),
            expires_at: row.optional_number(4)?.map(Time::from_ms),
            browser_of: row.optional_text(5)?.map(str::to_owned),
        }))
    }

    pub(super) fn token_hash(&self, id: &str) -> Result<Option<SecretHash>> {
        let Some(mut row) = self.row(schema::TOKEN_HASH, &[id.into()])? else { return Ok(None) };
        Ok(row.take_blob(0)?.try_into().ok())
    }

    pub(super) fn change_token(&self, record: &TokenRecord) -> Result<()> {
        let (id, scope) = (record.id.as_str().into(), record.scope.as_str().into());
        let label = record.label.as_deref().into();
        self.run(schema::CHANGE_TOKEN, &[id, scope, label, record.expires_at_ms.into()])
    }

    pub(super) fn use_token(&self, id: &str, at_ms: u64) -> Result<()> {
        self.run(schema::USE_TOKEN, &[id.into(), at_ms.into()])
    }

    /// Notes that a token has opened a connection to a session.
    pub(super) fn put_opened(&self, token: &[u8], session: &SessionId) -> Result<()> {
        self.run(PUT_OPENED, &[token.into(), session.as_str().into()])
    }

    /// The sessions that a token has opened connections to.
    pub(super) fn opened_by(&self, token: &[u8]) -> Result<Vec<SessionId>> {
        self.rows(OPENED_BY, &[token.into()])?.iter().map(|row| row.parsed(0)).collect()
    }

    /// Forgets what a token has opened.
    pub(super) fn forget_token(&self, token: &[u8]) -> Result<()> {
        self.run(FORGET_TOKEN, &[token.into()])
    }

    /// The time at which a token may start the full number of sessions again.
    pub(super) fn starts_settled(&self, token_id: &str) -> Result<Option<Time>> {
        let row = self.row(STARTS, &[token_id.into()])?;
        row.map(|row| row.number(0).map(Time::from_ms)).transpose()
    }

    /// Stores that time, and forgets those that have passed.
    pub(super) fn put_starts(&self, token_id: &str, settled: Time, now: Time) -> Result<()> {
        self.run(FORGET_STARTS, &[now.ms.into()])?;
        self.run(PUT_STARTS, &[token_id.into(), settled.ms.into()])
    }

    pub(super) fn put_audit(&self, record: &AuditRecord) -> Result<()> {
        self.run(
            schema::PUT_AUDIT,
            &[
                record.at_ms.into(),
                record.kind.as_str().into(),
                record.who.as_str().into(),
                record.token_id.as_deref().into(),
                record.address.as_deref().into(),
                record.session.as_ref().map(SessionId::as_str).into(),
                record.detail.as_deref().into(),
            ],
        )
    }

    pub(super) fn trim_audit(&self) -> Result<()> {
        self.run(schema::TRIM_AUDIT, &[AUDIT_EVENTS.into()])
    }

    /// A page of the audit events, newest first.
    pub(super) fn audit(&self, page: &AuditPage) -> Result<Vec<AuditEvent>> {
        let asked = [page.before.into(), page.limit.into(), page.kinds.as_str().into()];
        let rows = self.rows(schema::AUDIT, &asked)?;
        let row = |row: &crate::sql::ResultRow| {
            let record = AuditRecord {
                at_ms: row.number(1)?,
                kind: AuditKind::named(row.text(2)?),
                who: row.text(3)?.to_owned(),
                token_id: row.optional_text(4)?.map(str::to_owned),
                address: row.optional_text(5)?.map(str::to_owned),
                session: row.optional_text(6)?.and_then(|id| id.parse().ok()),
                detail: row.optional_text(7)?.map(str::to_owned),
            };
            Ok(record.event(row.number(0)?))
        };
        rows.iter().map(row).collect()
    }

    pub(super) fn delete_token(&self, id: &str) -> Result<bool> {
        let there = self.row("SELECT 1 FROM tokens WHERE id = ?1", &[id.into()])?.is_some();
        self.run(schema::DELETE_PASSKEYS, &[id.into()])?;
        self.run(schema::DELETE_TOKEN, &[id.into()])?;
        Ok(there)
    }

    /// Stores a ticket. Returns false if there are already `most` tickets that have not expired.
    pub(super) fn put_ticket(
        &self,
        hash: &[u8],
        caller: &str,
        now: u64,
        expires_at: u64,
        most: u64,
    ) -> Result<bool> {
        self.run(EXPIRE_TICKETS, &[now.into()])?;
        let count = self.row(COUNT_TICKETS, &[])?.ok_or(SqlError::Column(0))?.number(0)?;
        if count >= most {
            return Ok(false);
        }
        self.run(PUT_TICKET, &[hash.into(), caller.into(), expires_at.into()])?;
        Ok(true)
    }

    /// Takes a ticket, which is void from then on. Returns its caller, or `None` if it is unknown
    /// or has expired.
    pub(super) fn take_ticket(&self, hash: &[u8], now: u64) -> Result<Option<String>> {
        let Some(row) = self.row(TAKE_TICKET, &[hash.into()])? else { return Ok(None) };
        let is_valid = row.number(1)? > now;
        is_valid.then(|| row.text(0).map(str::to_owned)).transpose()
    }

    /// Stores a cookie, and deletes expired ones and those of the same token that are over the limit.
    pub(super) fn put_cookie(
        &self,
        hash: &[u8],
        token: &[u8],
        now: u64,
        expires_at: u64,
    ) -> Result<()> {
        let rest = COOKIES.saturating_sub(1);
        self.run(schema::EXPIRE_COOKIES, &[now.into(), rest.into(), token.into()])?;
        self.run(schema::PUT_COOKIE, &[hash.into(), token.into(), expires_at.into()])
    }

    /// Lets a cookie expire later. Returns false if it is not valid.
    pub(super) fn renew_cookie(&self, hash: &[u8], now: u64, expires_at: u64) -> Result<bool> {
        if self.cookie(hash, now)?.is_none() {
            return Ok(false);
        }
        self.run(schema::RENEW_COOKIE, &[hash.into(), expires_at.into(), now.into()])?;
        Ok(true)
    }

    /// The hash of the token that a valid cookie stands for, and when the cookie expires.
    pub(super) fn cookie(&self, hash: &[u8], now: u64) -> Result<Option<([u8; 32], Time)>> {
        let Some(mut row) = self.row(schema::COOKIE, &[hash.into(), now.into()])? else {
            return Ok(None);
        };
        let expires_at = Time::from_ms(row.number(1)?);
        let token = row.take_blob(0)?.try_into();
        Ok(token.ok().map(|token| (token, expires_at)))
    }

    /// Deletes the cookies of a person's browsers. Returns the hash of each one's token. `token` is the
    /// hash of the caller's.
    pub(super) fn delete_cookies(&self, token: &[u8], person: &str) -> Result<Vec<SecretHash>> {
        hashes(self.rows(schema::DELETE_COOKIES, &[token.into(), person.into()])?)
    }

    /// Revokes the token with this id, or those of a person's browsers, if they are browsers' own and
    /// have no passkeys. Returns the hash of each.
    pub(super) fn end_browser_tokens(
        &self,
        id: Option<&str>,
        person: Option<&str>,
    ) -> Result<Vec<SecretHash>> {
        hashes(self.rows(schema::END_BROWSER_TOKENS, &[id.into(), person.into()])?)
    }

    /// Deletes a cookie.
    pub(super) fn delete_cookie(&self, hash: &[u8]) -> Result<()> {
        self.run(schema::DELETE_COOKIE, &[hash.into()])
    }
}

/// The hashes in the first column.
fn hashes(rows: Vec<crate::sql::ResultRow>) -> Result<Vec<SecretHash>> {
    let hash = |mut row: crate::sql::ResultRow| Ok(row.take_blob(0)?.try_into().ok());
    rows.into_iter().filter_map(|row| hash(row).transpose()).collect()
}
