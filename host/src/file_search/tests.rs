use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A folder with these files.
fn folder(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    folder
}

fn find(folder: &Path, query: &str) -> Vec<String> {
    FileFinder::default().find(folder, query).files
}

#[test]
fn the_best_match_comes_first() {
    let folder = folder(&[
        "src/session/state.rs",
        "src/pages/agent/state.rs",
        "src/pages/agent/composer.rs",
        "src/compare.rs",
        "docs/COMPOSER.md",
        "README.md",
        "tests/recordings/composition.bin",
        "src/UserStore.ts",
    ]);
    for (query, best) in [
        ("composer", "docs/COMPOSER.md"),
        ("composer.rs", "src/pages/agent/composer.rs"),
        ("agcomp", "src/pages/agent/composer.rs"),
        ("agent/st", "src/pages/agent/state.rs"),
        ("sess state", "src/session/state.rs"),
        ("read", "README.md"),
        ("us", "src/UserStore.ts"),
        ("cmp", "src/compare.rs"),
    ] {
        let found = find(folder.path(), query);
        assert_eq!(found.first().map(String::as_str), Some(best), "{query}: {found:?}");
    }
    assert_eq!(find(folder.path(), "sretsopmoc"), [""; 0]);
    // Without letters, those near the top.
    assert_eq!(find(folder.path(), "")[0], "README.md");
    assert_eq!(find(folder.path(), "").len(), 8);
}

#[test]
fn nothing_outside_and_nothing_ignored_is_found() {
    let outer = folder(&["other/secret.txt", "work/a.txt", "work/.git/config.txt"]);
    let work = outer.path().join("work");
    fs::create_dir_all(work.join("target")).unwrap();
    fs::write(work.join("target/b.txt"), "x").unwrap();
    fs::write(work.join(".gitignore"), "target\n").unwrap();
    fs::write(work.join("new\nline.txt"), "x").unwrap();
    symlink(outer.path().join("other"), work.join("link")).unwrap();
    symlink(outer.path().join("other/secret.txt"), work.join("linked.txt")).unwrap();
    assert_eq!(find(&work, "txt"), ["a.txt"]);
    assert_eq!(find(&work, "secret"), [""; 0]);
    assert_eq!(find(&work, "../other/secret"), [""; 0]);
    assert_eq!(find(&outer.path().join("no-such"), ""), [""; 0]);
}

#[test]
fn a_list_is_bounded_and_says_so() {
    let names: Vec<String> = (0..FOUND_FILES + 5).map(|number| format!("file{number}")).collect();
    let folder = folder(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let found = FileFinder::default().find(folder.path(), "file");
    assert_eq!((found.files.len(), found.truncated), (FOUND_FILES, false));
    let late = walk(folder.path(), Instant::now() - Duration::from_secs(1));
    assert!(late.is_cut && late.paths.is_empty());
}

#[test]
fn any_text_is_a_query() {
    let folder = folder(&["Größe/ÄRGER.txt", "a"]);
    assert_eq!(find(folder.path(), "größe är"), ["Größe/ÄRGER.txt"]);
    for query in ["\0", "*", "[", "\u{1F600}", &"x".repeat(100_000)] {
        assert_eq!(find(folder.path(), query), [""; 0], "{query:.20}");
    }
}
