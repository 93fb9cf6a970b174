//! The relay's data folder. One relay at a time uses it, no matter by which path each names it.
//! Other commands, such as `moorline token`, use the database in it at the same time.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use moorline_host::folder::keep_private;
use moorline_host::lock::{Holder, Lock, holder};
use serde::{Deserialize, Serialize};

use super::store::{Database, Store, StoreError};

/// The file that the relay keeps locked while it runs.
const LOCK_NAME: &str = "relay.lock";

/// A data folder that other users cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolder(PathBuf);

/// A relay's description of itself, kept in its lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Serving {
    /// The relay's process id.
    pub pid: u32,
    /// The version of the relay's program.
    pub version: String,
    /// The address that it listens on; `None` until it listens.
    pub address: Option<SocketAddr>,
    /// True if it serves HTTPS there.
    #[serde(default)]
    pub tls: bool,
}

impl Serving {
    /// The scheme of the relay's addresses.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

/// The reason that a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder or its lock cannot be created or opened.
    #[error("cannot use the data folder {} (`--data-dir`): {error}", path.display())]
    Unusable {
        /// The path of the folder or of its lock.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Another relay uses the folder.
    #[error(
        "a relay already serves from the data folder {}{}: use that one, end it, or name another \
         folder with `--data-dir`",
        path.display(),
        described(serving.as_ref())
    )]
    Taken {
        /// The path of the folder.
        path: PathBuf,
        /// The other relay's description of itself, if it could be read.
        serving: Option<Serving>,
    },
}

impl DataFolder {
    /// Opens the folder at `path`, creates it if it is missing, and closes it to other users. Paths
    /// are absolute and without links from here on.
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

    /// The folder's absolute path, without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Locks the folder for this relay until the returned lock is dropped. Blocks for a second at
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
        lock.tell(None, false);
        Ok(lock)
    }

    /// Returns the description of the relay that uses the folder. `None` if no relay does, or if it
    /// could not write its description. Blocks for a second at most.
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

    /// Opens the folder's database, and creates it if it is missing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn database(&self) -> Result<(Database, Store), StoreError> {
        Database::open(&self.0)
    }

    /// Opens one connection to the database, for a command that needs only one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn store(&self) -> Result<Store, StoreError> {
        Store::open(&self.0)
    }
}

/// The folder's lock, held by the relay that uses the folder.
#[derive(Debug)]
pub struct RelayLock(Lock);

impl RelayLock {
    /// Writes this relay's description to the lock file, with the address on which it listens, and whether it serves
    /// HTTPS there.
    pub fn tell(&self, address: Option<SocketAddr>, tls: bool) {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.0.tell(&Serving { pid: std::process::id(), version, address, tls });
    }
}

fn described(serving: Option<&Serving>) -> String {
    match serving {
        Some(serving @ Serving { pid, address: Some(address), .. }) => {
            format!(" (process {pid}, at {}://{address})", serving.scheme())
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
        lock.tell(Some("127.0.0.1:3010".parse().unwrap()), false);
        let refused = linked.lock().unwrap_err().to_string();
        assert!(refused.contains("http://127.0.0.1:3010"), "{refused}");
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        // Commands use the database while the folder is locked.
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
