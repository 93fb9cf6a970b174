//! A folder that is kept in sync: what it has, and the steps of a round in it.
//!
//! Everything is reached from the open folder, name by name, without following symbolic links, so
//! that nothing outside of it is read or written.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use moorline_shared::failure::HostFailure;
use moorline_shared::workspace::{
    ContentHash, FileEntry, FolderState, FolderStep, FolderStepResult, WorkspacePath,
};
use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, fchmod, fstat, mkdirat, openat, renameat_with, statat,
    unlinkat,
};
use rustix::io::Errno;

use super::ignoring::TEMPORARY;
use super::scan::{Dirty, FILE_FLAGS, FOLDER_FLAGS, Index, open_directory, read_settled};
use super::stamp::Stamp;

/// The code of a change for which the folder's disk has no room.
pub(super) const FOLDER_FULL: &str = "folder_full";
/// The code of any other change that cannot be made in the folder.
const FOLDER_FAILED: &str = "folder_failed";
/// The number of names that are tried for a temporary file.
const TRIES: u32 = 8;

/// A folder that is kept in sync. All methods block.
#[derive(Debug)]
pub struct SyncedFolder {
    root: OwnedFd,
    path: PathBuf,
    identity: (u64, u64),
    index: Index,
}

/// The reason why a step is not done.
enum NotDone {
    Changed,
    Failed(Errno),
}

impl From<Errno> for NotDone {
    fn from(error: Errno) -> Self {
        match error {
            // What was there, or the directory that it was in, has gone or is something else.
            Errno::NOENT | Errno::EXIST | Errno::NOTDIR | Errno::LOOP | Errno::MLINK => {
                Self::Changed
            }
            error => Self::Failed(error),
        }
    }
}

type StepDone = Result<FolderStepResult, NotDone>;

/// A name in an open directory.
struct NamePlace<'a> {
    directory: OwnedFd,
    name: &'a str,
}

impl SyncedFolder {
    /// Opens a folder. Symbolic links to it are followed.
    ///
    /// # Errors
    /// The system's error.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let root = rustix::fs::open(&path, FOLDER_FLAGS, Mode::empty())?;
        let found = fstat(&root)?;
        #[expect(clippy::useless_conversion, reason = "the types differ between systems")]
        let identity = (u64::from(found.st_dev), u64::from(found.st_ino));
        Ok(Self { root, path, identity, index: Index::default() })
    }

    /// Returns the path of the folder, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what tells this folder from another one with its path.
    pub(super) const fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Reads what has changed.
    ///
    /// # Errors
    /// The system's error, such as when the folder was removed: nothing can be said of it then.
    pub(super) fn scan(&mut self, dirty: &Dirty) -> io::Result<()> {
        let found = rustix::fs::stat(&self.path)?;
        #[expect(clippy::useless_conversion, reason = "the types differ between systems")]
        let identity = (u64::from(found.st_dev), u64::from(found.st_ino));
        if identity != self.identity {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it was replaced by another one"));
        }
        self.index.scan(&self.root, dirty)
    }

    /// Returns what the folder had at the last scan.
    #[must_use]
    pub fn state(&self) -> FolderState {
        self.index.state()
    }

    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    /// Returns true if a path is not synced because the folder's ignore file says so.
    #[must_use]
    pub fn ignores(&self, path: &WorkspacePath, is_directory: bool) -> bool {
        self.index.ignores(path, is_directory)
    }

    /// Does a step of a round.
    pub fn step(&mut self, step: FolderStep) -> FolderStepResult {
        let done = match step {
            FolderStep::Read { path, expect } => self.read(&path, expect),
            FolderStep::Write { path, expect, to, content } => {
                self.write(&path, expect, to, &content)
            }
            FolderStep::SetMode { path, expect, mode } => self.set_mode(&path, expect, mode),
            FolderStep::MakeDirectory { path, expect, mode } => {
                self.make_directory(&path, expect, mode)
            }
            FolderStep::Remove { path, expect } => self.remove(&path, expect),
            FolderStep::MoveAside { path, to } => self.move_aside(&path, &to),
        };
        done.unwrap_or_else(|not_done| match not_done {
            NotDone::Changed => FolderStepResult::Changed,
            NotDone::Failed(error) => FolderStepResult::Failed(explained(error)),
        })
    }

    /// Makes everything that was written durable.
    ///
    /// # Errors
    /// The system's error.
    pub(super) fn make_durable(&self) -> io::Result<()> {
        // One call for the file system: a call for each of ten thousand files would take minutes on
        // some disks. Until then the base is not stored, so that a power failure costs a comparison.
        rustix::fs::syncfs(&self.root).map_err(io::Error::from)
    }

    fn place<'a>(&self, path: &'a WorkspacePath) -> Result<NamePlace<'a>, NotDone> {
        let directory = match path.parent() {
            Some(parent) => open_directory(&self.root, &parent)?,
            None => openat(&self.root, ".", FOLDER_FLAGS, Mode::empty())?,
        };
        Ok(NamePlace { directory, name: path.name() })
    }

    /// Returns the stamp that something must have to be what the index has at a path.
    fn expected(&self, path: &WorkspacePath, expect: FileEntry) -> Result<Stamp, NotDone> {
        let seen = self.index.seen.get(path).filter(|seen| seen.entry == expect);
        seen.map(|seen| seen.stamp).ok_or(NotDone::Changed)
    }

    /// Checks that what is at a place is as expected.
    fn check(
        &self,
        place: &NamePlace<'_>,
        path: &WorkspacePath,
        expect: FileEntry,
    ) -> Result<Stamp, NotDone> {
        let expected = self.expected(path, expect)?;
        let now = place.stamp()?;
        let is_same = match expect {
            // Its times are those of its names.
            FileEntry::Directory { mode } => now.kind.is_dir() && now.mode == mode,
            FileEntry::File { .. } => now.is_same_file(&expected),
        };
        if is_same { Ok(expected) } else { Err(NotDone::Changed) }
    }

    fn read(&self, path: &WorkspacePath, expect: FileEntry) -> StepDone {
        let place = self.place(path)?;
        let Some((_, content)) = read_settled(&place.directory, place.name)? else {
            return Err(NotDone::Changed);
        };
        if Some(ContentHash::of(&content)) != expect.hash() {
            return Err(NotDone::Changed);
        }
        Ok(FolderStepResult::Content(content.into()))
    }

    fn write(
        &mut self,
        path: &WorkspacePath,
        expect: Option<FileEntry>,
        to: FileEntry,
        content: &[u8],
    ) -> StepDone {
        let place = self.place(path)?;
        let staged = Staged::write(&place, content, to.mode())?;
        let expected = expect.map(|expect| self.check(&place, path, expect)).transpose()?;
        match (expect, expected) {
            (Some(FileEntry::File { .. }), Some(expected)) => staged.replace(&expected)?,
            (Some(_), _) => {
                unlinkat(&place.directory, place.name, AtFlags::REMOVEDIR)?;
                staged.commit()?;
            }
            (None, _) => staged.commit()?,
        }
        self.note(&place, path, to)
    }

    /// Remembers what a step has put at a path.
    fn note(&mut self, place: &NamePlace<'_>, path: &WorkspacePath, entry: FileEntry) -> StepDone {
        let stamp = place.stamp()?;
        self.index.note(path, stamp, entry);
        Ok(FolderStepResult::Done)
    }

    fn set_mode(&mut self, path: &WorkspacePath, expect: FileEntry, mode: u32) -> StepDone {
        let place = self.place(path)?;
        self.check(&place, path, expect)?;
        if expect.mode() != mode {
            let opened = openat(&place.directory, place.name, FILE_FLAGS, Mode::empty())?;
            fchmod(&opened, Mode::from_raw_mode(mode))?;
        }
        self.note(&place, path, expect.with_mode(mode))
    }

    fn make_directory(
        &mut self,
        path: &WorkspacePath,
        expect: Option<FileEntry>,
        mode: u32,
    ) -> StepDone {
        let place = self.place(path)?;
        if let Some(expect) = expect {
            let expected = self.check(&place, path, expect)?;
            remove_file(&place, &expected)?;
            self.index.forget(path);
        }
        mkdirat(&place.directory, place.name, Mode::from_raw_mode(mode))?;
        let opened = openat(&place.directory, place.name, FOLDER_FLAGS, Mode::empty())?;
        // Whatever the process takes away from new directories.
        fchmod(&opened, Mode::from_raw_mode(mode))?;
        self.note(&place, path, FileEntry::Directory { mode })
    }

    fn remove(&mut self, path: &WorkspacePath, expect: FileEntry) -> StepDone {
        let place = self.place(path)?;
        let expected = self.check(&place, path, expect)?;
        if expect.is_directory() {
            unlinkat(&place.directory, place.name, AtFlags::REMOVEDIR)?;
        } else {
            remove_file(&place, &expected)?;
        }
        self.index.forget(path);
        Ok(FolderStepResult::Done)
    }

    fn move_aside(&mut self, path: &WorkspacePath, to: &WorkspacePath) -> StepDone {
        let (from, target) = (self.place(path)?, self.place(to)?);
        rename_new(&from.directory, from.name, &target.directory, target.name)?;
        // The next scan reads it under its new name.
        self.index.forget(path);
        Ok(FolderStepResult::Done)
    }
}

/// Returns a stable code, and a sentence that says what to do.
fn explained(error: Errno) -> HostFailure {
    match error {
        Errno::NOSPC | Errno::DQUOT => HostFailure::new(
            FOLDER_FULL,
            "The disk of the folder is full: delete files there, and the others follow.",
        ),
        error => HostFailure::new(FOLDER_FAILED, io::Error::from(error).to_string()),
    }
}

impl NamePlace<'_> {
    fn stamp(&self) -> Result<Stamp, Errno> {
        statat(&self.directory, self.name, AtFlags::SYMLINK_NOFOLLOW).map(|found| Stamp::of(&found))
    }
}

/// A file under a temporary name, in the directory that it is for. Dropping it removes it.
struct Staged<'a> {
    place: &'a NamePlace<'a>,
    name: String,
}

impl<'a> Staged<'a> {
    fn write(place: &'a NamePlace<'a>, content: &[u8], mode: u32) -> Result<Self, NotDone> {
        // Only its owner can read it before it is complete.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let private = Mode::from_raw_mode(0o600);
        let random = RandomState::new();
        let mut tries = 0..TRIES;
        let (name, opened) = loop {
            let name = format!("{TEMPORARY}{:016x}", random.hash_one(tries.next()));
            match openat(&place.directory, &name, flags | OFlags::CLOEXEC, private) {
                Err(Errno::EXIST) if !tries.is_empty() => {}
                opened => break (name, opened?),
            }
        };
        let staged = Self { place, name };
        let mut file = File::from(opened);
        let failed = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        file.write_all(content).map_err(failed)?;
        fchmod(&file, Mode::from_raw_mode(mode))?;
        Ok(staged)
    }

    /// Puts the file where nothing is.
    fn commit(mut self) -> Result<(), NotDone> {
        let directory = &self.place.directory;
        rename_new(directory, &self.name, directory, self.place.name)?;
        self.name.clear();
        Ok(())
    }

    /// Puts the file in place of another one. If somebody was quicker, everything stays as it is.
    fn replace(self, expected: &Stamp) -> Result<(), NotDone> {
        let (directory, target) = (&self.place.directory, self.place.name);
        match renameat_with(directory, &self.name, directory, target, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            // Not every file system has this flag.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                rustix::fs::renameat(directory, &self.name, directory, target)?;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        let was = NamePlace {
            directory: openat(directory, ".", FOLDER_FLAGS, Mode::empty())?,
            name: &self.name,
        };
        if was.stamp()?.is_same_file(expected) {
            // The old file has the temporary name now, and goes with it.
            return Ok(());
        }
        renameat_with(directory, &self.name, directory, target, RenameFlags::EXCHANGE)?;
        Err(NotDone::Changed)
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            // Only a file is left behind, which no sync touches.
            let _ = unlinkat(&self.place.directory, &self.name, AtFlags::empty());
        }
    }
}

/// Removes a file. If somebody has changed it meanwhile, it stays.
fn remove_file(place: &NamePlace<'_>, expected: &Stamp) -> Result<(), NotDone> {
    let name = format!("{TEMPORARY}{:016x}", RandomState::new().hash_one(place.name));
    rename_new(&place.directory, place.name, &place.directory, &name)?;
    let directory = openat(&place.directory, ".", FOLDER_FLAGS, Mode::empty())?;
    let moved = NamePlace { directory, name: &name };
    if moved.stamp()?.is_same_file(expected) {
        unlinkat(&place.directory, &name, AtFlags::empty())?;
        return Ok(());
    }
    rename_new(&place.directory, &name, &place.directory, place.name)?;
    Err(NotDone::Changed)
}

/// Renames something to a name at which nothing is.
fn rename_new(from: &OwnedFd, name: &str, to: &OwnedFd, target: &str) -> Result<(), Errno> {
    match renameat_with(from, name, to, target, RenameFlags::NOREPLACE) {
        // Not every file system has this flag. A file cannot be replaced by a link.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::linkat(from, name, to, target, AtFlags::empty())?;
            unlinkat(from, name, AtFlags::empty())
        }
        renamed => renamed,
    }
}
