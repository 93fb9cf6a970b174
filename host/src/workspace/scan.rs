//! Reads what a folder has: names and stamps of everything that may have changed, and the contents of
//! what has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Bound;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use moorline_shared::failure::HostFailure;
use moorline_shared::limits::WORKSPACE_FILE_BYTES;
use moorline_shared::workspace::{ContentHash, FileEntry, FolderState, WorkspacePath};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;

use super::ignoring::{IGNORE_FILE, IgnoreRules};
use super::stamp::Stamp;

pub(super) const FOLDER_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// A named pipe must not make the opening wait.
pub(super) const FILE_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// What is at a path, as it was when it was last read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) stamp: Stamp,
    pub(super) entry: FileEntry,
    /// True if it may have changed without another stamp.
    is_fresh: bool,
}

/// The places of a folder that must be read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Dirty {
    /// Nothing.
    #[default]
    Nothing,
    /// These directories, without those in them; `None` is the folder itself.
    Directories(BTreeSet<Option<WorkspacePath>>),
    /// Everything.
    All,
}

impl Dirty {
    /// The most directories that are remembered one by one.
    const MOST: usize = 4096;

    pub(super) fn add(&mut self, directory: Option<WorkspacePath>) {
        match self {
            Self::All => {}
            Self::Nothing => *self = Self::Directories(BTreeSet::from([directory])),
            Self::Directories(all) if all.len() >= Self::MOST => *self = Self::All,
            Self::Directories(all) => drop(all.insert(directory)),
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        match other {
            Self::Nothing => {}
            Self::All => *self = Self::All,
            Self::Directories(all) => all.into_iter().for_each(|directory| self.add(directory)),
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// What a folder has, with what is needed to read only what has changed.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) seen: BTreeMap<WorkspacePath, Seen>,
    /// Places that are not synced: see [`FolderState::left_out`]. Each with the reason, unless that is
    /// what it is or what the rules say.
    left_out: BTreeMap<WorkspacePath, Option<HostFailure>>,
    /// Files that changed while they were read.
    unsettled: BTreeSet<WorkspacePath>,
    rules: IgnoreRules,
    /// The stamp of the ignore file when it was read.
    ignore_file: Option<Stamp>,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            seen: BTreeMap::new(),
            left_out: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            rules: IgnoreRules::parse(""),
            ignore_file: None,
        }
    }
}

impl Index {
    /// Returns what the folder has.
    pub(super) fn state(&self) -> FolderState {
        let entries = self.seen.iter().map(|(path, seen)| (path.clone(), seen.entry));
        let left_out = self.left_out.keys().chain(&self.unsettled).cloned().collect();
        FolderState { entries: entries.collect(), left_out }
    }

    pub(super) fn ignores(&self, path: &WorkspacePath, is_directory: bool) -> bool {
        self.rules.ignores(path, is_directory)
    }

    /// Returns the directories of the folder, each with its inode.
    pub(super) fn directories(&self) -> impl Iterator<Item = (&WorkspacePath, u64)> {
        let directories = self.seen.iter().filter(|(_, seen)| seen.entry.is_directory());
        directories.map(|(path, seen)| (path, seen.stamp.inode))
    }

    /// Returns the number of places that are not synced.
    pub(super) fn left_out(&self) -> usize {
        self.left_out.len()
    }

    /// Returns the places that could not be synced, each with the reason.
    pub(super) fn problems(&self) -> impl Iterator<Item = (String, HostFailure)> {
        let reason = |(path, why): (&WorkspacePath, &Option<HostFailure>)| {
            Some((path.to_string(), why.clone()?))
        };
        self.left_out.iter().filter_map(reason)
    }

    /// Returns what must be read again soon, because it was changing or may have changed since.
    pub(super) fn unsettled(&self) -> Dirty {
        let mut dirty = Dirty::Nothing;
        let fresh = self.seen.iter().filter(|(_, seen)| seen.is_fresh).map(|(path, _)| path);
        fresh.chain(&self.unsettled).for_each(|path| dirty.add(path.parent()));
        dirty
    }

    /// Reads what is dirty. Blocks.
    ///
    /// # Errors
    /// The system's error if the folder itself cannot be read.
    pub(super) fn scan(&mut self, root: &OwnedFd, dirty: &Dirty) -> io::Result<()> {
        let mut dirty = dirty.clone();
        if self.read_rules(root)? {
            dirty = Dirty::All;
        }
        match dirty {
            Dirty::Nothing => Ok(()),
            Dirty::All => self.scan_directory(root, None, true),
            Dirty::Directories(all) => {
                for directory in all {
                    match &directory {
                        None => self.scan_directory(root, None, false)?,
                        Some(path) => self.scan_again(root, path),
                    }
                }
                Ok(())
            }
        }
    }

    /// Reads the ignore file if it has changed. Returns true if it has.
    fn read_rules(&mut self, root: &OwnedFd) -> io::Result<bool> {
        let opened = match openat(root, IGNORE_FILE, FILE_FLAGS, Mode::empty()) {
            Ok(opened) => Some(opened),
            Err(Errno::NOENT | Errno::LOOP | Errno::MLINK | Errno::ACCESS) => None,
            Err(error) => return Err(error.into()),
        };
        let stamp = opened.as_ref().map(fstat).transpose()?.map(|found| Stamp::of(&found));
        if stamp == self.ignore_file {
            return Ok(false);
        }
        let mut text = Vec::new();
        if let Some(opened) = opened.filter(|_| stamp.is_some_and(|it| it.kind.is_file())) {
            File::from(opened).take(1024 * 1024).read_to_end(&mut text)?;
        }
        self.rules = IgnoreRules::parse(&String::from_utf8_lossy(&text));
        self.ignore_file = stamp;
        Ok(true)
    }

    /// Reads a directory that is known, if it is still there.
    fn scan_again(&mut self, root: &OwnedFd, path: &WorkspacePath) {
        if !self.seen.get(path).is_some_and(|seen| seen.entry.is_directory()) {
            // Gone, or new: its own directory is dirty too.
            return;
        }
        match open_directory(root, path) {
            Ok(directory) => {
                if let Err(error) = self.scan_directory(&directory, Some(path), false) {
                    tracing::debug!(%path, %error, "a directory of a workspace cannot be read");
                }
            }
            Err(_) => self.forget(path),
        }
    }

    /// Reads a directory; with `deep`, also those in it that are known. New ones are always read.
    fn scan_directory(
        &mut self,
        directory: &OwnedFd,
        path: Option<&WorkspacePath>,
        deep: bool,
    ) -> io::Result<()> {
        let mut there = BTreeSet::new();
        for found in Dir::read_from(directory)? {
            let found = found?;
            let Ok(name) = found.file_name().to_str() else { continue };
            let child = match path {
                _ if matches!(name, "." | "..") => continue,
                Some(path) => path.join(name),
                None => name.parse(),
            };
            // A name that no workspace can have.
            let Ok(child) = child else { continue };
            if self.scan_child(directory, name, &child, deep) {
                there.insert(child);
            }
        }
        // Everything in it, at any depth, begins with its path.
        let from = path.map(|path| format!("{path}/")).unwrap_or_default();
        let within = (Bound::Included(&*from), Bound::Unbounded);
        let is_within = |child: &&WorkspacePath| child.as_str().starts_with(&from);
        let known = self.seen.range::<str, _>(within).map(|(child, _)| child).take_while(is_within);
        let left_out = self.left_out.range::<str, _>(within);
        let left_out = left_out.map(|(child, _)| child).take_while(is_within);
        let unsettled = self.unsettled.range::<str, _>(within).take_while(is_within);
        let gone: Vec<_> = known
            .chain(left_out)
            .chain(unsettled)
            .filter(|child| child.is_directly_in(path) && !there.contains(*child))
            .cloned()
            .collect();
        gone.iter().for_each(|child| self.forget(child));
        Ok(())
    }

    /// Reads one name of a directory. Returns false if nothing is there any more.
    fn scan_child(
        &mut self,
        directory: &OwnedFd,
        name: &str,
        child: &WorkspacePath,
        deep: bool,
    ) -> bool {
        let Ok(found) = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { return false };
        let stamp = Stamp::of(&found);
        let is_directory = stamp.kind.is_dir();
        if self.rules.ignores_here(child, is_directory) || !(is_directory || stamp.kind.is_file()) {
            self.leave_out(child, None);
            return true;
        }
        if is_directory {
            return self.scan_subdirectory(directory, name, child, stamp, deep);
        }
        let known = self.seen.get(child).filter(|seen| seen.stamp == stamp && !seen.is_fresh);
        if known.is_some() && !self.unsettled.contains(child) {
            self.left_out.remove(child);
            return true;
        }
        match read_file(directory, name) {
            Ok(Some((stamp, entry))) => self.note(child, stamp, entry),
            // It changes while it is read: later.
            Ok(None) => drop(self.unsettled.insert(child.clone())),
            Err(Errno::NOENT) => return false,
            Err(error) => {
                tracing::debug!(path = %child, %error, "a file of a workspace is left out");
                self.leave_out(child, Some(unread(&error.into())));
            }
        }
        true
    }

    fn scan_subdirectory(
        &mut self,
        directory: &OwnedFd,
        name: &str,
        child: &WorkspacePath,
        stamp: Stamp,
        deep: bool,
    ) -> bool {
        let known = self.seen.get(child).filter(|seen| seen.entry.is_directory());
        let is_same = known.is_some_and(|known| known.stamp.inode == stamp.inode);
        if !deep && is_same {
            self.note(child, stamp, FileEntry::Directory { mode: stamp.mode });
            return true;
        }
        let read = openat(directory, name, FOLDER_FLAGS, Mode::empty())
            .map_err(io::Error::from)
            .and_then(|opened| {
                self.note(child, stamp, FileEntry::Directory { mode: stamp.mode });
                self.scan_directory(&opened, Some(child), true)
            });
        if let Err(error) = read {
            tracing::debug!(path = %child, %error, "a directory of a workspace is left out");
            self.leave_out(child, Some(unread(&error)));
        }
        true
    }

    pub(super) fn note(&mut self, path: &WorkspacePath, stamp: Stamp, entry: FileEntry) {
        if !entry.is_directory() && self.seen.get(path).is_some_and(|it| it.entry.is_directory()) {
            self.forget(path);
        }
        self.left_out.remove(path);
        self.unsettled.remove(path);
        let is_fresh = !entry.is_directory() && stamp.is_fresh(SystemTime::now());
        self.seen.insert(path.clone(), Seen { stamp, entry, is_fresh });
    }

    fn leave_out(&mut self, path: &WorkspacePath, why: Option<HostFailure>) {
        if self.seen.contains_key(path) {
            self.forget(path);
        }
        self.left_out.insert(path.clone(), why);
    }

    /// Forgets a path and everything in it.
    pub(super) fn forget(&mut self, path: &WorkspacePath) {
        let is_there = self.seen.get(path).is_some_and(|seen| seen.entry.is_directory());
        self.seen.remove(path);
        self.left_out.remove(path);
        self.unsettled.remove(path);
        if is_there {
            self.seen.retain(|other, _| !other.is_in(path));
            self.left_out.retain(|other, _| !other.is_in(path));
            self.unsettled.retain(|other| !other.is_in(path));
        }
    }
}

/// Returns the reason why something is not synced that could not be read.
fn unread(error: &io::Error) -> HostFailure {
    if error.raw_os_error() == Some(Errno::FBIG.raw_os_error()) {
        let most = WORKSPACE_FILE_BYTES / (1024 * 1024);
        let why =
            format!("it is larger than {most} MiB, so it stays in the folder and is not synced");
        return HostFailure::new("file_too_large", why);
    }
    let why = format!("it cannot be read, so it is not synced ({error})");
    HostFailure::new("file_unreadable", why)
}

/// Opens a directory below another one. Symbolic links are not followed.
pub(super) fn open_directory(root: &OwnedFd, path: &WorkspacePath) -> Result<OwnedFd, Errno> {
    let mut directory = openat(root, ".", FOLDER_FLAGS, Mode::empty())?;
    for name in path.names() {
        directory = openat(&directory, name, FOLDER_FLAGS, Mode::empty())?;
    }
    Ok(directory)
}

/// Reads a file for its hash; `None` if it changes meanwhile.
fn read_file(directory: &OwnedFd, name: &str) -> Result<Option<(Stamp, FileEntry)>, Errno> {
    let Some((stamp, content)) = read_settled(directory, name)? else { return Ok(None) };
    let (size, hash) = (content.len() as u64, ContentHash::of(&content));
    Ok(Some((stamp, FileEntry::File { mode: stamp.mode, size, hash })))
}

/// Reads a file; `None` if it changes meanwhile.
///
/// # Errors
/// `FBIG` if it is larger than a workspace takes, or the system's error.
pub(super) fn read_settled(
    directory: &OwnedFd,
    name: &str,
) -> Result<Option<(Stamp, Vec<u8>)>, Errno> {
    let opened = openat(directory, name, FILE_FLAGS, Mode::empty())?;
    let before = Stamp::of(&fstat(&opened)?);
    if before.kind != FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    let most = WORKSPACE_FILE_BYTES as u64;
    if before.size > most {
        return Err(Errno::FBIG);
    }
    let mut file = File::from(opened);
    let mut content = Vec::with_capacity(before.size as usize);
    let failed = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    (&mut file).take(most + 1).read_to_end(&mut content).map_err(failed)?;
    let after = Stamp::of(&fstat(&file)?);
    let is_settled = before == after && content.len() as u64 == before.size;
    Ok(is_settled.then_some((after, content)))
}
