//! Lock files that one process at a time holds, and in which it describes itself.
//!
//! The lock belongs to the open file and not to a process, so it also holds within one process; and
//! to the file and not to its path, so a link to the folder leads to the same lock. The system
//! releases it when the process ends, in whatever way. The file stays: if it were removed, two
//! processes could each lock a file of the same name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Upper bound on how long a process that only checks a lock holds it, and on how long a new holder
/// takes to write its description.
const MOMENT: Duration = Duration::from_secs(1);
/// Interval between attempts to lock.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A lock that this process holds while the value lives.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// The holder of a lock.
#[derive(Debug, PartialEq, Eq)]
pub enum Holder<T> {
    /// No process holds the lock.
    Nobody,
    /// A process holds it and describes itself like this; `None` if it could not write the
    /// description, for example because the disk is full.
    Process(Option<T>),
}

impl Lock {
    /// Locks the file at `path`, which is created if missing. Returns `None` if it is locked
    /// already. Blocks for a second at most.
    ///
    /// # Errors
    /// The system's error if the file cannot be opened or locked.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false).mode(0o600);
        let file = options.open(path)?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { file })),
                Err(TryLockError::Error(error)) => return Err(error),
                // A process that only checks the lock holds it for a moment.
                Err(TryLockError::WouldBlock) if since.elapsed() > MOMENT => return Ok(None),
                Err(TryLockError::WouldBlock) => sleep(LOOK_EVERY),
            }
        }
    }

    /// Writes the holder's description, replacing the previous one. The lock holds without it: a
    /// failure, such as a full disk, is only logged.
    pub fn tell<T: Serialize>(&self, who: &T) {
        let written = serde_json::to_vec(who).map_err(io::Error::other).and_then(|text| {
            let mut file = &self.file;
            file.rewind()?;
            // This needs no disk space if as much was written before.
            file.write_all(&text)?;
            self.file.set_len(text.len() as u64)
        });
        if let Err(error) = written {
            // The previous holder must not be taken for this one.
            let _ = self.file.set_len(0);
            tracing::warn!(%error, "cannot write the process id: other commands cannot show it");
        }
    }
}

/// Returns the holder of the lock at `path`. Blocks for a second at most.
///
/// # Errors
/// The system's error if the file exists and cannot be read.
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
            // The holder has only just locked it, and is writing the description.
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
        // A shorter text leaves nothing of a longer one.
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
