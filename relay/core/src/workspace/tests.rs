//! The machine of workspaces on SQLite, in memory.

mod converging;
mod files;
mod syncing;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use moorline_shared::id::WorkspaceId;
use moorline_shared::rest::{FilesChanged, WorkspaceTree};
use moorline_shared::workspace::FileEntry;
use moorline_shared::workspace::wire::{PathChange, PathChangeResult};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, params_from_iter};
use serde_json::Value as Json;
use unicode_normalization::UnicodeNormalization as _;

use super::apply::ChangeBatch;
use super::*;
use crate::api::ApiError;
use crate::record::WorkspaceRecord;
use crate::routes::Request;
use crate::schema::MIGRATIONS;
use crate::tests::support::request;

const LIMIT: u64 = 1024 * 1024 * 8;

struct Database(Connection);

impl rusqlite::ToSql for SqlValue<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match *self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Number(number) => (number as i64).into(),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

impl WorkspaceSql for Database {
    fn decompose(&self, text: &str) -> String {
        text.nfd().collect()
    }

    fn run(&self, statement: &str, values: &[SqlValue<'_>]) -> Result<()> {
        let mut statement = self.0.prepare_cached(statement).unwrap();
        statement.execute(params_from_iter(values)).unwrap();
        Ok(())
    }

    fn rows(&self, statement: &str, values: &[SqlValue<'_>]) -> Result<Vec<Vec<SqlCell>>> {
        let mut statement = self.0.prepare_cached(statement).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map(params_from_iter(values), |row| {
            let cell = |column| {
                Ok(match row.get_ref(column)? {
                    ValueRef::Integer(number) => SqlCell::Number(number as u64),
                    ValueRef::Text(text) => {
                        SqlCell::Text(String::from_utf8(text.to_vec()).unwrap())
                    }
                    ValueRef::Blob(bytes) => SqlCell::Blob(bytes.to_vec()),
                    _ => SqlCell::Null,
                })
            };
            (0..columns).map(cell).collect()
        });
        Ok(rows.unwrap().map(rusqlite::Result::unwrap).collect())
    }
}

/// A workspace in a database of its own.
struct Fixture {
    database: Database,
    record: WorkspaceRecord,
}

impl Fixture {
    fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        for migration in MIGRATIONS {
            connection.execute_batch(migration).unwrap();
        }
        let id = "workspace_1".parse().unwrap();
        let record = WorkspaceRecord { id, name: None, project: None, created_at_ms: 0 };
        Self { database: Database(connection), record }
    }

    fn workspace(&self) -> WorkspaceFiles<'_> {
        let id: &WorkspaceId = &self.record.id;
        WorkspaceFiles { sql: &self.database, id, limit_bytes: LIMIT, now_ms: 5 }
    }

    fn apply(&self, changes: &[PathChange]) -> Vec<PathChangeResult> {
        let mut batch = ChangeBatch::begin(self.workspace()).unwrap();
        let results = batch.apply(changes).unwrap();
        batch.finish().unwrap();
        results
    }

    fn tree(&self, since: Option<u64>) -> WorkspaceTree {
        self.workspace().tree(since).unwrap()
    }

    fn paths(&self) -> Vec<String> {
        self.tree(None).files.iter().map(|file| file.path.to_string()).collect()
    }

    /// Carries out a request, as a relay does.
    fn ask(
        &self,
        parse: fn(&Request, &HeaderMap) -> std::result::Result<FileAction, ApiError>,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> std::result::Result<WorkspaceReply, ApiError> {
        let body = Bytes::copy_from_slice(body);
        let request = Request { item: path.to_owned(), body, ..request("", &Json::Null) };
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
            })
            .collect();
        self.database.0.execute_batch("BEGIN").unwrap();
        let result =
            parse(&request, &headers).and_then(|action| action.run(self.workspace(), &self.record));
        let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        self.database.0.execute_batch(end).unwrap();
        result
    }

    fn count(&self, table: &str) -> u64 {
        let count = format!("SELECT count(*) FROM {table}");
        self.database.0.query_row(&count, [], |row| row.get::<_, i64>(0)).unwrap() as u64
    }

    /// Checks that the totals and the uses of chunks are what the files say.
    fn check(&self) {
        let files = self.tree(None).files;
        let state = self.workspace().state().unwrap();
        assert_eq!(state.files, files.len() as u64);
        assert_eq!(state.bytes, files.iter().map(|file| file.size).sum::<u64>());
        let mut uses = std::collections::BTreeMap::<Vec<u8>, i64>::new();
        for stored in self.workspace().all().unwrap() {
            for chunk in stored.chunks.chunks(32) {
                *uses.entry(chunk.to_vec()).or_default() += 1;
            }
        }
        let mut select =
            self.database.0.prepare("SELECT hash, uses FROM workspace_chunks").unwrap();
        let stored = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(
            stored.map(rusqlite::Result::unwrap).collect::<std::collections::BTreeMap<_, _>>(),
            uses
        );
    }
}

fn put(path: &str, base: Option<u64>, content: &[u8]) -> PathChange {
    PathChange {
        path: path.parse().unwrap(),
        base,
        to: Some(FileEntry::file(0o644, content)),
        conflict_of: None,
        content: Some(Bytes::copy_from_slice(content)),
    }
}

fn delete(path: &str, base: u64) -> PathChange {
    PathChange {
        path: path.parse().unwrap(),
        base: Some(base),
        to: None,
        conflict_of: None,
        content: None,
    }
}

fn without_content(change: PathChange) -> PathChange {
    PathChange { content: None, ..change }
}

/// The codes of results; empty for a change that was made.
fn codes(results: &[PathChangeResult]) -> Vec<&str> {
    let code = |result: &PathChangeResult| match result {
        PathChangeResult::Done { .. } => String::new(),
        PathChangeResult::Refused { code, .. } => code.clone(),
    };
    results.iter().map(|result| &*code(result).leak()).collect()
}

fn changed(reply: &WorkspaceReply) -> FilesChanged {
    serde_json::from_slice(&reply.body).unwrap()
}
