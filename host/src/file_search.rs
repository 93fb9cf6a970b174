//! Finds the files of a session's folder by a few letters of their paths, as a person types them.

mod score;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ignore::{DirEntry, WalkBuilder};
use moorline_shared::file_search::FoundFiles;
use moorline_shared::limits::{FOUND_FILES, OPERATION_PATH_BYTES};

use score::FileQuery;

/// Most files of a folder that are looked at.
const FILES: usize = 50_000;
/// Most files and folders that a walk visits, those that it does not list included.
const VISITED: usize = 200_000;
/// Time after which a walk through a folder ends.
const WALK_LIMIT: Duration = Duration::from_secs(2);
/// Time for which a list of files is used again. Each letter that is typed asks once.
const FRESH: Duration = Duration::from_secs(3);
/// Folders of version control, whose files nobody refers to.
const SKIPPED: [&str; 4] = [".git", ".hg", ".jj", ".svn"];

/// Finds files, and remembers those of the folder that was searched last.
#[derive(Debug, Default)]
pub(crate) struct FileFinder {
    last: Mutex<Option<ListedFolder>>,
}

/// The files of a folder at about one moment.
#[derive(Debug, Clone)]
struct ListedFolder {
    folder: PathBuf,
    taken: Instant,
    listing: Arc<PathListing>,
}

/// The paths of files, relative to their folder.
#[derive(Debug, Default)]
struct PathListing {
    paths: Vec<String>,
    /// True if the folder has more.
    is_cut: bool,
}

impl FileFinder {
    /// Returns the files of `folder` that match, best first. Those that git ignores are left out, and
    /// no symbolic link below the folder is followed. A folder that cannot be read has no files.
    /// Blocks.
    pub(crate) fn find(&self, folder: &Path, query: &str) -> FoundFiles {
        let listing = self.list(folder);
        let query = FileQuery::new(query);
        let scored = listing.paths.iter().filter_map(|path| Some((query.score(path)?, path)));
        let mut found: Vec<(i64, &String)> = scored.collect();
        found.sort_unstable_by(|(one, first), (other, second)| {
            let place = |path: &str| (path.matches('/').count(), path.len());
            let place = place(first).cmp(&place(second));
            other.cmp(one).then(place).then_with(|| first.cmp(second))
        });
        found.truncate(FOUND_FILES);
        let files = found.into_iter().map(|(_, path)| path.clone()).collect();
        FoundFiles { files, truncated: listing.is_cut }
    }

    fn list(&self, folder: &Path) -> Arc<PathListing> {
        // Who waits here gets the list that is being made.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.as_ref().filter(|it| it.folder == folder && it.taken.elapsed() < FRESH);
        if let Some(known) = known {
            return Arc::clone(&known.listing);
        }
        let listing = Arc::new(walk(folder, Instant::now() + WALK_LIMIT));
        let (folder, taken) = (folder.to_owned(), Instant::now());
        *last = Some(ListedFolder { folder, taken, listing: Arc::clone(&listing) });
        listing
    }
}

fn walk(folder: &Path, until: Instant) -> PathListing {
    let mut listing = PathListing::default();
    let is_walked = |entry: &DirEntry| {
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        !(is_folder && SKIPPED.iter().any(|name| entry.file_name() == *name))
    };
    let mut walk = WalkBuilder::new(folder);
    walk.hidden(false).require_git(false).follow_links(false).filter_entry(is_walked);
    for (visited, entry) in walk.build().enumerate() {
        if listing.paths.len() >= FILES || visited >= VISITED || Instant::now() > until {
            listing.is_cut = true;
            break;
        }
        // What cannot be read, or has just been deleted, cannot be named either.
        let Ok(entry) = entry else { continue };
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let relative = entry.path().strip_prefix(folder).ok().and_then(Path::to_str);
        let is_shown =
            |path: &&str| path.len() <= OPERATION_PATH_BYTES && !path.contains(char::is_control);
        listing.paths.extend(relative.filter(is_shown).map(str::to_owned));
    }
    listing
}
