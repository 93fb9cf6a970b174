//! Rows of sessions, snapshots and notes.

use bytes::Bytes;
use moorline_core::record::SessionRecord;
use moorline_core::schema;
use moorline_shared::id::{Epoch, HostId, ProjectId, Seq, SessionId, WorkspaceId};
use moorline_shared::message::Snapshot;
use moorline_shared::session::{ExitStatus, Size};
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::console_error;

use super::{ObjectDatabase, Result, ResultRow, SqlError, Value};

impl ObjectDatabase {
    /// All sessions, newest first. A session's own object has at most one.
    pub(crate) fn sessions(&self) -> Result<Vec<SessionRecord>> {
        self.rows(schema::SESSIONS, &[])?.iter().map(record).collect()
    }

    /// Inserts or replaces a session's row.
    pub(crate) fn put_session(&self, record: &SessionRecord) -> Result<()> {
        let exit = record.exit.as_ref();
        let (command, env) = (json(&record.command), json(&record.env));
        let (agent, tmux) = (json(&record.agent), json(&record.tmux));
        let reason = json(&exit.and_then(|exit| exit.reason));
        let (pod, pod_status) = (json(&record.pod), json(&record.pod_status));
        let lifecycle = json(&record.lifecycle);
        self.run(
            schema::PUT_SESSION,
            &[
                record.id.as_str().into(),
                record.epoch.0.into(),
                record.name.as_deref().into(),
                record.project.as_ref().map(ProjectId::as_str).into(),
                record.driver.as_str().into(),
                command.as_str().into(),
                record.cwd.as_deref().into(),
                u64::from(record.size.cols).into(),
                u64::from(record.size.rows).into(),
                record.created_at_ms.into(),
                record.last_activity_ms.into(),
                lifecycle.as_str().into(),
                exit.and_then(|exit| exit.code).map_or(Value::Null, Value::Signed),
                exit.and_then(|exit| exit.signal.as_deref()).into(),
                record.head.0.into(),
                env.as_str().into(),
                record.host.as_ref().map(HostId::as_str).into(),
                agent.as_str().into(),
                tmux.as_str().into(),
                reason.as_str().into(),
                record.workspace.as_ref().map(WorkspaceId::as_str).into(),
                pod.as_str().into(),
                pod_status.as_str().into(),
            ],
        )
    }

    /// Deletes a session with its log and its snapshot.
    pub(crate) fn delete_session(&self, id: &SessionId) -> Result<()> {
        schema::DELETE_SESSION.iter().try_for_each(|delete| self.run(delete, &[id.as_str().into()]))
    }

    /// Replaces the session's snapshot.
    pub(crate) fn put_snapshot(
        &self,
        id: &SessionId,
        epoch: Epoch,
        snapshot: &Snapshot,
    ) -> Result<()> {
        self.run(
            schema::PUT_SNAPSHOT,
            &[
                id.as_str().into(),
                epoch.0.into(),
                snapshot.seq.0.into(),
                snapshot.cols.map(u64::from).into(),
                snapshot.rows.map(u64::from).into(),
                (&snapshot.data[..]).into(),
            ],
        )
    }

    /// The session's snapshot; `None` if there is none of this epoch.
    pub(crate) fn snapshot(&self, id: &SessionId, epoch: Epoch) -> Result<Option<Snapshot>> {
        let Some(mut row) = self.row(schema::SNAPSHOT, &[id.as_str().into(), epoch.0.into()])?
        else {
            return Ok(None);
        };
        Ok(Some(Snapshot {
            seq: Seq(row.number(0)?),
            cols: row.optional(1)?,
            rows: row.optional(2)?,
            data: Bytes::from(row.take_blob(3)?),
            reason: None,
        }))
    }

    /// The value noted under a name.
    pub(crate) fn note<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        self.row(schema::NOTE, &[name.into()])?.map(|row| row.json(0)).transpose()
    }

    /// Stores a value under a name that may be longer than a row. Its row has the beginning of its
    /// JSON and the number of further rows, which have the rest.
    pub(crate) fn put_long_note(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let text = json(value);
        let (first, rest) = cut(&text, PIECE_BYTES);
        let (mut more, mut rest) = (0, rest);
        while !rest.is_empty() {
            let (piece, others) = cut(rest, PIECE_BYTES);
            more += 1;
            self.put_note(&format!("{name}.{more}"), &piece)?;
            rest = others;
        }
        self.put_note(name, &(more, first))
    }

    /// The value that [`ObjectDatabase::put_long_note`] stored under a name; `None` if there is none
    /// that this version can read.
    pub(crate) fn long_note<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some((more, mut text)) = self.note::<(usize, String)>(name)? else { return Ok(None) };
        for number in 1..=more {
            text += &self.note::<String>(&format!("{name}.{number}"))?.unwrap_or_default();
        }
        let value = serde_json::from_str(&text).inspect_err(|error| {
            console_error!("the stored note {name} cannot be read: {error}");
        });
        Ok(value.ok())
    }

    /// Stores a value under a name.
    pub(crate) fn put_note(&self, name: &str, value: &impl Serialize) -> Result<()> {
        self.run(schema::PUT_NOTE, &[name.into(), json(value).as_str().into()])
    }
}

/// Bytes of JSON in one row of a long note. Together with the escapes of its quotes it fits a row,
/// which has at most 2 MiB.
const PIECE_BYTES: usize = 512 * 1024;

/// Cuts a text after at most this many bytes, between two characters.
fn cut(text: &str, most: usize) -> (&str, &str) {
    text.split_at(text.floor_char_boundary(most))
}

/// A value as JSON for a column; a lifecycle is one word.
fn json(value: &impl Serialize) -> String {
    // Texts, lists and maps of texts, and unit variants always encode.
    serde_json::to_string(value).unwrap_or_default()
}

fn record(row: &ResultRow) -> Result<SessionRecord> {
    let exit = ExitStatus {
        code: row.optional(12)?,
        signal: row.optional_text(13)?.map(str::to_owned),
        reason: row.json(19)?,
    };
    let size = |column| row.optional(column)?.ok_or(SqlError::Column(column));
    Ok(SessionRecord {
        id: row.parsed(0)?,
        epoch: Epoch(row.number(1)?),
        name: row.optional_text(2)?.map(str::to_owned),
        project: row.optional_text(3)?.and_then(|id| id.parse().ok()),
        driver: row.text(4)?.to_owned(),
        command: row.json(5)?,
        cwd: row.optional_text(6)?.map(str::to_owned),
        size: Size { cols: size(7)?, rows: size(8)? },
        created_at_ms: row.number(9)?,
        last_activity_ms: row.number(10)?,
        lifecycle: row.json(11)?,
        exit: (exit != ExitStatus::default()).then_some(exit),
        head: Seq(row.number(14)?),
        env: row.json(15)?,
        host: row.optional_text(16)?.and_then(|id| id.parse().ok()),
        agent: row.json(17)?,
        tmux: row.json(18)?,
        workspace: row.optional_text(20)?.and_then(|id| id.parse().ok()),
        pod: row.json(21)?,
        pod_status: row.json(22)?,
    })
}
