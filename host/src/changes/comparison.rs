//! Compares one file before and after an agent's changes, and keeps or reverts them.

use std::collections::BTreeSet;
use std::time::Instant;

use bytes::Bytes;
use moorline_shared::change::FileFate;
use moorline_shared::limits::OPERATION_FILE_BYTES;
use rustix::fs::Mode;

use super::error::ChangesError;
use super::hunks::TextHunks;
use super::listing::WatchedFolders;
use super::sight::{Present, Unread, mark_of};
use super::tables::{BaseFile, ChangeTables};
use crate::operations::{FileChange, FileState, Problem, apply, create};

/// One file as it was before the agent's turns, and as it is.
#[derive(Debug)]
pub(super) struct Comparison {
    base: Option<BaseFile>,
    now: Present,
}

impl Comparison {
    /// Reads both.
    ///
    /// # Errors
    /// [`ChangesError`] if one of them cannot be read.
    pub(super) fn of(
        tables: ChangeTables<'_>,
        folders: &WatchedFolders,
        path: &str,
    ) -> Result<Self, ChangesError> {
        Ok(Self { base: tables.base(path)?, now: Present::at(folders, path)? })
    }

    /// Returns what has become of the file; `None` if it is as it was.
    pub(super) fn fate(&self) -> Option<FileFate> {
        match (&self.base, self.now.mark()) {
            (None, None) => None,
            (None, Some(_)) => Some(FileFate::Added),
            (Some(_), None) => Some(FileFate::Deleted),
            (Some(base), Some(mark)) => (base.mark != mark).then_some(FileFate::Modified),
        }
    }

    /// Returns the hash of what is there now.
    pub(super) const fn before(&self) -> Option<&str> {
        match &self.now {
            Present::File(mark, _) => Some(mark.as_str()),
            Present::Nothing | Present::Unread(..) => None,
        }
    }

    /// Returns the reason why the file cannot be reverted, if there is one.
    pub(super) fn problem(&self) -> Option<ChangesError> {
        match (&self.base, &self.now) {
            (_, Present::Unread(_, Unread::TooLarge)) => {
                Some(ChangesError::Problem(Problem::TooLarge))
            }
            (_, Present::Unread(_, Unread::Refused)) => Some(ChangesError::Problem(Problem::Io(
                std::io::ErrorKind::PermissionDenied.into(),
            ))),
            (Some(BaseFile { content: None, .. }), _) => Some(ChangesError::NotKept),
            _ => None,
        }
    }

    pub(super) fn is_binary(&self) -> bool {
        self.texts().is_none() && self.problem().is_none()
    }

    /// Returns the parts that differ, unless the file is not text or it is late.
    pub(super) fn hunks(&self, until: Instant) -> Option<TextHunks<'_>> {
        let (old, new) = self.texts().filter(|_| Instant::now() < until)?;
        Some(TextHunks::of(old, new))
    }

    fn texts(&self) -> Option<(&str, &str)> {
        let old = match &self.base {
            Some(base) => text(base.content.as_ref()?)?,
            None => "",
        };
        let new = match &self.now {
            Present::File(_, file) => file.text().ok()?,
            Present::Nothing => "",
            Present::Unread(..) => return None,
        };
        Some((old, new))
    }

    /// Makes the file, or some of its hunks, part of the base. Returns true if no change is left.
    pub(super) fn keep(
        &self,
        tables: ChangeTables<'_>,
        path: &str,
        ids: Option<&[String]>,
    ) -> Result<bool, ChangesError> {
        let part = match ids {
            Some(ids) => self.part(ids, true)?,
            None => None,
        };
        match (part, &self.now) {
            (Some(text), now) => {
                let mode = now.file().map_or(self.base_mode(), |file| file.mode);
                let file = FileState { content: text.into(), mode };
                tables.put_base(path, &mark_of(&file), Some(&file))?;
                return Ok(false);
            }
            (None, Present::Nothing) => tables.drop_base(path)?,
            (None, now) => tables.put_base(path, now.mark().unwrap_or_default(), now.file())?,
        }
        Ok(true)
    }

    /// Puts the old content of the file, or of some of its hunks, back. Returns true if no change
    /// is left.
    pub(super) fn revert(
        &self,
        folders: &WatchedFolders,
        path: &str,
        ids: Option<&[String]>,
    ) -> Result<bool, ChangesError> {
        if let Some(problem) = self.problem() {
            return Err(problem);
        }
        let part = match ids {
            Some(ids) => self.part(ids, false)?,
            None => None,
        };
        let (folder, place) = folders.place(path)?;
        let old = self.base.as_ref().and_then(|base| base.content.clone());
        let is_whole = part.is_none();
        let content = part.map(Bytes::from).or(old);
        match (self.now.file().cloned(), content) {
            (before @ Some(_), Some(after)) => {
                apply(&folder, &FileChange::Write { path: place, before, after })?;
            }
            (Some(before), None) => apply(&folder, &FileChange::Delete { path: place, before })?,
            (None, Some(content)) => {
                create(&folder, &place, &FileState { content, mode: self.base_mode() })?;
            }
            (None, None) => {}
        }
        Ok(is_whole)
    }

    fn base_mode(&self) -> Mode {
        Mode::from_raw_mode(self.base.as_ref().map_or(0o644, |base| base.mode))
    }

    /// Returns the text in which the hunks with these ids are kept, or reverted; `None` if they are
    /// all that differs.
    fn part(&self, ids: &[String], keeps: bool) -> Result<Option<String>, ChangesError> {
        let (old, new) = self.texts().ok_or(Problem::NotText)?;
        let hunks = TextHunks::of(old, new);
        let found = hunks.find(ids).filter(|found| !found.is_empty());
        let chosen: BTreeSet<usize> = found.ok_or(ChangesError::NoSuchHunk)?;
        if chosen.len() == hunks.len() {
            return Ok(None);
        }
        // What is kept becomes part of the old text; what is reverted leaves the new one.
        let text = hunks.mixed(|place| chosen.contains(&place) == keeps);
        if text.len() > OPERATION_FILE_BYTES {
            return Err(Problem::TooLarge.into());
        }
        Ok(Some(text))
    }
}

fn text(content: &Bytes) -> Option<&str> {
    std::str::from_utf8(content).ok().filter(|text| !text.contains('\0'))
}
