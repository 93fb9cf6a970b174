//! Changes files on the disk, each at once: a crash leaves the old file or the new one.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::Write as _;

use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, fchmod, fsync, linkat, openat, renameat, renameat_with,
    unlinkat,
};
use rustix::io::Errno;

use super::beneath::{FilePath, FilePlace, FileState, Folder};
use super::changes::FileChange;
use super::problem::Problem;

/// The number of names that are tried for a temporary file.
const TRIES: u32 = 8;

/// Makes a change. The file must still be as the change has it.
///
/// # Errors
/// [`Problem::Stale`] if it is not, or the system's error.
pub(crate) fn apply(folder: &Folder, change: &FileChange) -> Result<(), Problem> {
    match change {
        FileChange::Write { before: Some(before), after, .. } if before.content == *after => Ok(()),
        FileChange::Write { path, before, after } => {
            let place = folder.make_place(path)?;
            StagedFile::write(&place, before.as_ref(), after)?.commit(before.as_ref())
        }
        FileChange::Rename { path, to, before } => {
            let place = folder.place(path)?.ok_or(Problem::Stale)?;
            let target = folder.make_place(to)?;
            check(&place, Some(before))?;
            move_new(&place, &place.name, &target).map_err(|error| match error {
                Errno::EXIST => Problem::Exists,
                error => error.into(),
            })?;
            keep(&place);
            keep(&target);
            Ok(())
        }
        FileChange::Delete { path, before } => {
            let place = folder.place(path)?.ok_or(Problem::Stale)?;
            check(&place, Some(before))?;
            unlinkat(&place.folder, &place.name, AtFlags::empty())?;
            keep(&place);
            Ok(())
        }
    }
}

/// Creates a file, with its mode.
///
/// # Errors
/// [`Problem::Stale`] if something is there, or the system's error.
pub(crate) fn create(folder: &Folder, path: &FilePath, file: &FileState) -> Result<(), Problem> {
    let place = folder.make_place(path)?;
    StagedFile::write_as(&place, Some(file.mode), &file.content)?.commit(None)
}

/// The new content of a file, under a temporary name beside it. Dropping it removes it.
pub(super) struct StagedFile<'a> {
    place: &'a FilePlace,
    name: String,
    is_moved: bool,
}

impl<'a> StagedFile<'a> {
    /// Writes the content, durably, with the mode that the file has.
    ///
    /// # Errors
    /// The system's error.
    pub(super) fn write(
        place: &'a FilePlace,
        before: Option<&FileState>,
        content: &[u8],
    ) -> Result<Self, Problem> {
        Self::write_as(place, before.map(|before| before.mode), content)
    }

    /// Writes the content, durably, with this mode, or that of a new file.
    fn write_as(
        place: &'a FilePlace,
        wanted: Option<Mode>,
        content: &[u8],
    ) -> Result<Self, Problem> {
        // The content of a file that others cannot read is never readable by them.
        let mode = Mode::from_raw_mode(if wanted.is_some() { 0o600 } else { 0o666 });
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let random = RandomState::new();
        let mut tries = 0..TRIES;
        let (name, opened) = loop {
            let name = format!(".moorline-{:016x}", random.hash_one(tries.next()));
            match openat(&place.folder, &name, flags | OFlags::CLOEXEC, mode) {
                Err(Errno::EXIST) if !tries.is_empty() => {}
                opened => break (name, opened?),
            }
        };
        let staged = Self { place, name, is_moved: false };
        let mut file = File::from(opened);
        file.write_all(content)?;
        if let Some(wanted) = wanted {
            fchmod(&file, wanted)?;
        }
        file.sync_all()?;
        Ok(staged)
    }

    /// Replaces the file, if its content is still `before`.
    ///
    /// # Errors
    /// [`Problem::Stale`], or the system's error.
    pub(super) fn commit(mut self, before: Option<&FileState>) -> Result<(), Problem> {
        check(self.place, before)?;
        let FilePlace { folder, name } = self.place;
        match before {
            Some(_) => renameat(folder, &self.name, folder, name)?,
            None => move_new(self.place, &self.name, self.place).map_err(|error| match error {
                Errno::EXIST => Problem::Stale,
                error => error.into(),
            })?,
        }
        self.is_moved = true;
        keep(self.place);
        Ok(())
    }
}

impl Drop for StagedFile<'_> {
    fn drop(&mut self) {
        if !self.is_moved {
            // Only a file is left behind.
            let _ = unlinkat(&self.place.folder, &self.name, AtFlags::empty());
        }
    }
}

fn check(place: &FilePlace, before: Option<&FileState>) -> Result<(), Problem> {
    let now = place.read()?;
    let is_same = now.as_ref().map(|now| &now.content) == before.map(|before| &before.content);
    if is_same { Ok(()) } else { Err(Problem::Stale) }
}

/// Moves a file to a place at which nothing is.
fn move_new(from: &FilePlace, name: &str, to: &FilePlace) -> Result<(), Errno> {
    let flags = RenameFlags::NOREPLACE;
    match renameat_with(&from.folder, name, &to.folder, &to.name, flags) {
        // Not every file system has this flag.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            linkat(&from.folder, name, &to.folder, &to.name, AtFlags::empty())?;
            unlinkat(&from.folder, name, AtFlags::empty())
        }
        moved => moved,
    }
}

/// Makes the names in a folder durable, on file systems that can.
fn keep(place: &FilePlace) {
    let _ = fsync(&place.folder);
}
