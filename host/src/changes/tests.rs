//! Tests with folders in which an agent, users and git's rules change files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use moorline_shared::change::{
    ChangeResult, ChangedFile, ChangesAnswer, ChangesQuestion, FileFate, ListedChanges,
    PlannedChange,
};
use moorline_shared::event::AgentChanges;
use moorline_shared::id::{SessionId, TurnId};
use proptest::prelude::*;

use super::{SessionChanges, sweep};

/// A session's folder, and its changes.
struct WatchedWork {
    home: tempfile::TempDir,
    changes: SessionChanges,
}

fn id() -> SessionId {
    "session1".parse().unwrap()
}

fn turn(number: u32) -> TurnId {
    format!("turn_{number:03}").parse().unwrap()
}

impl WatchedWork {
    fn new(files: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("work")).unwrap();
        let changes = Self::open(home.path());
        let watched = Self { home, changes };
        for (name, content) in files {
            watched.write(name, content);
        }
        watched
    }

    fn open(home: &Path) -> SessionChanges {
        let place = home.join("host/changes");
        SessionChanges::new(&id(), vec![home.join("work")], Some(&place), Some(home.join("host")))
    }

    /// Continues as another host does.
    fn restart(&mut self) {
        self.changes = Self::open(self.home.path());
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join("work").join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    /// Waits until a file is older than a step of the system's clock: it cannot be the agent's.
    fn age(&self, name: &str) {
        let made = fs::metadata(self.path(name)).unwrap().modified().unwrap();
        while made.elapsed().unwrap() < Duration::from_millis(50) {
            std::thread::yield_now();
        }
    }

    fn begin(&self, number: u32) {
        self.changes.reach(Some(&turn(number))).unwrap();
    }

    fn end(&self) -> AgentChanges {
        self.changes.reach(None).unwrap().expect("no turn has ended")
    }

    fn listed(&self) -> ListedChanges {
        match self.changes.answer(ChangesQuestion::List).0 {
            ChangesAnswer::Listed(listed) => listed,
            other => panic!("{other:?}"),
        }
    }

    /// Returns the names and fates of the changed files.
    fn fates(&self) -> Vec<(String, FileFate)> {
        self.listed().files.into_iter().map(|file| (file.path, file.state)).collect()
    }

    fn file(&self, name: &str) -> ChangedFile {
        let files = self.listed().files;
        files.into_iter().find(|file| file.path == name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn settle(&self, keep: Vec<PlannedChange>, revert: Vec<PlannedChange>) -> Vec<ChangeResult> {
        match self.changes.answer(ChangesQuestion::Settle { keep, revert }).0 {
            ChangesAnswer::Settled { results } => results,
            other => panic!("{other:?}"),
        }
    }

    fn keep(&self, planned: PlannedChange) -> Result<(), String> {
        done(&self.settle(vec![planned], vec![]))
    }

    fn revert(&self, planned: PlannedChange) -> Result<(), String> {
        done(&self.settle(vec![], vec![planned]))
    }
}

fn done(results: &[ChangeResult]) -> Result<(), String> {
    let [result] = results else { panic!("{results:?}") };
    assert_eq!(result.success, result.code.is_none());
    assert_eq!(result.success, result.message.is_none());
    result.code.clone().map_or(Ok(()), Err)
}

fn whole(file: &ChangedFile) -> PlannedChange {
    PlannedChange { path: file.path.clone(), before: file.before.clone(), hunks: None }
}

fn hunks(file: &ChangedFile, places: &[usize]) -> PlannedChange {
    let ids = places.iter().map(|place| file.hunks[*place].id.clone()).collect();
    PlannedChange { hunks: Some(ids), ..whole(file) }
}

fn lines(count: usize) -> String {
    (1..=count).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_turn_changes_what_differs_between_its_ends() {
    use FileFate::{Added, Deleted, Modified};
    let mut watched =
        WatchedWork::new(&[("a", "1\n2\n"), ("b", "x\n"), ("c", "y\n"), ("d", "z\n")]);
    assert!(watched.listed().complete && watched.fates().is_empty());
    watched.begin(1);
    assert!(watched.fates().is_empty());
    watched.write("a", "1\ntwo\n");
    watched.write("new/e", "e\n");
    fs::remove_file(watched.path("b")).unwrap();
    let expected = [("a", Modified), ("b", Deleted), ("new/e", Added)];
    let expected: Vec<_> = expected.map(|(name, fate)| (name.to_owned(), fate)).into();
    // While the turn runs, too, and after it, and by the next host.
    assert_eq!(watched.fates(), expected);
    let report = watched.end();
    let turn_id = Some(turn(1));
    assert_eq!(report, AgentChanges { turn_id, files: 3, added: 2, removed: 2, incomplete: false });
    watched.restart();
    assert_eq!(watched.fates(), expected);
    // What others do between turns is not the agent's.
    watched.write("c", "mine\n");
    watched.write("f", "mine too\n");
    assert_eq!(watched.fates(), expected);
    watched.begin(2);
    watched.write("a", "1\nTWO\n");
    watched.write("d", "Z\n");
    assert_eq!(watched.end().files, 4);
    let file = watched.file("a");
    assert_eq!(file.turn_ids, [turn(1), turn(2)]);
    assert_eq!(file.hunks[0].text, " 1\n-2\n+TWO\n");
    assert_eq!(watched.file("d").turn_ids, [turn(2)]);
    // One that is as it was before is no change.
    watched.begin(3);
    watched.write("a", "1\n2\n");
    assert_eq!(watched.end().files, 3);
}

#[test]
fn a_turn_that_has_begun_is_not_begun_again() {
    let mut watched = WatchedWork::new(&[("a", "1\n")]);
    watched.begin(1);
    watched.write("a", "2\n");
    watched.restart();
    watched.begin(1);
    assert_eq!(watched.fates(), [("a".to_owned(), FileFate::Modified)]);
    // A turn whose end nobody saw ends when the next one begins.
    let report = watched.changes.reach(Some(&turn(2))).unwrap().unwrap();
    assert_eq!((report.turn_id, report.files), (Some(turn(1)), 1));
    assert_eq!(watched.changes.reach(None).unwrap().unwrap().turn_id, Some(turn(2)));
    assert_eq!(watched.file("a").turn_ids, [turn(1)]);
}

#[test]
fn hunks_are_kept_and_reverted_one_by_one() {
    let watched = WatchedWork::new(&[("a", &lines(40))]);
    watched.begin(1);
    let changed = lines(40)
        .replace("\n5\n", "\nfive\n")
        .replace("\n20\n", "\n")
        .replace("\n35\n", "\n35\nmore\n");
    watched.write("a", &changed);
    watched.end();
    let listed = watched.file("a");
    assert_eq!(listed.hunks.len(), 3);
    watched.keep(hunks(&listed, &[0])).unwrap();
    // Kept hunks leave the others as they were listed.
    watched.revert(hunks(&listed, &[1])).unwrap();
    assert_eq!(watched.read("a").unwrap(), changed.replace("\n19\n", "\n19\n20\n"));
    assert_eq!(watched.keep(hunks(&listed, &[2])), Err("stale".into()));
    let listed = watched.file("a");
    assert_eq!(listed.hunks.len(), 1);
    assert_eq!(listed.turn_ids, [turn(1)]);
    let unknown = PlannedChange { hunks: Some(vec!["0123".into()]), ..whole(&listed) };
    assert_eq!(watched.keep(unknown), Err("no_such_hunk".into()));
    assert_eq!(watched.keep(hunks(&listed, &[])), Err("no_such_hunk".into()));
    watched.revert(hunks(&listed, &[0])).unwrap();
    assert_eq!(watched.read("a").unwrap(), lines(40).replace("\n5\n", "\nfive\n"));
    assert!(watched.fates().is_empty());
    assert_eq!(watched.revert(whole(&listed)), Err("not_changed".into()));
}

#[test]
fn a_whole_file_is_put_back() {
    let watched = WatchedWork::new(&[("run.sh", "old\n"), ("b", "b\n")]);
    fs::set_permissions(watched.path("run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::write(watched.path("image"), [0, 255, 1]).unwrap();
    watched.begin(1);
    fs::remove_file(watched.path("run.sh")).unwrap();
    fs::write(watched.path("image"), [0, 255, 2]).unwrap();
    watched.write("b", "B\n");
    watched.write("new", "");
    watched.end();
    let image = watched.file("image");
    assert!(image.binary && image.hunks.is_empty() && image.code.is_none());
    let with_hunks = PlannedChange { hunks: Some(vec!["x".into()]), ..whole(&image) };
    assert_eq!(watched.revert(with_hunks), Err("not_text".into()));
    let stale = PlannedChange { before: Some("00".into()), ..whole(&watched.file("b")) };
    assert_eq!(watched.revert(stale.clone()), Err("stale".into()));
    assert_eq!(watched.keep(stale), Err("stale".into()));
    for name in ["run.sh", "image", "new"] {
        watched.revert(whole(&watched.file(name))).unwrap();
    }
    assert_eq!(watched.read("run.sh").as_deref(), Some("old\n"));
    let mode = fs::metadata(watched.path("run.sh")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o750);
    assert_eq!(fs::read(watched.path("image")).unwrap(), [0, 255, 1]);
    assert_eq!(watched.read("new"), None);
    watched.keep(whole(&watched.file("b"))).unwrap();
    assert_eq!(watched.read("b").as_deref(), Some("B\n"));
    assert!(watched.fates().is_empty());
}

#[test]
fn what_git_ignores_is_neither_listed_nor_lost() {
    let watched = WatchedWork::new(&[(".gitignore", ".env\n"), (".env", "key\n"), ("a", "a\n")]);
    watched.age(".env");
    watched.begin(1);
    // A file that git does not ignore any more was not made by the agent.
    watched.write(".gitignore", "a\n");
    watched.write("made", "x\n");
    watched.end();
    let names: Vec<String> = watched.fates().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [".gitignore", "made"]);
    // One that it ignores from now on was not deleted.
    watched.begin(2);
    watched.write(".gitignore", ".env\n");
    assert_eq!(watched.end().files, 1);
    assert_eq!(watched.read(".env").as_deref(), Some("key\n"));
}

#[test]
fn only_what_is_listed_is_kept_or_reverted() {
    let watched = WatchedWork::new(&[(".gitignore", ".env\n"), (".env", "key\n"), ("a", "a\n")]);
    watched.begin(1);
    watched.write("a", "b\n");
    // Who guesses what is in a file that is not watched cannot have it deleted as a new one.
    let hash = blake3::hash(b"key\n").to_hex().to_string();
    let hidden = PlannedChange { path: ".env".into(), before: Some(hash), hunks: None };
    assert_eq!(watched.revert(hidden), Err("not_changed".into()));
    assert_eq!(watched.read(".env").as_deref(), Some("key\n"));
    // What the turn that runs has changed can be kept before its end.
    watched.keep(whole(&watched.file("a"))).unwrap();
    watched.end();
    assert!(watched.fates().is_empty());
}

#[test]
fn no_link_is_followed() {
    let watched = WatchedWork::new(&[("a", "a\n"), ("sub/b", "b\n")]);
    let outside = watched.home.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("b"), "secret\n").unwrap();
    watched.begin(1);
    fs::remove_file(watched.path("a")).unwrap();
    std::os::unix::fs::symlink(outside.join("b"), watched.path("a")).unwrap();
    fs::remove_dir_all(watched.path("sub")).unwrap();
    std::os::unix::fs::symlink(&outside, watched.path("sub")).unwrap();
    watched.end();
    for name in ["a", "sub/b"] {
        let file = watched.file(name);
        assert_eq!((file.state, &file.before), (FileFate::Deleted, &None));
        let refused = watched.revert(whole(&file)).unwrap_err();
        assert!(["is_link", "stale"].contains(&refused.as_str()), "{name}: {refused}");
    }
    assert_eq!(fs::read_to_string(outside.join("b")).unwrap(), "secret\n");
}

#[test]
fn a_file_that_is_too_large_is_listed_only() {
    let watched = WatchedWork::new(&[("a", "a\n")]);
    let large = fs::File::create(watched.path("large")).unwrap();
    large.set_len(17 << 20).unwrap();
    watched.begin(1);
    large.set_len(18 << 20).unwrap();
    assert!(watched.end().incomplete);
    let listed = watched.listed();
    assert_eq!(listed.gaps[0].code, "not_kept");
    let file = watched.file("large");
    assert_eq!((file.state, file.code.as_deref()), (FileFate::Modified, Some("too_large")));
    assert_eq!(watched.revert(whole(&file)), Err("too_large".into()));
    watched.keep(whole(&file)).unwrap();
    assert!(watched.fates().is_empty());
}

#[test]
fn a_file_that_nobody_could_read_was_not_made_by_the_agent() {
    let watched = WatchedWork::new(&[("secret", "key\n"), ("closed/inner", "x\n")]);
    let set = |name: &str, mode| {
        fs::set_permissions(watched.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("secret", 0);
    set("closed", 0);
    if watched.read("secret").is_some() {
        // Who may read everything cannot test this.
        return;
    }
    watched.age("secret");
    watched.begin(1);
    set("secret", 0o600);
    set("closed", 0o700);
    watched.end();
    assert_eq!(watched.fates(), [("secret".to_owned(), FileFate::Modified)]);
    let file = watched.file("secret");
    assert_eq!(file.code.as_deref(), Some("not_kept"));
    assert_eq!(watched.revert(whole(&file)), Err("not_kept".into()));
}

#[test]
fn a_session_that_is_over_leaves_nothing() {
    let watched = WatchedWork::new(&[("a", "a\n")]);
    watched.begin(1);
    let place = watched.home.path().join("host/changes");
    let count = || fs::read_dir(&place).unwrap().count();
    assert!(count() > 0);
    sweep(&place, &BTreeSet::from([id()]));
    assert!(count() > 0);
    watched.changes.remove();
    assert_eq!(count(), 0);
    assert!(watched.changes.reach(None).is_err());
    let (answer, _) = watched.changes.answer(ChangesQuestion::List);
    assert!(matches!(answer, ChangesAnswer::Failed(why) if why.code == "session_ended"));
    fs::write(place.join("session2.db-wal"), "").unwrap();
    sweep(&place, &BTreeSet::from([id()]));
    assert_eq!(count(), 0);
}

/// What an agent does to a file.
#[derive(Debug, Clone)]
enum Deed {
    Write(String),
    Delete,
}

fn deeds() -> impl Strategy<Value = Vec<(u8, Deed)>> {
    let text = proptest::collection::vec("[ab]?\r?\n", 0..24).prop_map(|lines| lines.concat());
    let deed = prop_oneof![4 => text.prop_map(Deed::Write), 1 => Just(Deed::Delete)];
    proptest::collection::vec((0..4_u8, deed), 0..6)
}

fn do_deeds(watched: &WatchedWork, deeds: &[(u8, Deed)]) {
    for (name, deed) in deeds {
        let name = format!("file{name}");
        match deed {
            Deed::Write(text) => watched.write(&name, text),
            Deed::Delete => _ = fs::remove_file(watched.path(&name)),
        }
    }
}

fn contents(watched: &WatchedWork) -> BTreeMap<String, String> {
    let names = (0..4).map(|name| format!("file{name}"));
    names.filter_map(|name| Some((name.clone(), watched.read(&name)?))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn all_can_be_kept_or_reverted(
        before in deeds(),
        during in deeds(),
        again in deeds(),
        choices in any::<u64>(),
    ) {
        let watched = WatchedWork::new(&[]);
        do_deeds(&watched, &before);
        let base = contents(&watched);
        watched.begin(1);
        do_deeds(&watched, &during);
        watched.end();
        watched.begin(2);
        do_deeds(&watched, &again);
        watched.end();
        let (now, mut choices) = (contents(&watched), choices);
        prop_assert_eq!(watched.fates().is_empty(), base == now);
        // Hunk after hunk, in any order: what is left is always what was chosen.
        let reverts_all = choices & 1 == 0;
        while let Some(file) = watched.listed().files.into_iter().next_back() {
            choices = choices.rotate_left(7);
            let planned = match file.hunks.len() {
                0 => whole(&file),
                count => hunks(&file, &[choices as usize % count]),
            };
            let settled = if reverts_all { watched.revert(planned) } else { watched.keep(planned) };
            prop_assert_eq!(settled, Ok(()));
        }
        prop_assert_eq!(contents(&watched), if reverts_all { base } else { now });
    }
}
