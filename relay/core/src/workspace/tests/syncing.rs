//! Changes by messages of a sync.

use moorline_shared::limits::{WORKSPACE_FILE_BYTES, WORKSPACE_TOMBSTONES};

use super::*;

#[test]
fn only_what_was_seen_is_replaced() {
    let fixture = Fixture::new();
    let results = fixture.apply(&[put("a/b", None, b"1"), put("a/b", None, b"2")]);
    assert_eq!(codes(&results), ["", "stale"]);
    let PathChangeResult::Refused { present: Some(present), .. } = &results[1] else { panic!() };
    assert_eq!((present.size, present.revision), (1, 2), "the directory came first");
    // What is there already is no conflict, whoever put it.
    assert_eq!(
        codes(&fixture.apply(&[put("a/b", None, b"1"), put("a/b", Some(9), b"1")])),
        ["", ""]
    );
    assert_eq!(
        codes(&fixture.apply(&[put("a/b", Some(2), b"3"), delete("a/b", 2)])),
        ["", "stale"]
    );
    assert_eq!(codes(&fixture.apply(&[delete("a/b", 3), delete("a/b", 3)])), ["", ""]);
    assert_eq!(fixture.paths(), ["a"]);
    fixture.check();
}

#[test]
fn what_came_after_a_revision_is_told_exactly() {
    let fixture = Fixture::new();
    fixture.apply(&[put("a", None, b"1"), put("b", None, b"2")]);
    let seen = fixture.tree(None);
    assert_eq!((seen.revision, seen.full, seen.files.len()), (2, true, 2));
    fixture.apply(&[delete("a", 1), put("c", None, b"3")]);
    let news = fixture.tree(Some(2));
    let told: Vec<_> = news.files.iter().map(|it| (it.path.as_str(), it.deleted)).collect();
    assert_eq!((news.full, told), (false, vec![("a", true), ("c", false)]));
    assert_eq!(fixture.tree(Some(4)).files, []);
    // A reader of a relay that has lost its newest changes begins anew.
    assert!(fixture.tree(Some(5)).full);
}

#[test]
fn many_deleted_files_are_forgotten() {
    let fixture = Fixture::new();
    let paths: Vec<_> = (0..=WORKSPACE_TOMBSTONES).map(|number| format!("{number}")).collect();
    fixture.apply(&paths.iter().map(|path| put(path, None, b"")).collect::<Vec<_>>());
    let deletions = paths.iter().zip(1..).map(|(path, revision)| delete(path, revision));
    fixture.apply(&deletions.collect::<Vec<_>>());
    assert!(fixture.tree(Some(paths.len() as u64)).full);
    let last = fixture.tree(None).revision;
    assert!(!fixture.tree(Some(last - 1)).full);
    assert!(fixture.count("workspace_files") <= WORKSPACE_TOMBSTONES as u64 / 2 + 1);
}

#[test]
fn contents_are_shared_and_moved_without_being_sent() {
    let fixture = Fixture::new();
    let large: Vec<u8> = (0..1_500_000_u32).map(|number| (number / 7) as u8).collect();
    fixture.apply(&[put("a", None, &large), put("b", None, &large)]);
    assert_eq!(fixture.count("workspace_chunks"), 3);
    // A rename, as a host reports one.
    let moved = [delete("a", 1), delete("b", 2), without_content(put("c", None, &large))];
    assert_eq!(codes(&fixture.apply(&moved)), ["", "", ""]);
    fixture.check();
    let stored = fixture.workspace().live(&"c".parse().unwrap()).unwrap().unwrap();
    let read =
        |part: std::ops::Range<usize>| fixture.workspace().content(&stored.chunks, part).unwrap();
    assert_eq!(read(0..large.len()), large);
    for part in [0..1, 524_287..524_289, 524_288..1_048_576, 1_499_999..1_500_000, 5..5] {
        assert_eq!(read(part.clone()), large[part]);
    }
    let unknown = [without_content(put("d", None, b"?")), without_content(put("e", None, b""))];
    assert_eq!(codes(&fixture.apply(&unknown)), ["content_missing", ""]);
    // Nor does it have a content of another size.
    let wrong = put("f", None, &large);
    let to = wrong.to.and_then(|to| to.hash()).map(|hash| FileEntry::File {
        mode: 0o644,
        size: 1,
        hash,
    });
    assert_eq!(
        codes(&fixture.apply(&[without_content(PathChange { to, ..wrong })])),
        ["content_missing"]
    );
    fixture.apply(&[delete("c", 5)]);
    assert_eq!(fixture.count("workspace_chunks"), 0);
}

#[test]
fn names_that_would_be_one_file_elsewhere_are_refused() {
    let fixture = Fixture::new();
    fixture.apply(&[put("src/\u{e9}", None, b"1"), put("file", None, b"2")]);
    let refused =
        [put("SRC/x", None, b"3"), put("src/e\u{301}", None, b"4"), put("file/x", None, b"5")];
    assert_eq!(codes(&fixture.apply(&refused)), ["path_collision"; 3]);
    // Another case is another name once the first is gone.
    assert_eq!(codes(&fixture.apply(&[delete("file", 3), put("FILE", None, b"6")])), ["", ""]);
    assert_eq!(fixture.paths(), ["FILE", "src", "src/\u{e9}"]);
    fixture.check();
}

#[test]
fn a_directory_with_something_in_it_stays() {
    let fixture = Fixture::new();
    fixture.apply(&[put("a/b", None, b"1")]);
    assert_eq!(codes(&fixture.apply(&[delete("a", 1), put("a", Some(1), b"x")])), ["not_empty"; 2]);
    // A file takes the place of a directory that is empty by then.
    assert_eq!(codes(&fixture.apply(&[delete("a/b", 2), put("a", Some(1), b"x")])), ["", ""]);
    assert_eq!(fixture.paths(), ["a"]);
    fixture.check();
}

#[test]
fn a_full_workspace_says_so_until_there_is_room() {
    let fixture = Fixture::new();
    let half = vec![1; (LIMIT / 2) as usize];
    let is_full = || fixture.workspace().state().unwrap().is_full;
    fixture.apply(&[put("a", None, &half), put("b", None, &half)]);
    assert!(!is_full());
    assert_eq!(
        codes(&fixture.apply(&[put("c", None, b"x"), put("d", None, b"")])),
        ["workspace_full", ""]
    );
    assert!(is_full());
    assert_eq!(codes(&fixture.apply(&[put("a", Some(1), &half[1..])])), [""]);
    assert!(!is_full());
    let mut large = put("e", None, b"");
    large.to = Some(FileEntry::File {
        mode: 0o644,
        size: WORKSPACE_FILE_BYTES as u64 + 1,
        hash: moorline_shared::workspace::ContentHash::of(b""),
    });
    assert_eq!(codes(&fixture.apply(&[without_content(large)])), ["file_too_large"]);
    fixture.check();
}
