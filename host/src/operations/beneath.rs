//! Files in a session's folder, reached without leaving it.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use moorline_shared::limits::{OPERATION_FILE_BYTES, OPERATION_PATH_BYTES};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, mkdirat, openat, statat};
use rustix::io::Errno;

use super::problem::Problem;

const FOLDER_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// A named pipe must not make the opening wait.
const FILE_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// A folder that is kept open.
#[derive(Debug)]
pub(crate) struct Folder {
    descriptor: OwnedFd,
    path: PathBuf,
    /// The path without symbolic links.
    resolved: PathBuf,
}

/// The path of a file relative to a folder, without `.` and `..`. It has at least one part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FilePath(Vec<String>);

/// A name in a folder that is kept open.
#[derive(Debug)]
pub(super) struct FilePlace {
    pub(super) folder: OwnedFd,
    pub(super) name: String,
}

/// A file's content and mode at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileState {
    pub(crate) content: Bytes,
    pub(crate) mode: Mode,
}

impl FileState {
    /// Returns the hash of the content, as previews have it.
    pub(crate) fn hash(&self) -> String {
        blake3::hash(&self.content).to_hex().to_string()
    }

    /// Returns the content as text.
    ///
    /// # Errors
    /// [`Problem::NotText`].
    pub(crate) fn text(&self) -> Result<&str, Problem> {
        let text = std::str::from_utf8(&self.content).map_err(|_| Problem::NotText)?;
        if text.contains('\0') { Err(Problem::NotText) } else { Ok(text) }
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

impl Folder {
    /// Opens a session's folder. Symbolic links to it are followed.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let resolved = path.canonicalize()?;
        let descriptor = rustix::fs::open(&resolved, FOLDER_FLAGS, Mode::empty())?;
        Ok(Self { descriptor, path: path.to_owned(), resolved })
    }

    /// Parses a path. An absolute one must begin with the path of the folder.
    ///
    /// # Errors
    /// [`Problem::OutsideFolder`].
    pub(crate) fn path_of(&self, text: &str) -> Result<FilePath, Problem> {
        let inside = |folder: &Path| {
            let rest = Path::new(text).strip_prefix(folder).ok()?;
            rest.to_str()
        };
        let relative = match text.starts_with('/') {
            true => inside(&self.path).or_else(|| inside(&self.resolved)),
            false => Some(text),
        };
        let relative = relative.ok_or(Problem::OutsideFolder)?;
        let parts = relative.split('/').filter(|part| !matches!(*part, "" | "."));
        let parts: Vec<String> = parts.map(str::to_owned).collect();
        let leads_out = parts.is_empty()
            || parts.iter().any(|part| part == "..")
            || parts[0] == "~"
            || text.len() > OPERATION_PATH_BYTES
            || text.contains('\0');
        if leads_out { Err(Problem::OutsideFolder) } else { Ok(FilePath(parts)) }
    }

    /// Reads a file; `None` if nothing is there.
    ///
    /// # Errors
    /// [`Problem`] if a folder of the path cannot be opened, or what is there is not a file that can be
    /// read.
    pub(crate) fn read(&self, path: &FilePath) -> Result<Option<FileState>, Problem> {
        match self.place(path)? {
            Some(place) => place.read(),
            None => Ok(None),
        }
    }

    /// Returns true if a path is a symbolic link or leads through one.
    pub(crate) fn has_link(&self, path: &FilePath) -> bool {
        match self.place(path) {
            Ok(Some(place)) => is_link(&place.folder, &place.name),
            Ok(None) => false,
            Err(problem) => matches!(problem, Problem::IsLink),
        }
    }

    /// Returns the place of a file; `None` if its folder does not exist.
    ///
    /// # Errors
    /// [`Problem`] if a folder of the path cannot be opened.
    pub(super) fn place(&self, path: &FilePath) -> Result<Option<FilePlace>, Problem> {
        self.walk(path, false)
    }

    /// Returns the place of a file, and creates its folder if it is missing.
    ///
    /// # Errors
    /// [`Problem`] if a folder of the path cannot be opened.
    pub(super) fn make_place(&self, path: &FilePath) -> Result<FilePlace, Problem> {
        self.walk(path, true)?.ok_or(Problem::NotFound)
    }

    fn walk(&self, path: &FilePath, create: bool) -> Result<Option<FilePlace>, Problem> {
        let mut folder = openat(&self.descriptor, ".", FOLDER_FLAGS, Mode::empty())?;
        let Some((name, parents)) = path.0.split_last() else { return Ok(None) };
        for part in parents {
            let opened = match openat(&folder, part, FOLDER_FLAGS, Mode::empty()) {
                Err(Errno::NOENT) if create => {
                    match mkdirat(&folder, part, Mode::from_raw_mode(0o777)) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    openat(&folder, part, FOLDER_FLAGS, Mode::empty())
                }
                opened => opened,
            };
            folder = match opened {
                Ok(opened) => opened,
                Err(Errno::NOENT) => return Ok(None),
                // Systems differ in their error for a symbolic link.
                Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => {
                    let is_link = is_link(&folder, part);
                    return Err(if is_link { Problem::IsLink } else { Problem::Exists });
                }
                Err(error) => return Err(error.into()),
            };
        }
        Ok(Some(FilePlace { folder, name: name.clone() }))
    }
}

impl FilePlace {
    /// Reads the file; `None` if nothing is there.
    ///
    /// # Errors
    /// [`Problem`] if what is there is not a file that can be read.
    pub(super) fn read(&self) -> Result<Option<FileState>, Problem> {
        let opened = match openat(&self.folder, &self.name, FILE_FLAGS, Mode::empty()) {
            Ok(opened) => opened,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::MLINK) => return Err(Problem::IsLink),
            Err(error) => return Err(error.into()),
        };
        let found = rustix::fs::fstat(&opened)?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Problem::IsDirectory),
            _ => return Err(Problem::NotText),
        }
        let most = OPERATION_FILE_BYTES as u64;
        if u64::try_from(found.st_size).is_ok_and(|size| size > most) {
            return Err(Problem::TooLarge);
        }
        let mut content = Vec::new();
        File::from(opened).take(most + 1).read_to_end(&mut content)?;
        if content.len() > OPERATION_FILE_BYTES {
            return Err(Problem::TooLarge);
        }
        let mode = Mode::from_raw_mode(found.st_mode);
        Ok(Some(FileState { content: content.into(), mode }))
    }
}

fn is_link(folder: &OwnedFd, name: &str) -> bool {
    let found = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
}
