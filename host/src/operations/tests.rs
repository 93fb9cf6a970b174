//! Previews and executions in a folder on the disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use moorline_shared::limits::{OPERATION_DIFF_BYTES, OPERATION_FILE_BYTES};
use moorline_shared::operation::Edit;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A folder with one operation after another.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let bench = Self::new();
        files.iter().for_each(|(path, content)| bench.put(path, content));
        bench
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(path), content).unwrap();
    }

    fn get(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    fn open(&self) -> Folder {
        Folder::open(self.folder.path()).unwrap()
    }

    fn preview(&self, operations: &[Operation]) -> Vec<OperationPreview> {
        preview(&self.open(), operations.to_vec())
    }

    /// The operations as their preview has them.
    fn plan(&self, operations: &[Operation]) -> Vec<PlannedOperation> {
        let previews = self.preview(operations).into_iter();
        let planned = |preview: OperationPreview| PlannedOperation {
            operation: preview.operation,
            before: preview.before,
        };
        previews.map(planned).collect()
    }

    fn execute(&self, planned: &[PlannedOperation]) -> Vec<String> {
        codes(&execute(&self.open(), planned, false))
    }

    fn execute_all(&self, planned: &[PlannedOperation]) -> Vec<String> {
        codes(&execute(&self.open(), planned, true))
    }

    /// Previews and executes one operation.
    fn code(&self, operation: &Operation) -> String {
        let preview = self.preview(std::slice::from_ref(operation)).remove(0);
        let done = self.execute(&self.plan(std::slice::from_ref(operation))).remove(0);
        assert_eq!(preview.code.unwrap_or_else(|| "done".to_owned()), done, "{operation:?}");
        done
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }
}

fn codes(results: &[OperationResult]) -> Vec<String> {
    let code = |result: &OperationResult| {
        assert_eq!(result.success, result.code.is_none());
        assert_eq!(result.success, result.message.is_none());
        result.code.clone().unwrap_or_else(|| "done".to_owned())
    };
    results.iter().map(code).collect()
}

fn write(path: &str, content: &str) -> Operation {
    Operation::Write { path: path.into(), content: content.into() }
}

fn patch(path: &str, search: &str, replace: &str) -> Operation {
    let edit = Edit { search: search.into(), replace: replace.into(), line: None };
    Operation::Patch { path: path.into(), edits: vec![edit] }
}

fn rename(path: &str, to: &str) -> Operation {
    Operation::Rename { path: path.into(), to: to.into() }
}

fn delete(path: &str) -> Operation {
    Operation::Delete { path: path.into() }
}

#[test]
fn what_was_previewed_is_done() {
    let bench = Bench::with(&[("a", "one\ntwo\n"), ("b", "x\n"), ("c", "y\n")]);
    let operations = [
        write("new/folder/d", "z\n"),
        patch("a", "two\n", "three\n"),
        rename("b", "new/b"),
        delete("c"),
        Operation::Run { command: "ls".into() },
    ];
    let previews = bench.preview(&operations);
    assert_eq!(previews[0].before, None);
    assert_eq!(previews[0].diff, "--- /dev/null\n+++ b/new/folder/d\n@@ -0,0 +1 @@\n+z\n");
    assert_eq!(previews[1].before, Some(blake3::hash(b"one\ntwo\n").to_hex().to_string()));
    assert_eq!(previews[1].diff, "--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n");
    assert_eq!(previews[2].diff, "rename from b\nrename to new/b\n");
    assert_eq!(previews[3].diff, "--- a/c\n+++ /dev/null\n@@ -1 +0,0 @@\n-y\n");
    assert!(previews.iter().all(|preview| preview.code.is_none()), "{previews:?}");
    let done = bench.execute(&bench.plan(&operations));
    assert_eq!(done, ["done", "done", "done", "done", "not_run"]);
    assert_eq!(bench.get("new/folder/d").as_deref(), Some("z\n"));
    assert_eq!(bench.get("a").as_deref(), Some("one\nthree\n"));
    assert_eq!(bench.get("new/b").as_deref(), Some("x\n"));
    assert_eq!(bench.names(), ["a", "new"]);
}

#[test]
fn operations_of_one_file_follow_each_other() {
    let bench = Bench::with(&[("a", "1\n")]);
    let operations = [
        patch("a", "1\n", "2\n"),
        patch("a", "2\n", "3\n"),
        rename("a", "b"),
        write("b", "4\n"),
        delete("b"),
        write("a", "5\n"),
    ];
    let planned = bench.plan(&operations);
    let kept = bench.get("a");
    assert_eq!(kept.as_deref(), Some("1\n"), "a preview changes nothing");
    assert_eq!(bench.execute_all(&planned), ["done"; 6]);
    assert_eq!((bench.get("a").as_deref(), bench.get("b")), (Some("5\n"), None));
}

#[test]
fn a_file_that_changed_is_stale() {
    let bench = Bench::with(&[("a", "1\n"), ("b", "1\n"), ("c", "1\n"), ("d", "1\n")]);
    let operations = [
        write("a", "2\n"),
        delete("b"),
        rename("c", "x"),
        patch("d", "1\n", "2\n"),
        write("e", "2\n"),
    ];
    let planned = bench.plan(&operations);
    for path in ["a", "b", "c", "d", "e"] {
        bench.put(path, "9\n1\n");
    }
    assert_eq!(bench.execute(&planned), ["stale"; 5]);
    for path in ["a", "b", "c", "d", "e"] {
        assert_eq!(bench.get(path).as_deref(), Some("9\n1\n"));
        fs::remove_file(bench.path(path)).unwrap();
    }
    assert_eq!(bench.execute(&planned[..4]), ["stale"; 4], "they are gone");
    assert_eq!(bench.names(), Vec::<String>::new());
}

#[test]
fn all_are_done_or_none() {
    let bench = Bench::with(&[("a", "1\n"), ("b", "1\n")]);
    let run = Operation::Run { command: "ls".into() };
    let planned = bench.plan(&[write("a", "2\n"), run, write("b", "2\n"), write("c", "2\n")]);
    bench.put("b", "9\n");
    assert_eq!(bench.execute_all(&planned), ["skipped", "not_run", "stale", "skipped"]);
    assert_eq!(bench.names(), ["a", "b"]);
    assert_eq!(bench.get("a").as_deref(), Some("1\n"));
    assert_eq!(bench.execute(&planned), ["done", "not_run", "stale", "done"]);
    assert_eq!(bench.get("b").as_deref(), Some("9\n"));
}

#[test]
fn nothing_leads_out_of_the_folder() {
    let outside = Bench::with(&[("secret", "s\n")]);
    let bench = Bench::with(&[("a", "1\n")]);
    symlink(outside.path("secret"), bench.path("file_link")).unwrap();
    symlink(outside.folder.path(), bench.path("folder_link")).unwrap();
    symlink("a", bench.path("inner_link")).unwrap();
    symlink("nowhere", bench.path("broken_link")).unwrap();
    let absolute = outside.path("secret").to_string_lossy().into_owned();
    for path in ["../x", "a/../../x", "/etc/passwd", "~/x", "", ".", "/", "a\0", &absolute] {
        for operation in [write(path, "2\n"), delete(path), rename("a", path), rename(path, "x")] {
            assert_eq!(bench.code(&operation), "outside_folder", "{operation:?}");
        }
    }
    for path in ["file_link", "folder_link/secret", "folder_link/x", "inner_link", "broken_link"] {
        for operation in [write(path, "2\n"), delete(path), patch(path, "s\n", "2\n")] {
            assert_eq!(bench.code(&operation), "is_link", "{operation:?}");
        }
        assert_eq!(bench.code(&rename("a", path)), "is_link", "{path}");
    }
    assert_eq!(outside.get("secret").as_deref(), Some("s\n"));
    assert_eq!(outside.names(), ["secret"]);
    assert_eq!(bench.get("a").as_deref(), Some("1\n"));
}

#[test]
fn a_folder_that_becomes_a_link_is_not_followed() {
    let outside = Bench::with(&[("x", "1\n")]);
    let bench = Bench::new();
    fs::create_dir(bench.path("d")).unwrap();
    bench.put("d/x", "1\n");
    let planned = bench.plan(&[write("d/x", "2\n")]);
    fs::remove_dir_all(bench.path("d")).unwrap();
    symlink(outside.folder.path(), bench.path("d")).unwrap();
    assert_eq!(bench.execute(&planned), ["is_link"]);
    assert_eq!(outside.get("x").as_deref(), Some("1\n"));
}

#[test]
fn an_absolute_path_within_the_folder_is_relative() {
    let bench = Bench::with(&[("a", "1\n")]);
    let absolute = bench.path("a").to_string_lossy().into_owned();
    let planned = bench.plan(&[write(&absolute, "2\n"), write("./b//c", "3\n")]);
    assert_eq!(planned[0].operation.path(), Some("a"));
    assert_eq!(planned[1].operation.path(), Some("b/c"));
    assert_eq!(bench.execute(&planned), ["done", "done"]);
    assert_eq!(bench.get("a").as_deref(), Some("2\n"));
}

#[test]
fn each_problem_has_its_code() {
    let bench = Bench::with(&[("a", "1\n1\n"), ("taken", "")]);
    fs::create_dir(bench.path("folder")).unwrap();
    bench.put("binary", [0, 1, 2]);
    bench.put("latin", b"\xe9\n");
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        bench.path("pipe"),
        rustix::fs::Mode::from_raw_mode(0o600),
    )
    .unwrap();
    for (operation, code) in [
        (delete("none"), "not_found"),
        (patch("none", "x\n", "y\n"), "not_found"),
        (rename("none", "x"), "not_found"),
        (rename("a", "taken"), "exists"),
        (rename("a", "folder"), "exists"),
        (write("a/b", "x"), "exists"),
        (patch("a", "", "x\n"), "exists"),
        (write("folder", "x"), "is_directory"),
        (delete("folder"), "is_directory"),
        (patch("a", "2\n", "x\n"), "no_match"),
        (patch("a", "1\n", "x\n"), "ambiguous_match"),
        (patch("binary", "1\n", "x\n"), "not_text"),
        (patch("latin", "1\n", "x\n"), "not_text"),
        (write("pipe", "x"), "not_text"),
    ] {
        assert_eq!(bench.code(&operation), code, "{operation:?}");
    }
    let preview = bench.preview(&[write("binary", "x")]).remove(0);
    assert!(preview.binary && preview.before.is_some() && preview.diff.is_empty());
    assert_eq!(bench.code(&write("binary", "x")), "done");
    assert_eq!(bench.code(&patch("created", "", "x\n")), "done");
    assert_eq!(bench.get("created").as_deref(), Some("x\n"));
}

#[test]
fn large_files_and_diffs_have_limits() {
    let bench = Bench::new();
    let file = fs::File::create(bench.path("large")).unwrap();
    file.set_len(OPERATION_FILE_BYTES as u64 + 1).unwrap();
    let preview = bench.preview(&[delete("large")]).remove(0);
    assert!(preview.too_large && preview.before.is_none());
    assert_eq!(bench.code(&delete("large")), "too_large");
    bench.put("much", "line\n".repeat(50_000));
    let preview = bench.preview(&[delete("much")]).remove(0);
    assert!(preview.diff_cut && preview.diff.ends_with("\n-line\n"));
    assert!(preview.diff.len() <= OPERATION_DIFF_BYTES);
    let many: Vec<Operation> =
        (0..40).map(|number| write(&format!("f{number}"), &"x\n".repeat(20_000))).collect();
    let total: usize = bench.preview(&many).iter().map(|preview| preview.diff.len()).sum();
    assert!(total <= OPERATIONS_DIFF_BYTES);
    assert_eq!(bench.code(&delete("much")), "done");
}

#[test]
fn a_crash_before_the_rename_leaves_the_old_file() {
    let bench = Bench::with(&[("a", "1\n")]);
    let folder = bench.open();
    let place = folder.make_place(&folder.path_of("a").unwrap()).unwrap();
    let before = place.read().unwrap();
    let staged = atomic::StagedFile::write(&place, before.as_ref(), b"2\n").unwrap();
    // A crash now leaves the folder like this.
    assert_eq!((bench.names().len(), bench.get("a").as_deref()), (2, Some("1\n")));
    drop(staged);
    assert_eq!(bench.names(), ["a"]);
    // An operation that fails removes what it has written.
    let other = Bench::with(&[("a", "1\n")]);
    let folder = other.open();
    let place = folder.make_place(&folder.path_of("a").unwrap()).unwrap();
    let staged = atomic::StagedFile::write(&place, before.as_ref(), b"2\n").unwrap();
    other.put("a", "9\n");
    assert!(matches!(staged.commit(before.as_ref()), Err(Problem::Stale)));
    assert_eq!((other.names(), other.get("a").as_deref()), (vec!["a".to_owned()], Some("9\n")));
    // A new file does not replace one that has appeared.
    let place = folder.make_place(&folder.path_of("a").unwrap()).unwrap();
    let staged = atomic::StagedFile::write(&place, None, b"2\n").unwrap();
    assert!(matches!(staged.commit(None), Err(Problem::Stale)));
    assert_eq!(other.get("a").as_deref(), Some("9\n"));
}

#[test]
fn the_mode_of_a_file_stays() {
    let bench = Bench::with(&[("a", "1\n")]);
    fs::set_permissions(bench.path("a"), fs::Permissions::from_mode(0o750)).unwrap();
    assert_eq!(bench.code(&write("a", "2\n")), "done");
    let mode = fs::metadata(bench.path("a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o750);
}

#[test]
fn a_folder_that_is_gone_is_an_answer() {
    let question = OperationsQuestion::Preview { text: String::new() };
    let answer = answer(Path::new("/no/such/folder"), question);
    assert!(matches!(answer, OperationsAnswer::Failed(why) if why.code == "no_folder"));
}

#[test]
fn a_preview_has_the_first_hundred() {
    let bench = Bench::new();
    let text: String =
        (0..=OPERATIONS).map(|number| format!("<delete path=\"f{number}\"/>\n")).collect();
    let question = OperationsQuestion::Preview { text };
    let OperationsAnswer::Previewed { operations, omitted } = answer(bench.folder.path(), question)
    else {
        panic!("no preview");
    };
    assert_eq!((operations.len(), omitted), (OPERATIONS, 1));
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let path = || prop::sample::select(vec!["a", "b", "c/d", "c"]);
    let text = || "[xy\n]{0,4}";
    prop_oneof![
        (path(), text()).prop_map(|(path, content)| write(path, &content)),
        (path(), text(), text()).prop_map(|(path, old, new)| patch(path, &old, &new)),
        (path(), path()).prop_map(|(path, to)| rename(path, to)),
        path().prop_map(delete),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// An operation whose preview shows no problem is done, and leaves what its preview showed.
    #[test]
    fn executions_do_what_previews_show(operations in prop::collection::vec(any_operation(), 1..5)) {
        let bench = Bench::with(&[("a", "x\ny\n"), ("b", "y")]);
        let folder = bench.open();
        let mut pretended = PlannedFiles::new(&folder);
        for operation in &operations {
            let preview = preview_of(&mut pretended, operation.clone(), OPERATIONS_DIFF_BYTES);
            let planned = PlannedOperation { operation: preview.operation, before: preview.before };
            if preview.code.is_some() {
                break;
            }
            let done = bench.execute(&[planned]);
            let is_file_in_the_way = operation.path().is_some_and(|path| path.starts_with('c'))
                || operation.to().is_some_and(|path| path.starts_with('c'));
            if done != ["done"] && is_file_in_the_way {
                break;
            }
            prop_assert_eq!(done, vec!["done".to_owned()], "{:?}", operation);
            for path in ["a", "b"] {
                let path = folder.path_of(path).unwrap();
                let expected = pretended.find(&delete(&path.to_string())).unwrap().current;
                let real = folder.read(&path).unwrap();
                prop_assert_eq!(expected.map(|file| file.content), real.map(|file| file.content));
            }
        }
    }
}
