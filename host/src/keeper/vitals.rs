//! What a supervisor tells of its pod.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The resources that a pod's container uses and its volume has, and whether its terminal is busy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Vitals {
    /// True if a job of the shell has the terminal's foreground.
    pub busy: bool,
    /// Memory in use, in bytes, without what the system can drop.
    pub memory_bytes: Option<u64>,
    /// The most memory that may be used, in bytes.
    pub memory_limit_bytes: Option<u64>,
    /// CPU time used so far, in milliseconds.
    pub cpu_ms: Option<u64>,
    /// The size of the volume that the folder is on, in bytes.
    pub volume_bytes: Option<u64>,
    /// What is free of it, in bytes; 0 if no more files can be made.
    pub volume_free_bytes: Option<u64>,
}

impl Vitals {
    /// Reads the counters of this process's control group, of either version, and of the volume that
    /// a folder is on.
    pub(crate) fn read(folder: &Path) -> Self {
        let (volume_bytes, volume_free_bytes) = volume(folder).unzip();
        let v2 = Path::new("/sys/fs/cgroup");
        let v1 = |controller: &str| v2.join(controller);
        let memory = number(&v2.join("memory.current"))
            .map(|used| used.saturating_sub(field(&v2.join("memory.stat"), "inactive_file")))
            .or_else(|| {
                let used = number(&v1("memory").join("memory.usage_in_bytes"))?;
                let stat = v1("memory").join("memory.stat");
                Some(used.saturating_sub(field(&stat, "total_inactive_file")))
            });
        let limit = number(&v2.join("memory.max"))
            .or_else(|| number(&v1("memory").join("memory.limit_in_bytes")))
            // Without a limit, version 1 tells a number near the largest.
            .filter(|limit| *limit < 1 << 60);
        let cpu = match field(&v2.join("cpu.stat"), "usage_usec") {
            0 => number(&v1("cpuacct").join("cpuacct.usage")).map(|ns| ns / 1_000_000),
            usec => Some(usec / 1000),
        };
        Self {
            busy: false,
            memory_bytes: memory,
            memory_limit_bytes: limit,
            cpu_ms: cpu,
            volume_bytes,
            volume_free_bytes,
        }
    }
}

/// Returns the size of the volume that a folder is on, and what is free of it.
fn volume(folder: &Path) -> Option<(u64, u64)> {
    let volume = rustix::fs::statvfs(folder).ok()?;
    // Not every file system counts its files.
    let takes_files = volume.f_files == 0 || volume.f_favail > 0;
    let free = if takes_files { volume.f_bavail } else { 0 };
    let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
    Some((bytes(volume.f_blocks), bytes(free)))
}

/// Reads a file that is a number.
fn number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Reads a field of a file of names and numbers; 0 if it is missing.
fn field(path: &Path, name: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let fields = text.lines().filter_map(|line| line.split_once(' '));
    let found = fields.into_iter().find(|(key, _)| *key == name);
    found.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_default()
}
