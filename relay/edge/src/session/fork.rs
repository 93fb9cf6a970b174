//! Forking: copies this session's rows to the new session's object, and gives the host what it
//! needs to restore the session.

use std::rc::Rc;

use bytes::Bytes;
use http::StatusCode;
use js_sys::Uint8Array;
use moorline_core::api::ApiError;
use moorline_core::fork::{ForkTail, last_copied};
use moorline_core::segment::Segment;
use moorline_core::session::AgentDocument;
use moorline_core::stored::SegmentRow;
use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::log::Entry;
use moorline_shared::message::Snapshot;
use moorline_shared::session::ForkedFrom;
use serde::Deserialize;
use worker::worker_sys::web_sys;
use worker::{Request, Stub};

use super::clock::now;
use super::object::Object;
use super::state::SessionState;
use crate::internal::{CREATE, Create, ForkSource, ORIGIN};
use crate::object_client;
use crate::reply::{self, Answer, RequestFailure, nothing};
use crate::sql::{ObjectDatabase, SqlError};

/// To a new session's object: one part of the log that it begins with, as bytes. With `last` in the
/// query it is a row, else a snapshot.
pub(super) const SEED: &str = "/internal/seed";

/// Query of a [`SEED`] request, which describes its bytes.
#[derive(Debug, Deserialize)]
struct Seed {
    epoch: u64,
    /// First entry of a row, or last entry that a snapshot contains.
    seq: u64,
    last: Option<u64>,
    cols: Option<u16>,
    rows: Option<u16>,
}

/// Parts of the log that are copied.
struct CopiedParts {
    from: ForkedFrom,
    agent: AgentDocument,
    snapshot: Option<Snapshot>,
    rows: Vec<SegmentRow>,
}

/// Copies the log to the new session's object, and answers with the
/// [`Fork`](moorline_shared::control::Fork) for the host.
pub(super) async fn fork(object: &Rc<Object>, wanted: ForkSource) -> Answer {
    let ForkSource { seq, mut record } = wanted;
    let CopiedParts { from, agent, snapshot, rows } =
        object.with(|loaded| loaded.source(seq))??;
    record.head = from.seq;
    let (epoch, driver) = (record.epoch, record.driver.clone());
    let copy = object_client::session(&object.env, &record.id)?;
    object_client::post(&copy, CREATE, &Create { record, agent: Some(agent.clone()) }).await?;
    if let Some(snapshot) = &snapshot {
        let size = snapshot.cols.zip(snapshot.rows);
        let size = size.map_or(String::new(), |(cols, rows)| format!("&cols={cols}&rows={rows}"));
        let what = format!("epoch={epoch}&seq={}{size}", snapshot.seq);
        seed(&copy, &what, &snapshot.data).await?;
    }
    let mut tail = ForkTail::new(&driver, snapshot);
    for row in rows {
        // One row at a time: the session may be trimmed or evicted in between.
        let mut entries = object.peek(|loaded| loaded.entries_of(row))??;
        entries.retain(|entry| entry.seq() <= from.seq);
        let Some(last) = entries.last().map(Entry::seq) else { continue };
        let mut data = Segment::default();
        entries.iter().for_each(|entry| data.push(entry));
        seed(&copy, &format!("epoch={epoch}&seq={}&last={last}", row.first), data.blob()).await?;
        entries.iter().try_for_each(|entry| tail.push(entry))?;
    }
    reply::json(StatusCode::OK, &tail.finish(epoch, from, &agent))
}

async fn seed(copy: &Stub, what: &str, bytes: &[u8]) -> Result<(), RequestFailure> {
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_body(&Uint8Array::from(bytes));
    let request = web_sys::Request::new_with_str_and_init(&format!("{ORIGIN}{SEED}?{what}"), &init);
    let request = request.map_err(worker::Error::from)?;
    let response = copy.fetch_with_request(request.into()).await?;
    match response.status_code() {
        200..300 => Ok(()),
        _ => Err(RequestFailure::Passed(Box::new(response))),
    }
}

/// Stores a part of the log that this session begins with.
pub(super) async fn take(object: &Rc<Object>, request: &mut Request) -> Answer {
    let wanted: Seed = reply::internal(&object.name(), request)?.query()?;
    let data = request.bytes().await?;
    let id: SessionId = object.name().parse().map_err(|_| ApiError::invalid_id(&object.name()))?;
    let database = ObjectDatabase::open(object.state.storage().sql())?;
    let (epoch, seq) = (Epoch(wanted.epoch), Seq(wanted.seq));
    match wanted.last {
        Some(last) => database.put_segment(&id, epoch, (seq, Seq(last)), &data, true)?,
        None => {
            let (cols, rows) = (wanted.cols, wanted.rows);
            let snapshot = Snapshot { seq, data: Bytes::from(data), cols, rows, reason: None };
            database.put_snapshot(&id, epoch, &snapshot)?;
        }
    }
    // The session is loaded again with the new rows.
    object.forget();
    nothing()
}

impl SessionState {
    fn source(&mut self, seq: Option<Seq>) -> Result<CopiedParts, RequestFailure> {
        self.store_all(now())?;
        let (epoch, head) = (self.session.log().epoch(), self.session.log().head());
        let seq = last_copied(seq, head)?;
        let id = self.session.id().clone();
        let rows = self.store.database.segments(&id, epoch)?;
        let oldest = rows.first().map(|row| row.first);
        // A snapshot older than the retained entries does not connect to them.
        let leads = |snapshot: &Snapshot| {
            snapshot.seq <= seq && oldest.is_none_or(|oldest| oldest <= snapshot.seq.next())
        };
        let snapshot = self.store.database.snapshot(&id, epoch)?.filter(leads);
        if snapshot.is_none() && rows.first().is_none_or(|row| row.first != Seq(1)) {
            let error = format!("Not all entries before {seq} are retained.");
            return Err(ApiError::trimmed(error).into());
        }
        let rows = rows.into_iter().take_while(|row| row.first <= seq).collect();
        let agent = self.session.agent_at(seq);
        let from = ForkedFrom { session_id: id, epoch, seq };
        Ok(CopiedParts { from, agent, snapshot, rows })
    }

    fn entries_of(&self, row: SegmentRow) -> Result<Vec<Entry>, SqlError> {
        self.store.database.segment(self.session.id(), row.first)
    }
}
