//! Tests of the journal.

use std::sync::LazyLock;

use super::*;
use moorline_shared::agent::action::ActionNumber;
use moorline_shared::control::Facts;
use moorline_shared::event::Event;
use moorline_shared::frame::Frame;
use moorline_shared::id::Epoch;
use moorline_shared::log::EventEntry;
use moorline_shared::session::Size;

fn hosted(id: &str) -> Hosted {
    Hosted {
        session_id: id.parse().unwrap(),
        epoch: Epoch(5),
        facts: Facts::default(),
        cwd: "/srv".into(),
        pid: None,
        created_at: 5,
    }
}

fn publisher(head: u64) -> PublisherState {
    PublisherState {
        head: Seq(head),
        time_ms: 7,
        last_action: ActionNumber(3),
        acted: ActionNumber(2),
        accepted: vec![("client_1".parse().unwrap(), Seq(2))],
        size: Size::default(),
        exit: None,
    }
}

fn event(seq: u64) -> Entry {
    let event = Event::of_kind("session_1".parse().unwrap(), "x", 9, ());
    Entry::Event(EventEntry::new(Seq(seq), event))
}

fn output(seq: u64) -> Entry {
    Entry::Output(Frame::copy(Seq(seq), b"out").unwrap().at(8))
}

fn step<'a>(entries: &'a [Entry], publisher: &'a PublisherState, acked: u64) -> JournalStep<'a> {
    static DRIVER: LazyLock<DriverCheckpoint> =
        LazyLock::new(|| Bytes::from_static(b"state").into());
    JournalStep { entries, publisher, driver: &DRIVER, surplus: &[], acked: Seq(acked) }
}

fn only(journal: &Journal) -> JournaledSession {
    let mut sessions = journal.sessions().unwrap();
    assert_eq!(sessions.len(), 1);
    sessions.remove(0).unwrap()
}

#[test]
fn a_session_reads_as_it_was_written_by_a_host_that_died() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let entries = [output(1), event(2)];
    {
        let journal = Journal::open(&path, "boot").unwrap();
        journal.begin(&hosted("session_1"), &step(&entries[..1], &publisher(1), 0)).unwrap();
        let id = "session_1".parse().unwrap();
        journal.step(&id, &step(&entries[1..], &publisher(2), 0)).unwrap();
    }
    let journal = Journal::open(&path, "boot").unwrap();
    let session = only(&journal);
    assert!(!session.is_of_earlier_boot);
    assert_eq!(session.hosted, hosted("session_1"));
    assert_eq!((session.publisher, &session.driver.state[..]), (publisher(2), &b"state"[..]));
    assert_eq!(session.entries, entries);
    // A host that dies before it has continued the session changes nothing.
    for _ in 0..2 {
        let journal = Journal::open(&path, "later boot").unwrap();
        assert!(only(&journal).is_of_earlier_boot);
    }
    let journal = Journal::open(&path, "later boot").unwrap();
    journal.begin_anew(&hosted("session_1"), Seq(2), Some(b"{}")).unwrap();
    let session = only(&journal);
    assert!(!session.is_of_earlier_boot);
    assert_eq!((session.entries.len(), session.folded), (0, Seq(2)));
}

#[test]
fn entries_are_dropped_once_they_are_durable_and_folded() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db"), "boot").unwrap();
    let entries: Vec<_> = (1..=5).map(event).collect();
    let id = "session_1".parse().unwrap();
    journal.begin(&hosted("session_1"), &step(&entries, &publisher(5), 0)).unwrap();
    journal.step(&id, &step(&[], &publisher(5), 4)).unwrap();
    assert_eq!(only(&journal).entries.len(), 5, "nothing is folded");
    journal.fold(&id, Seq(3), b"{}").unwrap();
    journal.step(&id, &step(&[], &publisher(5), 4)).unwrap();
    let session = only(&journal);
    assert_eq!((session.entries.len(), session.folded), (2, Seq(3)));
    assert_eq!(session.fold.as_deref(), Some(&b"{}"[..]));
    journal.remove(&id).unwrap();
    assert!(journal.sessions().unwrap().is_empty());
}

#[test]
fn a_content_is_written_once_and_kept_as_long_as_it_is_named() {
    let journal = Journal::in_memory("boot");
    let id = "session_1".parse().unwrap();
    let publisher = publisher(0);
    let fresh = vec![("one".to_owned(), Bytes::from_static(b"1"))];
    let driver = DriverCheckpoint { fresh, ..DriverCheckpoint::default() };
    let none = step(&[], &publisher, 0);
    journal.begin(&hosted("session_1"), &JournalStep { driver: &driver, ..none }).unwrap();
    journal.step(&id, &none).unwrap();
    assert_eq!(&only(&journal).driver.contents["one"][..], b"1");
    let surplus = ["one".to_owned()];
    journal.step(&id, &JournalStep { surplus: &surplus, ..none }).unwrap();
    assert!(only(&journal).driver.contents.is_empty());
}

#[test]
fn a_damaged_session_does_not_cost_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db"), "boot").unwrap();
    for id in ["session_1", "session_2"] {
        journal.begin(&hosted(id), &step(&[], &publisher(0), 0)).unwrap();
    }
    let damage = "UPDATE session SET hosted = '{' WHERE id = 'session_1'";
    journal.lock().execute(damage, []).unwrap();
    let sessions = journal.sessions().unwrap();
    assert!(matches!(sessions[..], [Err(JournalError::Damaged(_)), Ok(_)]));
}
