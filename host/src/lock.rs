//! Files that one process at a time holds locked, and in which it tells who it is.
//!
//! The lock belongs to the open file and not to a process, so that it holds within one process too,
//! and to the file and not to its path: a link to the folder leads to the same lock. The system
//! releases it when the process ends, however it ends. The file stays: if it were removed, two
//! processes could each lock a file of this name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Upper bound on how long someone who only looks holds a lock, and a holder takes to write who it is.
const MOMENT: Duration = Duration::from_secs(1);
/// How often the lock is tried meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A lock that this process holds for as long as the value lives.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Who holds a lock.
#[derive(Debug, PartialEq, Eq)]
pub enum Holder<T> {
    /// Nobody.
    Nobody,
    /// A process that tells this of itself; `None` if it could not write it, as on a full disk.
    Process(Option<T>),
}

impl Lock {
    /// Locks the file at `path`, which is made if it is missing. `None` if it is locked already.
    /// Blocks for a second at most.
    ///
    /// # Errors
    /// The file cannot be opened or locked.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false).mode(0o600);
        let file = options.open(path)?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { file })),
                Err(TryLockError::Error(error)) => return Err(error),
                // Someone who only looks holds it for a moment.
                Err(TryLockError::WouldBlock) if since.elapsed() > MOMENT => return Ok(None),
                Err(TryLockError::WouldBlock) => sleep(LOOK_EVERY),
            }
        }
    }

    /// Writes who holds the lock, in the place of what was written before. The lock holds without
    /// it: a failure, as on a full disk, goes to the log alone.
    pub fn tell<T: Serialize>(&self, who: &T) {
        let written = serde_json::to_vec(who).map_err(io::Error::other).and_then(|text| {
            let mut file = &self.file;
            file.rewind()?;
            // Needs no space on the disk if as much was written before.
            file.write_all(&text)?;
            self.file.set_len(text.len() as u64)
        });
        if let Err(error) = written {
            // Nobody should take the last holder for this one.
            let _ = self.file.set_len(0);
            tracing::warn!(%error, "cannot write which process this is: others cannot name it");
        }
    }
}

/// Who has the file at `path` locked. Blocks for a second at most.
///
/// # Errors
/// The file is there and cannot be read.
pub fn holder<T: DeserializeOwned>(path: &Path) -> io::Result<Holder<T>> {
    let since = Instant::now();
    loop {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Holder::Nobody),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            Ok(()) => return Ok(Holder::Nobody),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        match serde_json::from_slice(&text) {
            Ok(who) => return Ok(Holder::Process(Some(who))),
            // It has just begun, and writes this.
            Err(_) if since.elapsed() < MOMENT => sleep(LOOK_EVERY),
            Err(_) => return Ok(Holder::Process(None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_at_a_time_and_tells_who() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        assert_eq!(holder::<u32>(&path).unwrap(), Holder::Nobody);
        let lock = Lock::take(&path).unwrap().unwrap();
        lock.tell(&1_234_567);
        assert_eq!(holder(&path).unwrap(), Holder::Process(Some(1_234_567)));
        // What is shorter leaves nothing of the longer one.
        lock.tell(&8);
        assert_eq!(holder(&path).unwrap(), Holder::Process(Some(8)));
        assert!(Lock::take(&path).unwrap().is_none());
        drop(lock);
        assert_eq!(holder::<u32>(&path).unwrap(), Holder::Nobody);
        assert!(Lock::take(&path).unwrap().is_some());
    }

    #[test]
    fn a_link_to_the_folder_leads_to_the_same_lock() {
        let base = tempfile::tempdir().unwrap();
        let (folder, link) = (base.path().join("folder"), base.path().join("link"));
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        let _lock = Lock::take(&folder.join("a.lock")).unwrap().unwrap();
        assert!(Lock::take(&link.join("a.lock")).unwrap().is_none());
    }

    #[test]
    fn a_holder_that_cannot_say_who_it_is_holds_it_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let _lock = Lock::take(&path).unwrap().unwrap();
        assert_eq!(holder::<u32>(&path).unwrap(), Holder::Process(None));
    }
}
