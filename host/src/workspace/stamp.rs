//! What shows, without reading it, that a file has not changed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Stat};

/// The least age of a file's last change at which its stamp can be trusted: two changes within one
/// tick of the system's clock have the same time.
const TICK: Duration = Duration::from_millis(20);

/// What the system says of a file: if it is the same, so is the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) inode: u64,
    pub(super) size: u64,
    modified: (i64, u64),
    changed: (i64, u64),
    pub(super) mode: u32,
    pub(super) kind: FileType,
}

impl Stamp {
    pub(super) fn of(found: &Stat) -> Self {
        // The types of these fields differ between systems.
        #[expect(clippy::useless_conversion, clippy::unnecessary_cast, reason = "see above")]
        Self {
            inode: u64::from(found.st_ino),
            size: u64::try_from(found.st_size).unwrap_or_default(),
            modified: (i64::from(found.st_mtime), found.st_mtime_nsec as u64),
            changed: (i64::from(found.st_ctime), found.st_ctime_nsec as u64),
            mode: u32::from(found.st_mode) & 0o777,
            kind: FileType::from_raw_mode(found.st_mode),
        }
    }

    /// Returns true if both are of one file with the same content. A rename changes the rest.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        (self.inode, self.size, self.modified, self.mode)
            == (other.inode, other.size, other.modified, other.mode)
    }

    /// Returns true if the file could have changed again at this time without another stamp.
    pub(super) fn is_fresh(&self, now: SystemTime) -> bool {
        let (seconds, nanos) = self.changed.max(self.modified);
        let Ok(seconds) = u64::try_from(seconds) else { return false };
        let changed = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(nanos);
        // A clock that was set back makes it fresh, which only costs time.
        now.duration_since(changed).map_or(true, |age| age < TICK)
    }
}
