mod opening;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use moorline_shared::agent::spec::AgentSpec;
use moorline_shared::frame::Frame;
use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::limits::{FORK_OUTPUT_BYTES, SEGMENT_BYTES};
use moorline_shared::log::{Entry, EventEntry};
use moorline_shared::message::Snapshot;
use moorline_shared::pod::{PodSpec, PodStatus};
use moorline_shared::rest::MissingDriver;
use moorline_shared::session::{ExitStatus, Lifecycle, Size};
use moorline_shared::tmux::TmuxSpec;

use super::*;
use crate::data_folder::DataFolder;
use crate::metrics::StoreCounters;
use moorline_core::session::Batch;
use moorline_core::stored::SegmentRow;

const EPOCH: Epoch = Epoch(7);
const ALL: u64 = u64::MAX;

fn id() -> SessionId {
    "abcdefgh".parse().unwrap()
}

fn output(seq: u64, bytes: usize) -> Entry {
    Entry::Output(Frame::copy(Seq(seq), &vec![seq as u8; bytes]).unwrap().at(1000 * seq))
}

fn outputs(seqs: std::ops::RangeInclusive<u64>, bytes: usize) -> Vec<Entry> {
    seqs.map(|seq| output(seq, bytes)).collect()
}

/// Returns output that cannot be compressed.
fn noise(seqs: std::ops::RangeInclusive<u64>, bytes: usize) -> Vec<Entry> {
    let mut state = 1u64;
    let mut byte = || {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let mut data = || (0..bytes).map(|_| byte()).collect::<Vec<_>>();
    seqs.map(|seq| Entry::Output(Frame::copy(Seq(seq), &data()).unwrap())).collect()
}

fn append(store: &mut Store, epoch: Epoch, entries: &[Entry]) {
    store.transaction(|store| store.append(&id(), epoch, entries)).unwrap();
}

fn rows(store: &Store) -> i64 {
    let count = "SELECT count(*) FROM segments";
    store.connection.query_row(count, [], |row| row.get(0)).unwrap()
}

fn seqs(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq().0).collect()
}

fn record() -> SessionRecord {
    SessionRecord {
        host: Some("localhost".parse().unwrap()),
        id: id(),
        epoch: EPOCH,
        name: Some("build".into()),
        project: None,
        driver: "pty".into(),
        command: vec!["make".into(), "all".into()],
        cwd: Some("/".into()),
        env: [("LANG".to_owned(), "C".to_owned())].into(),
        size: Size { cols: 100, rows: 30 },
        created_at_ms: 1_700_000_000_000,
        last_activity_ms: 1_700_000_000_001,
        lifecycle: Lifecycle::Exited,
        exit: Some(ExitStatus { code: None, signal: Some("SIGKILL".into()), reason: None }),
        head: Seq(2),
        agent: Some(AgentSpec { agent: Some("codex".into()), ..AgentSpec::default() }),
        tmux: Some(TmuxSpec { pane: Some("%1".into()), ..TmuxSpec::default() }),
        workspace: Some("workspace_1".parse().unwrap()),
        pod: Some(PodSpec { template: Some("small".into()), ..PodSpec::default() }),
        pod_status: Some(PodStatus { pod: "exec-a".into(), ..PodStatus::default() }),
    }
}

#[test]
fn what_was_committed_is_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let entries = [output(1, 3), Entry::Event(EventEntry::from_message(Seq(2), 8, "{}".into()))];
    store.transaction(|store| store.put_session(&record())).unwrap();
    append(&mut store, EPOCH, &entries);
    // A process that is killed closes nothing, so open a copy of its files in their current state.
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let store = Store::open(copy.path()).unwrap();
    assert_eq!(store.sessions().unwrap(), [record()]);
    assert_eq!(store.load(&id(), EPOCH, Seq::ZERO, ALL).unwrap(), entries);
}

#[test]
fn a_folder_of_before_entries_had_times_is_read_and_written_on() {
    let folder = tempfile::tempdir().unwrap();
    let old = rusqlite::Connection::open(folder.path().join(FILE_NAME)).unwrap();
    let versions = &moorline_core::schema::MIGRATIONS[..3];
    versions.iter().for_each(|version| old.execute_batch(version).unwrap());
    old.pragma_update(None, "user_version", versions.len() as i64).unwrap();
    let event =
        r#"{"type":"event","seq":2,"event":{"sessionId":"abcdefgh","type":"x","timestamp":5}}"#;
    let mut blob = b"\0\0\0\0\x0a\0\0\0\0\0\0\0\x01hi".to_vec();
    blob.extend_from_slice(&[1, 0, 0, 0, event.len() as u8]);
    blob.extend_from_slice(event.as_bytes());
    blob.extend_from_slice(b"\0\0\0\0\x0a\0\0\0\0\0\0\0\x03ho");
    let row = rusqlite::params!["abcdefgh", 1, 7, 3, blob.len() as i64, blob];
    old.execute(moorline_core::schema::INSERT_SEGMENT, row).unwrap();
    drop(old);

    let mut store = Store::open(folder.path()).unwrap();
    append(&mut store, EPOCH, &[output(4, 1)]);
    assert_eq!(rows(&store), 1);
    let told = store.load(&id(), EPOCH, Seq::ZERO, ALL).unwrap();
    assert_eq!(told.iter().map(Entry::time_ms).collect::<Vec<_>>(), [0, 5, 5, 4000]);
    let Entry::Output(first) = &told[0] else { panic!("{:?}", told[0]) };
    assert_eq!(first.data(), b"hi");
    let version = |store: &Store| -> i64 {
        store.connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    };
    assert!(version(&store) > versions.len() as i64, "older programs must refuse it");
}

#[test]
fn what_a_host_misses_is_kept_and_was_nothing_in_older_databases() {
    let folder = tempfile::tempdir().unwrap();
    let old = Connection::open(folder.path().join(FILE_NAME)).unwrap();
    let versions = &schema::MIGRATIONS[..6];
    versions.iter().for_each(|version| old.execute_batch(version).unwrap());
    old.pragma_update(None, "user_version", versions.len() as i64).unwrap();
    let row = r#"INSERT INTO hosts VALUES ('machine_1', 'machine', '1', '["pty"]', 5)"#;
    old.execute_batch(row).unwrap();
    drop(old);
    let store = Store::open(folder.path()).unwrap();
    let mut host = store.hosts().unwrap().remove(0);
    assert_eq!((host.last_seen_ms, host.missing.len()), (5, 0));
    host.missing.push(MissingDriver { driver: "tmux".into(), reason: "not installed".into() });
    store.put_host(&host).unwrap();
    assert_eq!(store.hosts().unwrap(), [host]);
}

#[test]
fn a_transaction_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let gap = [output(2, 1), output(4, 1)];
    let result = store.transaction(|store| {
        store.put_session(&record())?;
        store.append(&id(), EPOCH, &gap)
    });
    assert!(matches!(result, Err(StoreError::OutOfOrder { want: Seq(3), got: Seq(4) })));
    assert_eq!(store.sessions().unwrap(), []);
    append(&mut store, EPOCH, &outputs(1..=2, 1));
}

#[test]
fn keystrokes_share_a_row_and_a_flood_fills_segments() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    for seq in 1..=200 {
        append(&mut store, EPOCH, &[output(seq, 10)]);
    }
    assert_eq!(rows(&store), 1);
    append(&mut store, EPOCH, &outputs(201..=232, 65_536));
    let (most, stored): (i64, i64) = store
        .connection
        .query_row("SELECT max(bytes), max(length(data)) FROM segments", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert!(most as usize <= SEGMENT_BYTES && rows(&store) == 5, "{most} in {}", rows(&store));
    assert!(stored < most / 50, "equal bytes take little room: {stored} of {most}");
    append(&mut store, EPOCH, &[output(233, 10)]);
    let loaded = store.load(&id(), EPOCH, Seq::ZERO, ALL).unwrap();
    assert_eq!(seqs(&loaded), Vec::from_iter(1..=233));
    assert_eq!(loaded[231], output(232, 65_536));
    assert_eq!(store.sessions().unwrap(), []);
}

#[test]
fn reading_begins_and_ends_where_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    for first in [1, 11, 21] {
        append(&mut store, EPOCH, &outputs(first..=first + 9, 10_000));
    }
    let load = |after, bytes| seqs(&store.load(&id(), EPOCH, Seq(after), bytes).unwrap());
    assert_eq!(load(15, ALL), Vec::from_iter(16..=30));
    assert_eq!(load(15, 1), Vec::from_iter(16..=20));
    assert_eq!(load(30, ALL), [] as [u64; 0]);
    let newest = |bytes| seqs(&store.load_newest(&id(), EPOCH, bytes).unwrap());
    assert_eq!(newest(ALL), Vec::from_iter(1..=30));
    assert_eq!(newest(201_000), Vec::from_iter(11..=30));
    assert_eq!(newest(1), [] as [u64; 0]);
}

#[test]
fn what_is_stored_twice_is_stored_once_and_what_cannot_follow_starts_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    append(&mut store, EPOCH, &outputs(1..=3, 1));
    append(&mut store, EPOCH, &outputs(2..=5, 1));
    append(&mut store, EPOCH, &outputs(1..=2, 1));
    append(&mut store, EPOCH, &[]);
    let load = |store: &Store, epoch| seqs(&store.load(&id(), epoch, Seq::ZERO, ALL).unwrap());
    assert_eq!(load(&store, EPOCH), [1, 2, 3, 4, 5]);
    append(&mut store, EPOCH, &outputs(9..=10, 1));
    assert_eq!(load(&store, EPOCH), [9, 10]);
    append(&mut store, Epoch(8), &outputs(1..=2, 1));
    assert_eq!((load(&store, EPOCH), load(&store, Epoch(8))), (vec![], vec![1, 2]));
}

#[test]
fn segments_are_removed_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    for first in [1, 11, 21] {
        append(&mut store, EPOCH, &outputs(first..=first + 9, 10_000));
    }
    for (up_to, oldest) in [(9, Some(1)), (10, Some(11)), (25, Some(21)), (u64::MAX, None)] {
        store.remove_segments(&id(), Seq(up_to)).unwrap();
        let left = seqs(&store.load(&id(), EPOCH, Seq::ZERO, ALL).unwrap());
        assert_eq!(left.first().copied(), oldest);
    }
}

#[test]
fn a_session_is_deleted_with_all_that_belongs_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let data = Bytes::from_static(b"\x1bc");
    let snapshot = Snapshot { seq: Seq(1), data, cols: Some(80), rows: None, reason: None };
    store.put_session(&record()).unwrap();
    store.put_snapshot(&id(), EPOCH, &snapshot).unwrap();
    append(&mut store, EPOCH, &outputs(1..=20, 65_536));
    assert_eq!(store.snapshot(&id(), EPOCH).unwrap(), Some(snapshot));
    assert_eq!(store.snapshot(&id(), Epoch(8)).unwrap(), None);
    assert_eq!(store.sessions().unwrap()[0].head, Seq(20));
    let full = size(folder.path());
    store.transaction(|store| store.delete_session(&id())).unwrap();
    store.give_back_space().unwrap();
    store.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap_or_default();
    assert_eq!((store.sessions().unwrap(), rows(&store)), (vec![], 0));
    assert_eq!(store.snapshot(&id(), EPOCH).unwrap(), None);
    assert!(size(folder.path()) < full.max(1_000_000), "{} of {full}", size(folder.path()));
}

fn size(folder: &Path) -> u64 {
    std::fs::metadata(folder.join(FILE_NAME)).unwrap().len()
}

#[test]
fn a_log_is_copied_up_to_an_entry() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    for first in [1, 11, 21] {
        append(&mut store, EPOCH, &outputs(first..=first + 9, 10_000));
    }
    let mut copy = |to: &str, up_to: u64| {
        let copy = SessionRecord {
            id: to.parse().unwrap(),
            epoch: Epoch(9),
            head: Seq(up_to),
            ..record()
        };
        let copied = store.transaction(|store| store.copy_log(&id(), EPOCH, &copy)).unwrap();
        let entries = store.load(&copy.id, copy.epoch, Seq::ZERO, ALL).unwrap();
        assert!(entries.iter().all(|entry| *entry == output(entry.seq().0, 10_000)));
        (copied, seqs(&entries))
    };
    let copied = |up_to: u64| (LogCopy::Copied(None), Vec::from_iter(1..=up_to));
    assert_eq!(copy("at_an_end", 20), copied(20));
    assert_eq!(copy("in_the_middle", 13), copied(13));
    assert_eq!(copy("at_the_head", 30), copied(30));
    assert_eq!(copy("ahead_of_all", 31), (LogCopy::Trimmed, vec![]));
}

#[test]
fn a_copy_can_be_painted() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    for first in [1, 11, 21] {
        append(&mut store, EPOCH, &outputs(first..=first + 9, 10_000));
    }
    let data = Bytes::from_static(b"\x1bc");
    let snapshot = Snapshot { seq: Seq(15), data, cols: None, rows: None, reason: None };
    store.put_snapshot(&id(), EPOCH, &snapshot).unwrap();
    store.remove_segments(&id(), Seq(15)).unwrap();
    let mut copied = |to: &str, up_to: u64| {
        let copy = SessionRecord { id: to.parse().unwrap(), head: Seq(up_to), ..record() };
        let copied = store.transaction(|store| store.copy_log(&id(), EPOCH, &copy)).unwrap();
        (copied, store.snapshot(&copy.id, copy.epoch).unwrap())
    };
    let with_snapshot = (LogCopy::Copied(Some(snapshot.clone())), Some(snapshot));
    assert_eq!(copied("after_it", 25), with_snapshot);
    assert_eq!(copied("right_at_it", 15), with_snapshot);
    assert_eq!(copied("before_it", 14), (LogCopy::Trimmed, None));
    assert_eq!(store.sessions().unwrap().len(), 2);
}

#[test]
fn a_copy_that_is_too_long_to_be_painted_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let last = FORK_OUTPUT_BYTES / 60_000 + 20;
    append(&mut store, EPOCH, &outputs(1..=last, 60_000));
    let data = Bytes::from_static(b"\x1bc");
    let mut copied = |to: &str, up_to: u64| {
        let copy = SessionRecord { id: to.parse().unwrap(), head: Seq(up_to), ..record() };
        store.transaction(|store| store.copy_log(&id(), EPOCH, &copy)).unwrap()
    };
    assert_eq!(copied("near_the_start", last - 30), LogCopy::Copied(None));
    assert_eq!(copied("at_the_head", last), LogCopy::TooFar);
    let snapshot = Snapshot { seq: Seq(30), data, cols: None, rows: None, reason: None };
    store.put_snapshot(&id(), EPOCH, &snapshot).unwrap();
    let copy = SessionRecord { id: "with_snapshot".parse().unwrap(), head: Seq(last), ..record() };
    let copied = store.transaction(|store| store.copy_log(&id(), EPOCH, &copy)).unwrap();
    assert_eq!(copied, LogCopy::Copied(Some(snapshot)));
    assert_eq!(store.sessions().unwrap().len(), 2);
}

#[test]
fn a_project_that_is_deleted_leaves_its_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let project = ProjectRecord {
        id: "project_1".parse().unwrap(),
        name: "notes".into(),
        directory: Some("/srv/notes".into()),
        created_at_ms: 1_700_000_000_000,
    };
    let inside = SessionRecord { project: Some(project.id.clone()), ..record() };
    store.put_project(&project).unwrap();
    store.put_session(&inside).unwrap();
    let renamed = ProjectRecord { name: "papers".into(), directory: None, ..project.clone() };
    store.put_project(&renamed).unwrap();
    assert_eq!(store.projects().unwrap(), [renamed]);
    assert_eq!(store.sessions().unwrap(), [inside]);
    store.transaction(|store| store.delete_project(&project.id)).unwrap();
    assert_eq!((store.projects().unwrap(), store.sessions().unwrap()), (vec![], vec![record()]));
}

#[test]
fn a_database_of_version_1_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join(FILE_NAME)).unwrap();
    connection.execute_batch(schema::MIGRATIONS[0]).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    let row =
        "INSERT INTO sessions VALUES ('abcdefgh', 7, 'build', NULL, 'pty', '[\"make\",\"all\"]',
        '/', 100, 30, 1700000000000, 1700000000001, '\"exited\"', NULL, 'SIGKILL', 2)";
    connection.execute_batch(row).unwrap();
    drop(connection);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(
        store.sessions().unwrap(),
        [SessionRecord {
            env: [].into(),
            host: None,
            agent: None,
            tmux: None,
            workspace: None,
            pod: None,
            pod_status: None,
            ..record()
        }]
    );
}

#[test]
fn the_files_are_the_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("a/b");
    let mut store = DataFolder::open(&data).unwrap().store().unwrap();
    append(&mut store, EPOCH, &outputs(1..=1, 1));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let files: Vec<_> = std::fs::read_dir(&data).unwrap().map(|file| file.unwrap()).collect();
    assert!(files.len() >= 2);
    for file in files {
        assert_eq!(mode(&file.path()), 0o600, "{:?}", file.file_name());
    }
}

#[test]
fn a_newer_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.connection.pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let known = schema::MIGRATIONS.len();
    match Store::open(folder.path()) {
        Err(StoreError::TooNew { found: 99, known: knows }) => assert_eq!(knows, known),
        other => panic!("{other:?}"),
    }
}

#[test]
fn damage_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    append(&mut store, EPOCH, &outputs(1..=2, 5));
    store.connection.execute("UPDATE segments SET data = x'00000000ff01'", []).unwrap();
    let result = store.load(&id(), EPOCH, Seq::ZERO, ALL);
    assert!(matches!(result, Err(StoreError::Segment(_))), "{result:?}");
}

/// A session that has the given entries to store, and records the outcomes.
struct Stub {
    id: SessionId,
    entries: Vec<Entry>,
    outcomes: Mutex<Vec<bool>>,
}

impl Stub {
    fn new(entries: Vec<Entry>) -> Arc<Self> {
        Arc::new(Self { id: id(), entries, outcomes: Mutex::default() })
    }
}

impl StoreSource for Stub {
    fn id(&self) -> &SessionId {
        &self.id
    }

    fn batch(self: Arc<Self>, _bytes: usize) -> Option<Box<Batch>> {
        let mut batch = Batch::default();
        (batch.epoch, batch.entries) = (EPOCH, self.entries.clone());
        Some(Box::new(batch))
    }

    fn stored(self: Arc<Self>, _batch: Box<Batch>, _rows: Vec<SegmentRow>) {
        self.outcomes.lock().unwrap().push(true);
    }

    fn failed(self: Arc<Self>) {
        self.outcomes.lock().unwrap().push(false);
    }
}

#[test]
fn closing_the_writer_stores_what_is_marked() {
    let folder = tempfile::tempdir().unwrap();
    let writer =
        Writer::start(Store::open(folder.path()).unwrap(), StoreCounters::default()).unwrap();
    let stub = Stub::new(outputs(1..=3, 10));
    writer.mark(Arc::clone(&stub) as Arc<dyn StoreSource>);
    writer.close();
    assert_eq!(*stub.outcomes.lock().unwrap(), [true]);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(seqs(&store.load(&id(), EPOCH, Seq::ZERO, ALL).unwrap()), [1, 2, 3]);
}

#[tokio::test]
async fn a_failure_is_told_and_forgotten_when_storing_works_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let page_limit = "PRAGMA max_page_count = 14";
    store.connection.query_row(page_limit, [], |_| Ok(())).unwrap();
    let counters = StoreCounters::default();
    let writer = Writer::start(store, counters.clone()).unwrap();
    let (large, small) = (Stub::new(noise(1..=40, 65_536)), Stub::new(outputs(1..=1, 1)));
    writer.mark(Arc::clone(&large) as Arc<dyn StoreSource>);
    writer.hurry();
    // The job runs after the round that it wakes has begun, so the second job comes after the
    // failure.
    while large.outcomes.lock().unwrap().is_empty() {
        writer.run(|_| Ok(())).await.unwrap();
    }
    assert_eq!(*large.outcomes.lock().unwrap(), [false]);
    assert!(writer.failure().unwrap().contains("full"), "{:?}", writer.failure());
    writer.mark(Arc::clone(&small) as Arc<dyn StoreSource>);
    writer.hurry();
    while small.outcomes.lock().unwrap().is_empty() {
        writer.run(|_| Ok(())).await.unwrap();
    }
    assert_eq!(*small.outcomes.lock().unwrap(), [true]);
    assert_eq!(writer.failure(), None);
    assert_eq!((counters.batches.get(), counters.failures.get()), (1, 1));
    writer.close();
    assert!(matches!(writer.run(|_| Ok(())).await, Err(StoreError::Closed)));
}
