//! What shows, without reading it, that a file has not changed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Stat};

/// The least age of a file's last change at which its stamp can be trusted: two changes within one
/// tick of the system's clock have the same time.
const TICK: Duration = Duration::from_millis(20);
/// The longest time ahead of the clock at which a last change counts as one of this moment: the
/// clock was set back a little.
const SET_BACK: Duration = Duration::from_secs(10);

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
        // Programs set the time of modification to anything. A change always sets this one.
        let (seconds, nanos) = self.changed;
        let Ok(seconds) = u64::try_from(seconds) else { return false };
        let changed = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(nanos);
        match now.duration_since(changed) {
            Ok(age) => age < TICK,
            Err(ahead) => ahead.duration() < SET_BACK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_of_this_moment_may_hide_another_one() {
        let at = |ms: u64| UNIX_EPOCH + Duration::from_millis(ms);
        let stamp = |changed: i64, modified: i64| Stamp {
            inode: 1,
            size: 1,
            modified: (modified, 0),
            changed: (changed, 0),
            mode: 0o644,
            kind: FileType::RegularFile,
        };
        assert!(stamp(1000, 1000).is_fresh(at(1_000_010)));
        assert!(!stamp(1000, 1000).is_fresh(at(1_000_100)));
        // A file of the future is not read for ever.
        assert!(!stamp(1000, 4_102_444_800).is_fresh(at(1_000_100)));
        assert!(stamp(1000, 1000).is_fresh(at(999_000)), "the clock was set back a little");
        assert!(!stamp(1000, 1000).is_fresh(at(900_000)), "the clock was wrong by a lot");
    }
}
