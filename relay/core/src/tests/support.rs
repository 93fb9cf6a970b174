//! A session for tests, its host, and its store.

use super::*;
use crate::auth::Grant;
use crate::plan;
use crate::routes::Request;
use crate::session::{SessionInput, StoredSession};
use crate::stored::{SegmentRow, Stored};
use moorline_shared::publish::HostMessage;
use moorline_shared::rest::CreateSession;
use serde_json::Value;

/// Returns a request about the session `abcdefgh`.
pub(crate) fn request(query: &str, body: &Value) -> Request {
    Request {
        id: "abcdefgh".to_owned(),
        item: String::new(),
        grant: Grant::unstored(),
        query: query.to_owned(),
        content_type: "application/json".to_owned(),
        body: body.to_string().into(),
        now_ms: 5,
        random: 1,
    }
}

/// Returns the row of a session, in this state and epoch 1.
pub(crate) fn record(lifecycle: Lifecycle) -> SessionRecord {
    let id = "session_1".parse().unwrap();
    let record = plan::record(CreateSession::default(), id, 1_767_225_600_000).unwrap();
    SessionRecord { name: Some("a session".into()), epoch: Epoch(1), lifecycle, ..record }
}

/// Returns a session that nobody has started yet.
pub(crate) fn new_session(profile: &Profile) -> Session {
    Session::new(record(Lifecycle::Detached), profile)
}

/// Returns a session with this log, of which all is in memory.
pub(crate) fn restored(log: Log, lifecycle: Lifecycle, profile: &Profile) -> Session {
    let index = Stored::new(log.epoch(), []);
    indexed(log, index, lifecycle, profile)
}

/// Returns a session with these entries in memory and these in the store.
pub(crate) fn indexed(
    newest: Log,
    index: Stored,
    lifecycle: Lifecycle,
    profile: &Profile,
) -> Session {
    let record = SessionRecord { epoch: newest.epoch(), ..record(lifecycle) };
    let (snapshot, last_status, agent) = (None, None, None);
    let stored = StoredSession { record, newest, index, snapshot, last_status, agent };
    Session::restored(stored, profile)
}

/// Has the host connect, with an empty log of epoch 1.
pub(crate) fn link(session: &mut Session) {
    session.handle(NOW, SessionInput::HostArrived);
    let (epoch, from, head, size) = (Epoch(1), Seq::ZERO, Seq::ZERO, Size::default());
    hear(session, HostMessage::Resumed { epoch, from, head, size });
}

/// Returns a session whose host is connected.
pub(crate) fn linked(profile: &Profile) -> Session {
    let mut session = new_session(profile);
    link(&mut session);
    session
}

/// Passes in a message of the host.
pub(crate) fn hear(session: &mut Session, message: HostMessage) {
    session.host_message(message, 0).unwrap();
}

/// Returns the commands for the host since the last call.
pub(crate) fn commands(session: &mut Session) -> Vec<HostCommand> {
    std::iter::from_fn(|| session.poll_command()).collect()
}

/// Returns the changes of stored input since the last call.
pub(crate) fn held_changes(session: &mut Session) -> Vec<HeldChange> {
    std::iter::from_fn(|| session.poll_output())
        .filter_map(|output| match output {
            SessionEffect::Held(change) => Some(change),
            _ => None,
        })
        .collect()
}

/// Stores everything that waits, one row a batch. Returns the entries that were stored, and the
/// last one that was removed.
pub(crate) fn store(session: &mut Session) -> (Vec<Entry>, Option<Seq>) {
    let (mut stored, mut removed) = (Vec::new(), None);
    while let Some(batch) = session.store_batch(1 << 20) {
        let bytes = batch.entries.iter().map(|entry| entry.len() as u64).sum();
        let ends = batch.entries.first().zip(batch.entries.last());
        let row =
            ends.map(|(first, last)| SegmentRow { first: first.seq(), last: last.seq(), bytes });
        removed = removed.max(batch.remove_up_to);
        stored.extend(batch.entries.iter().cloned());
        session.handle(NOW, SessionInput::Stored { batch, rows: row.into_iter().collect() });
    }
    (stored, removed)
}
