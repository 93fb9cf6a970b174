//! The relay's data folder. One relay at a time has it, however that runs and by whatever path the
//! folder is named; other commands, as `moorline token`, use the database in it beside the relay.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use moorline_host::folder::keep_private;
use moorline_host::lock::{Holder, Lock, holder};
use serde::{Deserialize, Serialize};

use super::store::{Database, Store, StoreError};

/// The file that the relay holds locked for as long as it lives.
const LOCK_NAME: &str = "relay.lock";

/// A data folder that is its owner's alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolder(PathBuf);

/// What a relay tells of itself in its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Serving {
    /// Its process.
    pub pid: u32,
    /// The version of its program.
    pub version: String,
    /// Where it listens; absent until it does.
    pub address: Option<SocketAddr>,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder or its lock cannot be made or opened.
    #[error("cannot use the data folder {} (`--data-dir`): {error}", path.display())]
    Unusable {
        /// Which folder.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// Another relay has it.
    #[error(
        "a relay serves from the data folder {} already{}: use that one, end it, or name another \
         folder with `--data-dir`",
        path.display(),
        described(serving.as_ref())
    )]
    Taken {
        /// Which folder.
        path: PathBuf,
        /// What the other one tells of itself.
        serving: Option<Serving>,
    },
}

impl DataFolder {
    /// The folder at `path`, which is made if it is missing and closed to other users. From here on
    /// it has its own absolute path, without links.
    ///
    /// # Errors
    /// [`FolderError::Unusable`].
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let unusable = |error| FolderError::Unusable { path: path.to_owned(), error };
        if path.as_os_str().is_empty() {
            let why = "its name is empty: name a folder, or leave the option out";
            return Err(unusable(io::Error::new(io::ErrorKind::InvalidInput, why)));
        }
        keep_private(path).map_err(unusable)?;
        path.canonicalize().map(Self).map_err(unusable)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the folder this relay's alone, for as long as the lock lives. Blocks for a second at
    /// most.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn lock(&self) -> Result<RelayLock, FolderError> {
        let path = self.0.join(LOCK_NAME);
        let unusable = |error| FolderError::Unusable { path: path.clone(), error };
        let Some(lock) = Lock::take(&path).map_err(unusable)? else {
            return Err(FolderError::Taken { path: self.0.clone(), serving: self.serving()? });
        };
        let lock = RelayLock(lock);
        lock.tell(None);
        Ok(lock)
    }

    /// What the relay that has the folder tells of itself. `None` if none has it, or it could not
    /// write that. Blocks for a second at most.
    ///
    /// # Errors
    /// [`FolderError::Unusable`].
    pub fn serving(&self) -> Result<Option<Serving>, FolderError> {
        let path = self.0.join(LOCK_NAME);
        match holder(&path) {
            Ok(Holder::Nobody) => Ok(None),
            Ok(Holder::Process(serving)) => Ok(serving),
            Err(error) => Err(FolderError::Unusable { path, error }),
        }
    }

    /// Opens its database, which is made if it is missing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn database(&self) -> Result<(Database, Store), StoreError> {
        Database::open(&self.0)
    }

    /// A connection to its database, for a command that needs no other.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn store(&self) -> Result<Store, StoreError> {
        Store::open(&self.0)
    }
}

/// The folder's lock, held by the relay that serves from it.
#[derive(Debug)]
pub struct RelayLock(Lock);

impl RelayLock {
    /// Tells where the relay listens.
    pub fn tell(&self, address: Option<SocketAddr>) {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.0.tell(&Serving { pid: std::process::id(), version, address });
    }
}

fn described(serving: Option<&Serving>) -> String {
    match serving {
        Some(Serving { pid, address: Some(address), .. }) => {
            format!(" (process {pid}, at http://{address})")
        }
        Some(Serving { pid, address: None, .. }) => format!(" (process {pid})"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn one_relay_has_a_folder_by_whatever_path() {
        let base = tempfile::tempdir().unwrap();
        let (path, link) = (base.path().join("folder"), base.path().join("link"));
        let folder = DataFolder::open(&path).unwrap();
        symlink(&path, &link).unwrap();
        let linked = DataFolder::open(&link).unwrap();
        assert_eq!(linked, folder);
        let lock = folder.lock().unwrap();
        lock.tell(Some("127.0.0.1:3010".parse().unwrap()));
        let refused = linked.lock().unwrap_err().to_string();
        assert!(refused.contains("http://127.0.0.1:3010"), "{refused}");
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        // Commands use the database beside it.
        linked.store().unwrap();
        drop(lock);
        linked.lock().unwrap();
    }

    #[test]
    fn any_folder_of_ones_own_will_do() {
        let base = tempfile::tempdir().unwrap();
        for name in [&b"with space"[..], b"not UTF-8 \xff\xfe", b"?#%20&='\"$`\\", b"file:a"] {
            let path = base.path().join(OsStr::from_bytes(name));
            std::fs::create_dir(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
            let folder = DataFolder::open(&path).unwrap();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
            let _lock = folder.lock().unwrap();
            drop(folder.database().unwrap());
        }
        let empty = DataFolder::open(Path::new("")).unwrap_err().to_string();
        assert!(empty.contains("empty"), "{empty}");
    }
}
