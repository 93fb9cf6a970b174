//! The files of a workspace as a tree, of which a page shows the rows in unfolded directories.

use std::collections::{BTreeMap, BTreeSet};

use moorline_shared::workspace::{EntryKind, WorkspaceFile, WorkspacePath, WorkspaceTree};

/// A row of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeRow {
    /// The path.
    pub path: WorkspacePath,
    /// The depth, from 1.
    pub level: usize,
    /// The place among what is in the same directory, from 1.
    pub place: usize,
    /// The number of files and directories there.
    pub count: usize,
    /// True for a directory.
    pub is_folder: bool,
    /// True for a directory whose content is shown.
    pub is_unfolded: bool,
}

/// The place of a name in its directory: directories first, and letters without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ChildOrder {
    is_file: bool,
    folded: String,
    name: String,
}

/// The files of a workspace.
#[derive(Debug, Clone, Default)]
pub struct FileTree {
    files: BTreeMap<WorkspacePath, WorkspaceFile>,
    /// What is in each directory, by its path; that of the workspace itself is empty.
    folders: BTreeMap<String, BTreeSet<ChildOrder>>,
    /// The directories whose content is shown. One that is deleted and made again stays so.
    unfolded: BTreeSet<String>,
    revision: u64,
    bytes: u64,
}

impl FileTree {
    /// Returns the revision up to which the tree is known.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the bytes of all files together.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the number of files and directories.
    #[must_use]
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// Takes what the relay tells: everything, or what was changed or deleted.
    pub fn apply(&mut self, tree: WorkspaceTree) {
        let WorkspaceTree { revision, full, files } = tree;
        if full {
            self.files.clear();
            self.folders.clear();
            self.bytes = 0;
        }
        self.revision = revision;
        self.apply_changes(files);
    }

    /// Takes changes that the answer to a request tells, before their event comes.
    pub fn apply_changes(&mut self, files: Vec<WorkspaceFile>) {
        for file in files {
            let is_older = |known: &WorkspaceFile| known.revision > file.revision;
            if self.file(file.path.as_str()).is_some_and(is_older) {
                continue;
            }
            self.remove(file.path.as_str());
            if !file.deleted {
                self.insert(file);
            }
        }
    }

    fn insert(&mut self, file: WorkspaceFile) {
        let parent = file.path.parent().map(String::from).unwrap_or_default();
        self.folders.entry(parent).or_default().insert(order(&file));
        self.bytes += file.size;
        self.files.insert(file.path.clone(), file);
    }

    fn remove(&mut self, path: &str) {
        let Some(file) = self.files.remove(path) else { return };
        self.bytes = self.bytes.saturating_sub(file.size);
        let parent = file.path.parent().map(String::from).unwrap_or_default();
        if let Some(children) = self.folders.get_mut(&parent) {
            children.remove(&order(&file));
            if children.is_empty() {
                self.folders.remove(&parent);
            }
        }
    }

    /// Returns the file or directory at a path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&WorkspaceFile> {
        self.files.get(path)
    }

    /// Returns true if there is a directory at a path.
    #[must_use]
    pub fn is_folder(&self, path: &str) -> bool {
        self.file(path).is_some_and(|file| file.kind == EntryKind::Directory)
    }

    /// Returns the number of files and directories in a directory, at any depth.
    #[must_use]
    pub fn count_within(&self, folder: &WorkspacePath) -> usize {
        self.files.keys().filter(|path| path.is_in(folder)).count()
    }

    /// Returns the second versions of files, each with the path that it was to have.
    #[must_use]
    pub fn conflicts(&self) -> Vec<(WorkspacePath, WorkspacePath)> {
        let all = self.files.values();
        all.filter_map(|file| Some((file.path.clone(), file.conflict_of.clone()?))).collect()
    }

    /// Returns a path beside this one at which nothing is: `a (2).txt` for `a.txt`.
    #[must_use]
    pub fn free_path(&self, path: &str) -> String {
        let (folder, name) = path.rsplit_once('/').map_or(("", path), |(it, name)| (it, name));
        let (stem, end) = match name.rfind('.').filter(|at| *at > 0) {
            Some(at) => name.split_at(at),
            None => (name, ""),
        };
        let beside = |number: usize| match folder {
            "" => format!("{stem} ({number}){end}"),
            folder => format!("{folder}/{stem} ({number}){end}"),
        };
        // One of as many as there are, and one more, is free.
        let free = (2..=self.files.len() + 2).map(beside);
        free.into_iter().find(|path| self.file(path).is_none()).unwrap_or_else(|| path.to_owned())
    }

    /// Shows what is in a directory, or not.
    pub fn unfold(&mut self, path: &str, is_unfolded: bool) {
        if is_unfolded {
            self.unfolded.insert(path.to_owned());
        } else {
            self.unfolded.remove(path);
        }
    }

    /// Unfolds the directories that a path is in.
    pub fn reveal(&mut self, path: &WorkspacePath) {
        self.unfolded.extend(path.ancestors().map(String::from));
    }

    /// Returns the rows that are shown, from the top.
    #[must_use]
    pub fn rows(&self) -> Vec<TreeRow> {
        let mut rows = Vec::new();
        self.push_rows("", 1, &mut rows);
        rows
    }

    /// As deep as a path, which has at most 1,024 bytes.
    fn push_rows(&self, folder: &str, level: usize, rows: &mut Vec<TreeRow>) {
        let Some(children) = self.folders.get(folder) else { return };
        for (at, child) in children.iter().enumerate() {
            let path = match folder {
                "" => child.name.clone(),
                folder => format!("{folder}/{}", child.name),
            };
            let Some(file) = self.files.get(path.as_str()) else { continue };
            let is_unfolded = !child.is_file && self.unfolded.contains(&path);
            rows.push(TreeRow {
                path: file.path.clone(),
                level,
                place: at + 1,
                count: children.len(),
                is_folder: !child.is_file,
                is_unfolded,
            });
            if is_unfolded {
                self.push_rows(&path, level + 1, rows);
            }
        }
    }
}

fn order(file: &WorkspaceFile) -> ChildOrder {
    let name = file.path.name();
    ChildOrder {
        is_file: file.kind == EntryKind::File,
        // The tables for all letters would add to the download.
        folded: name.to_ascii_lowercase(),
        name: name.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn file(path: &str, size: u64) -> WorkspaceFile {
        WorkspaceFile {
            path: path.trim_end_matches('/').parse().unwrap(),
            kind: if path.ends_with('/') { EntryKind::Directory } else { EntryKind::File },
            mode: 0o644,
            size,
            hash: None,
            revision: 1,
            changed_at: 0,
            conflict_of: None,
            deleted: false,
        }
    }

    /// A tree of these paths; directories end with `/`.
    pub(in crate::session::workspace) fn tree(paths: &[&str]) -> FileTree {
        let files = paths.iter().map(|path| file(path, 10)).collect();
        let mut tree = FileTree::default();
        tree.apply(WorkspaceTree { revision: 5, full: true, files });
        tree
    }

    fn shown(tree: &FileTree) -> Vec<String> {
        let line = |row: TreeRow| format!("{}{}", "  ".repeat(row.level - 1), row.path.name());
        tree.rows().into_iter().map(line).collect()
    }

    #[test]
    fn directories_come_first_and_show_what_is_in_them() {
        let mut tree =
            tree(&["b/", "b/z", "b/a", "a.txt", "B.txt", "a-b", "a/", "a/deep/", "a/deep/x"]);
        assert_eq!(shown(&tree), ["a", "b", "a-b", "a.txt", "B.txt"]);
        tree.unfold("b", true);
        tree.reveal(&"a/deep/x".parse().unwrap());
        let all = ["a", "  deep", "    x", "b", "  a", "  z", "a-b", "a.txt", "B.txt"];
        assert_eq!(shown(&tree), all);
        let row = &tree.rows()[4];
        assert_eq!((row.level, row.place, row.count), (2, 1, 2));
        assert_eq!(tree.count_within(&"a".parse().unwrap()), 2);
        assert_eq!((tree.bytes(), tree.count()), (90, 9));
    }

    #[test]
    fn changes_are_applied_in_their_order() {
        let mut tree = tree(&["a", "b/", "b/c"]);
        tree.unfold("b", true);
        let gone = WorkspaceFile { deleted: true, ..file("a", 10) };
        let files = vec![gone, file("b/d", 5), file("b/c", 1)];
        tree.apply(WorkspaceTree { revision: 8, full: false, files });
        assert_eq!(shown(&tree), ["b", "  c", "  d"]);
        assert_eq!((tree.bytes(), tree.revision()), (16, 8));
        // An event that the list was faster than.
        let old = WorkspaceFile { revision: 0, ..file("b/c", 70) };
        tree.apply(WorkspaceTree { revision: 8, full: false, files: vec![old] });
        assert_eq!((tree.count(), tree.bytes()), (3, 16));
        // A file becomes a directory.
        tree.apply(WorkspaceTree { revision: 9, full: false, files: vec![file("b/d/", 0)] });
        assert!(tree.is_folder("b/d"));
        assert_eq!(shown(&tree), ["b", "  d", "  c"]);
        // The list anew: what was unfolded stays so.
        tree.apply(WorkspaceTree {
            revision: 2,
            full: true,
            files: vec![file("b/", 0), file("b/x", 1)],
        });
        assert_eq!(shown(&tree), ["b", "  x"]);
    }

    #[test]
    fn a_free_name_is_beside_the_taken_one() {
        let tree = tree(&["a.tar.gz", "a.tar (2).gz", "x/", "x/.env"]);
        assert_eq!(tree.free_path("a.tar.gz"), "a.tar (3).gz");
        assert_eq!(tree.free_path("x/.env"), "x/.env (2)");
    }

    #[test]
    fn ten_thousand_files_are_rows_at_once() {
        let names: Vec<String> = (0..10_000).map(|number| format!("file-{number:05}")).collect();
        let tree = tree(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let rows = tree.rows();
        assert_eq!((rows.len(), rows[9_999].path.as_str()), (10_000, "file-09999"));
    }
}
