//! Lists the files of a session's folders, except those that git ignores.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ignore::{DirEntry, WalkBuilder};
use moorline_shared::limits::OPERATION_PATH_BYTES;

use crate::operations::{FilePath, Folder, Problem};

/// Most files that are watched.
const FILES: usize = 20_000;
/// Time after which a walk through the folders ends.
const WALK_LIMIT: Duration = Duration::from_secs(30);
/// Folders of version control, in which only their own programs write.
const UNWATCHED: [&str; 4] = [".git", ".hg", ".jj", ".svn"];
/// The name of a file with the rules of what git ignores.
pub(super) const RULES: &str = ".gitignore";

/// What a folder says of a file without its being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListedStamp {
    pub(super) size: u64,
    /// When its content was changed, in nanoseconds since 1970.
    pub(super) modified: i64,
    /// When anything of it was changed. Programs cannot set it.
    pub(super) changed: i64,
    pub(super) inode: u64,
}

impl From<&Metadata> for ListedStamp {
    fn from(found: &Metadata) -> Self {
        let ns = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000) + rest;
        Self {
            size: found.size(),
            modified: ns(found.mtime(), found.mtime_nsec()),
            changed: ns(found.ctime(), found.ctime_nsec()),
            inode: found.ino(),
        }
    }
}

/// The files of the folders at about one moment.
#[derive(Debug, Default)]
pub(super) struct FileListing {
    /// The files by their names.
    pub(super) files: BTreeMap<String, ListedStamp>,
    /// True if there are more.
    pub(super) is_cut: bool,
    /// True if a part of the folders, or a name, could not be read.
    pub(super) is_partial: bool,
}

/// The folders of a session whose files are watched.
///
/// A file's name is its path relative to the session's folder, or its absolute path if it is in a
/// further folder.
#[derive(Debug)]
pub(super) struct WatchedFolders {
    folders: Vec<WatchedFolder>,
    /// The host's own folder, which is never watched.
    excluded: Option<PathBuf>,
    /// True if a folder is left out, because it has too much that is not the agent's work.
    pub(super) is_broad: bool,
}

#[derive(Debug)]
struct WatchedFolder {
    /// The path, without symbolic links.
    path: PathBuf,
    /// What the names of its files begin with.
    prefix: String,
}

impl WatchedFolders {
    /// Finds the folders, of which the first is the session's own. May block.
    ///
    /// # Errors
    /// The system's error if the session's own folder cannot be found.
    pub(super) fn open(paths: &[PathBuf], excluded: Option<&Path>) -> io::Result<Self> {
        let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
        let mut watched = Self {
            folders: Vec::new(),
            excluded: excluded.and_then(|folder| folder.canonicalize().ok()),
            is_broad: false,
        };
        for (place, path) in paths.iter().enumerate() {
            let resolved = match path.canonicalize() {
                Ok(resolved) => resolved,
                Err(error) if place == 0 => return Err(error),
                Err(_) => continue,
            };
            if home.as_ref().is_some_and(|home| home.starts_with(&resolved)) {
                watched.is_broad = true;
                continue;
            }
            let is_within = |other: &WatchedFolder| resolved.starts_with(&other.path);
            if watched.folders.iter().any(is_within) {
                continue;
            }
            let prefix = match (place, resolved.to_str()) {
                (0, _) => String::new(),
                (_, Some(text)) => format!("{text}/"),
                (_, None) => continue,
            };
            watched.folders.push(WatchedFolder { path: resolved, prefix });
        }
        Ok(watched)
    }

    /// Lists the files. Blocks.
    pub(super) fn list(&self) -> FileListing {
        let mut listing = FileListing::default();
        let until = Instant::now() + WALK_LIMIT;
        for folder in &self.folders {
            self.walk(folder, until, &mut listing);
        }
        listing
    }

    fn walk(&self, folder: &WatchedFolder, until: Instant, listing: &mut FileListing) {
        let others = self.folders.iter().map(|other| &other.path);
        let skipped: Vec<PathBuf> =
            others.chain(&self.excluded).filter(|other| **other != folder.path).cloned().collect();
        let is_watched = move |entry: &DirEntry| {
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            let is_control = UNWATCHED.iter().any(|name| entry.file_name() == *name);
            !(is_folder && (is_control || skipped.iter().any(|path| path == entry.path())))
        };
        let mut walk = WalkBuilder::new(&folder.path);
        walk.hidden(false).ignore(false).require_git(false).follow_links(false);
        walk.filter_entry(is_watched).sort_by_file_name(Ord::cmp);
        for entry in walk.build() {
            if listing.files.len() >= FILES || Instant::now() > until {
                listing.is_cut = true;
                return;
            }
            let Ok(entry) = entry else {
                listing.is_partial = true;
                continue;
            };
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let relative = entry.path().strip_prefix(&folder.path).ok().and_then(Path::to_str);
            let name = relative.map(|relative| format!("{}{relative}", folder.prefix));
            match (name.filter(|name| name.len() <= OPERATION_PATH_BYTES), entry.metadata()) {
                (Some(name), Ok(found)) => {
                    listing.files.insert(name, ListedStamp::from(&found));
                }
                // It has just been deleted.
                (Some(_), Err(error))
                    if error.io_error().map(io::Error::kind) == Some(io::ErrorKind::NotFound) => {}
                _ => listing.is_partial = true,
            }
        }
    }

    /// Returns the folder of a file, opened, and its path there.
    ///
    /// # Errors
    /// [`Problem`].
    pub(super) fn place(&self, name: &str) -> Result<(Folder, FilePath), Problem> {
        let (folder, relative) = self.folder_of(name).ok_or(Problem::OutsideFolder)?;
        let opened = Folder::open(&folder.path)?;
        let path = opened.path_of(relative)?;
        Ok((opened, path))
    }

    /// Returns the stamp of a file.
    pub(super) fn stamp(&self, name: &str) -> Option<ListedStamp> {
        let (folder, relative) = self.folder_of(name)?;
        folder.path.join(relative).symlink_metadata().ok().map(|found| ListedStamp::from(&found))
    }

    fn folder_of<'a>(&self, name: &'a str) -> Option<(&WatchedFolder, &'a str)> {
        let is_absolute = name.starts_with('/');
        self.folders.iter().find_map(|folder| {
            let relative = name.strip_prefix(&*folder.prefix)?;
            (folder.prefix.is_empty() != is_absolute).then_some((folder, relative))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folders: &WatchedFolders) -> Vec<String> {
        folders.list().files.into_keys().collect()
    }

    #[test]
    fn files_that_git_ignores_are_not_listed() {
        let home = tempfile::tempdir().unwrap();
        let work = home.path().join("work");
        for folder in ["work/src", "work/.git", "work/target", "other", "work/state"] {
            fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        for file in ["work/src/a.rs", "work/.git/HEAD", "work/target/x", "work/.env", "work/.ci"] {
            fs::write(home.path().join(file), "x").unwrap();
        }
        fs::write(home.path().join("other/b"), "x").unwrap();
        fs::write(home.path().join("work/state/journal"), "x").unwrap();
        fs::write(work.join(".gitignore"), "target\n.env\n").unwrap();
        std::os::unix::fs::symlink(home.path().join("other"), work.join("link")).unwrap();
        let paths = [work.clone(), home.path().join("other"), work.join("src")];
        let folders = WatchedFolders::open(&paths, Some(&work.join("state"))).unwrap();
        let other = home.path().canonicalize().unwrap().join("other/b");
        let other = other.to_str().unwrap();
        assert_eq!(names(&folders), [".ci", ".gitignore", other, "src/a.rs"].map(str::to_owned));
        assert_eq!(folders.place(other).unwrap().1.to_string(), "b");
        assert_eq!(folders.place("src/a.rs").unwrap().1.to_string(), "src/a.rs");
        assert!(folders.place("/etc/passwd").is_err() && folders.place("../other/b").is_err());
        assert!(!folders.is_broad);
    }

    #[test]
    fn a_home_is_not_watched() {
        let home = std::env::home_dir().unwrap();
        let folders = WatchedFolders::open(&[home], None).unwrap();
        assert!(folders.is_broad && names(&folders).is_empty());
        let folders = WatchedFolders::open(&["/".into()], None).unwrap();
        assert!(folders.is_broad);
        assert!(WatchedFolders::open(&["/no/such".into()], None).is_err());
    }
}
