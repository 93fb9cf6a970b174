use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use super::*;

/// Creates a folder with these files; the size of each is its position in the list.
fn tree(files: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    for (size, name) in files.iter().enumerate() {
        fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
        fs::write(path.join(name), "x".repeat(size)).unwrap();
    }
    (folder, path)
}

fn names(found: &[ContextFile], folder: &Path) -> Vec<String> {
    let name = |file: &ContextFile| Path::new(&file.path).strip_prefix(folder).unwrap().to_owned();
    found.iter().map(|file| name(file).to_str().unwrap().to_owned()).collect()
}

#[test]
fn the_files_of_a_repository_are_found_from_within() {
    let files = ["AGENTS.md", "a/.git/HEAD", "a/README.md", "a/.github/copilot-instructions.md"];
    let (_folder, path) = tree(&[&files[..], &["a/b/c/CLAUDE.md", "a/b/c/other.md"]].concat());
    let found = by_convention(&path.join("a/b/c"), None);
    let expected = ["a/b/c/CLAUDE.md", "a/.github/copilot-instructions.md", "a/README.md"];
    assert_eq!(names(&found, &path), expected);
    assert_eq!(found.iter().map(|file| file.size).collect::<Vec<_>>(), [4, 3, 2]);
    assert!(found.iter().all(|file| file.source == ContextSource::Folder));

    // In a worktree, `.git` is a file.
    fs::write(path.join("a/b/.git"), "gitdir: elsewhere").unwrap();
    assert_eq!(names(&by_convention(&path.join("a/b/c"), None), &path), ["a/b/c/CLAUDE.md"]);
}

#[test]
fn a_top_folder_bounds_it_and_without_any_it_is_one_folder() {
    let (_folder, path) = tree(&["AGENTS.md", "a/AGENTS.md", "a/b/AGENTS.md", "z/README.md"]);
    let below = path.join("a/b");
    let found = |top: Option<&Path>| names(&by_convention(&below, top), &path);
    assert_eq!(found(Some(&path.join("a"))), ["a/b/AGENTS.md", "a/AGENTS.md"]);
    assert_eq!(found(Some(&path)), ["a/b/AGENTS.md", "a/AGENTS.md", "AGENTS.md"]);
    assert_eq!(found(None), ["a/b/AGENTS.md"]);
    assert_eq!(found(Some(&path.join("z"))), ["a/b/AGENTS.md"], "it is elsewhere");

    symlink(path.join("a"), path.join("link")).unwrap();
    assert_eq!(found(Some(&path.join("link"))), ["a/b/AGENTS.md", "a/AGENTS.md"]);
    assert_eq!(by_convention(&path.join("missing"), None), []);
}

#[test]
fn only_regular_files_count() {
    let (_folder, path) = tree(&["real", "AGENTS.md/x"]);
    symlink("real", path.join("README.md")).unwrap();
    symlink("nowhere", path.join("GEMINI.md")).unwrap();
    let _socket = UnixListener::bind(path.join("CLAUDE.md")).unwrap();
    assert_eq!(names(&by_convention(&path, None), &path), ["README.md"]);
}

#[test]
fn what_prompts_named_is_looked_up_from_the_folder() {
    let (_folder, path) = tree(&["a", "b/c"]);
    let absolute = path.join("a").to_str().unwrap().to_owned();
    let named = ["./b/c", "a", "missing", "b", "", "a\0", &absolute, "a", "./a"];
    let found = by_prompt(&path, named);
    assert_eq!(names(&found, &path), ["b/c", "a"]);
    assert!(found.iter().all(|file| file.source == ContextSource::Prompt));

    let time = UNIX_EPOCH + Duration::from_millis(1_234_567);
    fs::File::open(path.join("a")).unwrap().set_modified(time).unwrap();
    assert_eq!(by_prompt(&path, ["a"])[0].modified, 1_234_567);
}

#[test]
fn the_number_of_files_is_bounded() {
    let many: Vec<String> = (0..=FILES).map(|number| format!("f{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let (_folder, path) = tree(&many);
    assert_eq!(by_prompt(&path, many).len(), FILES);

    let deep: PathBuf = std::iter::repeat_n("d", 2 * FOLDERS).collect();
    let mut files = Vec::new();
    for folder in deep.ancestors() {
        files.extend(["AGENTS.md", "README.md"].map(|name| folder.join(name)));
    }
    let files: Vec<&str> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let (_folder, path) = tree(&files);
    assert_eq!(by_convention(&path.join(deep), Some(&path)).len(), FILES);
}
