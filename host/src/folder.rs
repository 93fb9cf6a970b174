//! Private folders of one user, and sockets in them.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The longest path in bytes that fits into the address of a Unix socket: 108 bytes on Linux and
/// 104 elsewhere, including a NUL at the end.
const SOCKET_PATH_BYTES: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Creates a folder if it is missing, and denies access to everyone but its owner: another user who
/// could write to it could run programs as this user. A link to a folder is followed.
///
/// # Errors
/// The system's error, or the reason why the folder cannot be made private.
pub fn keep_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        match std::fs::symlink_metadata(folder) {
            Ok(found) if found.is_symlink() => {
                other(error.kind(), "it is a link to a folder that does not exist")
            }
            Ok(_) => other(io::ErrorKind::NotADirectory, "it is a file and not a folder"),
            Err(_) => error,
        }
    })?;
    let found = std::fs::metadata(folder)?;
    let denied = |why| Err(other(io::ErrorKind::PermissionDenied, why));
    if found.uid() != nix::unistd::geteuid().as_raw() {
        return denied("it belongs to another user: run this as that user, or use another folder");
    }
    if found.mode() & 0o1000 != 0 {
        return denied("it is shared between users, such as /tmp: name a folder within it");
    }
    if found.mode() & 0o077 != 0 {
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        let folder = folder.display();
        tracing::warn!(%folder, "other users could enter this folder; it is now private");
    }
    Ok(())
}

/// Returns true if the user at the other end of a local connection is this user or root, and so may
/// do everything that this process may.
#[must_use]
pub fn is_trusted(user: u32) -> bool {
    user == nix::unistd::geteuid().as_raw() || user == 0
}

fn other(kind: io::ErrorKind, why: &str) -> io::Error {
    io::Error::new(kind, why)
}

/// The path of a Unix socket in a form that fits into a socket's address, however long it is. The
/// form is only valid while this value lives.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    /// The socket's folder, kept open if a long path is reached through it.
    _folder: Option<File>,
}

impl SocketPath {
    /// Creates the form of `path` to bind or connect to.
    ///
    /// # Errors
    /// The system's error if the path is too long and its folder cannot be opened.
    pub fn new(path: &Path) -> io::Result<Self> {
        let is_short = path.as_os_str().as_bytes().len() <= SOCKET_PATH_BYTES;
        let (true, Some(folder), Some(name)) =
            (!is_short && cfg!(target_os = "linux"), path.parent(), path.file_name())
        else {
            return Ok(Self { path: path.to_owned(), _folder: None });
        };
        let folder = File::open(folder)?;
        let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }

    /// Returns the path to bind or connect to.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_folder_is_closed_to_others_behind_a_link_too() {
        let base = tempfile::tempdir().unwrap();
        let (folder, link) = (base.path().join("folder"), base.path().join("link"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        keep_private(&link).unwrap();
        assert_eq!(mode(&folder), 0o700);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_folder_of_everyone_is_left_as_it_is() {
        let base = tempfile::tempdir().unwrap();
        let shared = base.path().join("tmp");
        std::fs::create_dir(&shared).unwrap();
        std::fs::set_permissions(&shared, Permissions::from_mode(0o1777)).unwrap();
        assert!(keep_private(&shared).unwrap_err().to_string().contains("share"));
        assert_eq!(mode(&shared), 0o1777);
    }

    #[test]
    fn what_is_no_folder_is_named() {
        let base = tempfile::tempdir().unwrap();
        let (file, link) = (base.path().join("file"), base.path().join("link"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(keep_private(&file).unwrap_err().to_string().contains("not a folder"));
        assert!(keep_private(&link).unwrap_err().to_string().contains("does not exist"));
    }

    #[test]
    fn a_socket_is_reached_by_a_path_of_any_length() {
        let base = tempfile::tempdir().unwrap();
        for length in [10, 200] {
            let folder = base.path().join("x".repeat(length));
            std::fs::create_dir(&folder).unwrap();
            let path = folder.join("relay.sock");
            let _listener = UnixListener::bind(SocketPath::new(&path).unwrap().path()).unwrap();
            assert!(path.exists());
            UnixStream::connect(SocketPath::new(&path).unwrap().path()).unwrap();
        }
    }
}
