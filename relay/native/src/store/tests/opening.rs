//! Opening the database, and its locks and files.

use std::os::unix::fs::{MetadataExt as _, symlink};

use super::*;

fn beside(folder: &Path, suffix: &str) -> PathBuf {
    folder.join(format!("{FILE_NAME}{suffix}"))
}

/// Returns true if this process holds a lock on the file, by the kernel's list.
fn is_locked(file: &Path) -> bool {
    let pid = std::process::id().to_string();
    let inode = format!(":{}", std::fs::metadata(file).unwrap().ino());
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    locks
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .any(|fields| (fields[1], fields[4]) == ("POSIX", &*pid) && fields[5].ends_with(&inode))
}

#[test]
fn a_connection_keeps_its_lock_when_another_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = beside(folder.path(), "");
    let (database, store) = Database::open(folder.path()).unwrap();
    assert!(is_locked(&path));
    drop(database.connect().unwrap());
    assert!(is_locked(&path));
    drop(Store::open(folder.path()).unwrap());
    assert!(is_locked(&path));
    drop(store);
    assert!(!is_locked(&path));
}

#[test]
fn opening_a_database_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let (database, _store) = Database::open(folder.path()).unwrap();
    let _another = database.connect().unwrap();
    assert_eq!(std::fs::metadata(beside(folder.path(), "-wal")).unwrap().len(), 0);
}

#[test]
fn a_database_is_used_without_room_for_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    append(&mut store, EPOCH, &outputs(1..=3, 10));
    drop(store);
    // Nothing can be created at the end of this link, as on a full disk.
    symlink("/dev/null/nowhere", beside(folder.path(), "-shm")).unwrap();
    let (database, mut store) = Database::open(folder.path()).unwrap();
    let reader = database.connect().unwrap();
    assert_eq!(seqs(&reader.load(&id(), EPOCH, Seq::ZERO, ALL).unwrap()), [1, 2, 3]);
    store.try_to_write().unwrap();
    append(&mut store, EPOCH, &outputs(4..=4, 10));
    assert_eq!(seqs(&reader.load(&id(), EPOCH, Seq::ZERO, ALL).unwrap()), [1, 2, 3, 4]);
}

#[test]
fn an_error_says_once_what_is_wrong_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = beside(folder.path(), "");
    std::fs::create_dir(&path).unwrap();
    let error = anyhow::Error::from(Store::open(folder.path()).unwrap_err());
    let text = format!("{error:#}");
    assert_eq!(text.matches("unable to open").count(), 1, "{text}");
    assert!(text.contains("who owns"), "{text}");

    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    store.connection.query_row("PRAGMA max_page_count = 1", [], |_| Ok(())).unwrap();
    let large = noise(1..=40, 65_536);
    let error = store.transaction(|store| store.append(&id(), EPOCH, &large)).unwrap_err();
    assert!(error.is_full());
    assert_eq!(error.to_string(), "the disk is full: free some space on it");

    let deep = Path::new("/").join("d".repeat(600));
    let text = Store::open(&deep).unwrap_err().to_string();
    assert!(text.contains("too long"), "{text}");
}
