//! Scans the session's folders and finds the files that differ from the previous scan.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::error::ChangesError;
use super::listing::{ListedStamp, RULES, WatchedFolders};
use super::tables::{ChangeTables, Fact, SeenFile};
use crate::operations::{FileState, Problem};

/// Time after which another change of a file has another time stamp on every file system.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// Stamps are taken from a clock that the system moves on in steps of up to 10 ms.
const CLOCK_STEP: Duration = Duration::from_millis(20);

/// What is at a path.
#[derive(Debug)]
pub(super) enum Present {
    /// No file: nothing, or a folder, a link, or something else.
    Nothing,
    /// A file, with its mark.
    File(String, FileState),
    /// A file that is not read, with its mark.
    Unread(String, Unread),
}

/// Why a file is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    Refused,
}

impl Present {
    /// Looks at a path.
    ///
    /// # Errors
    /// [`Problem`] if nobody can tell whether a file is there.
    pub(super) fn at(folders: &WatchedFolders, path: &str) -> Result<Self, Problem> {
        let (folder, place) = folders.place(path)?;
        match folder.read(&place) {
            Ok(Some(file)) => Ok(Self::File(mark_of(&file), file)),
            Ok(None) => Ok(Self::Nothing),
            Err(error @ (Problem::TooLarge | Problem::Io(_))) => {
                let Some(stamp) = folders.stamp(path) else { return Err(error) };
                let why = match error {
                    Problem::TooLarge => Unread::TooLarge,
                    _ => Unread::Refused,
                };
                Ok(Self::Unread(stamp_mark(&stamp), why))
            }
            Err(error @ Problem::OutsideFolder) => Err(error),
            Err(_) => Ok(Self::Nothing),
        }
    }

    pub(super) fn mark(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::File(mark, _) | Self::Unread(mark, _) => Some(mark),
        }
    }

    pub(super) const fn file(&self) -> Option<&FileState> {
        match self {
            Self::File(_, file) => Some(file),
            _ => None,
        }
    }
}

/// Returns what tells the content of a file from others: its hash.
pub(super) fn mark_of(file: &FileState) -> String {
    file.hash()
}

/// Returns the mark of a file that is not read.
fn stamp_mark(stamp: &ListedStamp) -> String {
    format!("unread:{}:{}", stamp.size, stamp.modified)
}

/// Lists the folders, and brings `seen` up to date.
///
/// Without a turn, whatever is different now belongs to the base, unless an agent has changed that
/// file before. With a turn, it is a change of that turn.
pub(super) fn look(
    tables: ChangeTables<'_>,
    folders: &WatchedFolders,
    turn: Option<&str>,
) -> Result<(), ChangesError> {
    let began = now_ns();
    let listing = folders.list();
    let seen = tables.seen()?;
    let is_doubtful = listing.is_cut
        || tables.is_set(Fact::Cut)?
        || tables.is_set(Fact::Partial)?
        || listing.files.iter().any(|(path, stamp)| {
            is_rules(path) && seen.get(path).is_none_or(|seen| seen.stamp != *stamp)
        })
        || seen.keys().any(|path| is_rules(path) && !listing.files.contains_key(path));
    let turn_began = tables.fact(Fact::Began)?.and_then(|began| began.parse().ok());
    let look = FolderLook {
        tables,
        folders,
        turn,
        settled_before: began - ns(SETTLED_AFTER),
        shown_before: turn_began.filter(|_| is_doubtful).map(|began: i64| began - ns(CLOCK_STEP)),
        inodes: seen.values().map(|seen| seen.stamp.inode).collect(),
    };
    let mut is_partial = listing.is_partial;
    // Small files first, so that the limit of what is kept leaves out as few files as possible.
    let mut files: Vec<_> = listing.files.iter().collect();
    files.sort_by_key(|(_, stamp)| stamp.size);
    for (path, stamp) in files {
        let was = seen.get(path);
        if was.is_none_or(|was| was.stamp != *stamp || !was.is_settled) {
            is_partial |= !look.file(path, *stamp, was)?;
        }
    }
    for (path, was) in seen.iter().filter(|(path, _)| !listing.files.contains_key(*path)) {
        is_partial |= !look.unlisted(path, was)?;
    }
    let flag = |is_set: bool| is_set.then_some("");
    tables.set(Fact::Cut, flag(listing.is_cut))?;
    tables.set(Fact::Partial, flag(is_partial))?;
    if turn.is_none() {
        tables.set(Fact::Began, Some(&began.to_string()))?;
    }
    Ok(())
}

/// A look at the folders.
struct FolderLook<'a> {
    tables: ChangeTables<'a>,
    folders: &'a WatchedFolders,
    turn: Option<&'a str>,
    settled_before: i64,
    /// If files may have been there that an earlier look did not list: when it was.
    shown_before: Option<i64>,
    /// The files that were listed before, wherever.
    inodes: BTreeSet<u64>,
}

impl FolderLook<'_> {
    /// Looks at a file that may have changed. Returns false if it cannot be read.
    fn file(
        &self,
        path: &str,
        stamp: ListedStamp,
        was: Option<&SeenFile>,
    ) -> Result<bool, ChangesError> {
        let Ok(present) = Present::at(self.folders, path) else { return Ok(false) };
        let Some(mark) = present.mark() else {
            // It has just been deleted.
            return match was {
                Some(was) => self.differs(path, &present, Some(was), None).map(|()| true),
                None => Ok(true),
            };
        };
        let is_settled = stamp.changed < self.settled_before;
        let now = SeenFile { mark: mark.to_owned(), stamp, is_settled };
        if was.is_some_and(|was| was.mark == now.mark) {
            self.tables.see(path, Some(&now))?;
        } else {
            self.differs(path, &present, was, Some(&now))?;
        }
        Ok(!matches!(present, Present::Unread(_, Unread::Refused)))
    }

    /// Looks at a file that is not listed any more: it was deleted, or git ignores it now.
    fn unlisted(&self, path: &str, was: &SeenFile) -> Result<bool, ChangesError> {
        let Ok(present) = Present::at(self.folders, path) else { return Ok(false) };
        if present.mark() == Some(was.mark.as_str()) {
            self.tables.see(path, None)?;
        } else {
            self.differs(path, &present, Some(was), None)?;
        }
        Ok(true)
    }

    /// Records a difference between two looks.
    fn differs(
        &self,
        path: &str,
        present: &Present,
        was: Option<&SeenFile>,
        now: Option<&SeenFile>,
    ) -> Result<(), ChangesError> {
        let Self { tables, turn, .. } = *self;
        tables.see(path, now)?;
        let base = tables.base_mark(path)?;
        let is_base = base.as_deref() == present.mark();
        let is_new = was.is_none() && base.is_none();
        match turn {
            _ if is_base => tables.untouch(path),
            Some(_) if is_new && now.is_some_and(|now| self.was_there(now)) => {
                self.adopt(path, present)
            }
            Some(turn) => tables.touch(path, turn),
            None if tables.is_touched(path)? => Ok(()),
            None => self.adopt(path, present),
        }
    }

    /// Returns true if a file was there when the turn began, although it was not listed.
    fn was_there(&self, now: &SeenFile) -> bool {
        // One that was moved keeps its inode, and nothing else tells that it was moved.
        let is_older = self.shown_before.is_some_and(|shown| now.stamp.changed < shown);
        is_older && !self.inodes.contains(&now.stamp.inode)
    }

    fn adopt(&self, path: &str, present: &Present) -> Result<(), ChangesError> {
        match present.mark() {
            Some(mark) => self.tables.put_base(path, mark, present.file()),
            None => self.tables.drop_base(path),
        }
    }
}

fn is_rules(path: &str) -> bool {
    path.rsplit('/').next() == Some(RULES)
}

fn now_ns() -> i64 {
    ns(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn ns(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}
