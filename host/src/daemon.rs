//! A host as a process of its own: its state folder, and how other processes find and stop it.
//!
//! The folder contains `host.id`, the host's permanent id; `host.lock`, which a host keeps locked
//! while it lives, and in which it describes itself; `host.log`, if the host has no terminal;
//! `shell/`, the shells' integration scripts; `journal.db`, which has the sessions that outlive their
//! host; and what [`crate::ask`] keeps there: `ask.sock`, `ask.key` and `rules.json`.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use moorline_shared::id::HostId;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::folder::keep_private;
use crate::lock::{Holder, Lock, holder};

/// The size in bytes at which `host.log` is renamed to `host.log.1`.
pub const LOG_BYTES: u64 = 4 * 1024 * 1024;
/// The variable that makes the C library return memory after a flood. By default it keeps each
/// thread's buffers in a heap of their own: 117 MB after five floods instead of 23. Other C
/// libraries ignore it.
pub(crate) const ALLOCATOR: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.arena_max=2:glibc.malloc.mmap_threshold=65536:\
     glibc.malloc.trim_threshold=65536",
);
/// Interval at which a host that was asked to stop is checked.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Time after which [`StateDir::stop`] reports that it is waiting.
const SILENCE: Duration = Duration::from_millis(500);

/// A host's state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir(PathBuf);

/// The description of a running host, which it writes to `host.lock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningHost {
    /// The id of its process.
    pub pid: u32,
    /// The host's id at the relay.
    pub host_id: HostId,
    /// The version of its program.
    pub version: String,
    /// The address of its relay.
    pub relay: String,
    /// True if it is part of its relay's process, and ends with it.
    #[serde(default)]
    pub in_process: bool,
}

/// The error of claiming a state folder, or of stopping a host.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another host has the folder.
    #[error(
        "a host already runs in {}{}: `moorline host stop` ends it and its sessions",
        folder.display(),
        process(*pid)
    )]
    Taken {
        /// The folder that is taken.
        folder: PathBuf,
        /// The id of the other host's process, if known.
        pid: Option<u32>,
    },
    /// The host is part of its relay's process.
    #[error(
        "the sessions run in the process of their relay ({pid}): end it by Ctrl-C or `kill {pid}`"
    )]
    InProcess {
        /// The id of the relay's process.
        pid: u32,
    },
    /// A host runs, but the id of its process is unknown.
    #[error(
        "a host runs in {} and could not write its process id: `fuser {}` shows it",
        folder.display(),
        folder.join(LOCK).display()
    )]
    Unnamed {
        /// The folder in which it runs.
        folder: PathBuf,
    },
    /// The host was asked to stop, but still runs.
    #[error("the host (process {pid}) has not ended within {} seconds", limit.as_secs())]
    Stays {
        /// The id of its process.
        pid: u32,
        /// The time that it was given.
        limit: Duration,
    },
    /// The folder, a file in it, or the process cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The path of the folder, file or program.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Names of files in the folder.
const LOCK: &str = "host.lock";
const LOG: &str = "host.log";
const OLD_LOG: &str = "host.log.1";

impl StateDir {
    /// Returns the state folder at `path`, which does not need to exist. If it exists, links in its
    /// path are resolved, so that the folder has one name.
    ///
    /// # Errors
    /// [`DaemonError::Io`] if the path is empty, or if it is relative and the current folder is
    /// gone.
    pub fn new(path: &Path) -> Result<Self, DaemonError> {
        let absolute = std::path::absolute(path);
        let path = absolute.map_err(|source| DaemonError::Io { path: path.to_owned(), source })?;
        Ok(Self(path.canonicalize().unwrap_or(path)))
    }

    /// Returns the path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the folder for the shells' integration scripts.
    #[must_use]
    pub fn integration(&self) -> PathBuf {
        self.0.join("shell")
    }

    /// Returns the host's permanent id. The first call stores `fresh`.
    ///
    /// # Errors
    /// [`DaemonError::Io`] if the folder cannot be used, or the stored id is damaged.
    pub fn host_id(&self, fresh: HostId) -> Result<HostId, DaemonError> {
        keep_private(&self.0).map_err(|source| self.error("", source))?;
        let path = self.0.join("host.id");
        if let Ok(text) = std::fs::read_to_string(&path) {
            let damaged =
                || io::Error::new(io::ErrorKind::InvalidData, "it does not contain an id");
            return text.trim().parse().map_err(|_| self.error("host.id", damaged()));
        }
        let written = std::fs::write(&path, format!("{fresh}\n"));
        written.map_err(|source| self.error("host.id", source))?;
        Ok(fresh)
    }

    /// Claims the folder for this process, and stores its description there. Blocks for a second at
    /// most.
    ///
    /// # Errors
    /// [`DaemonError::Taken`] if another host has the folder, or an error if it cannot be used.
    pub fn lock(&self, running: &RunningHost) -> Result<Lock, DaemonError> {
        keep_private(&self.0).map_err(|source| self.error("", source))?;
        let lock = Lock::take(&self.0.join(LOCK)).map_err(|source| self.error(LOCK, source))?;
        let Some(lock) = lock else {
            let pid = self.holder()?.map(|running| running.pid);
            return Err(DaemonError::Taken { folder: self.0.clone(), pid });
        };
        lock.tell(running);
        Ok(lock)
    }

    /// Returns the host that runs in this folder, if any. Blocks for a second at most.
    ///
    /// # Errors
    /// An error if the folder cannot be read, or if a host runs there that could not write its
    /// description.
    pub fn running(&self) -> Result<Option<RunningHost>, DaemonError> {
        match holder(&self.0.join(LOCK)).map_err(|source| self.error(LOCK, source))? {
            Holder::Nobody => Ok(None),
            Holder::Process(Some(running)) => Ok(Some(running)),
            Holder::Process(None) => Err(DaemonError::Unnamed { folder: self.0.clone() }),
        }
    }

    /// Like [`StateDir::running`], but returns `None` for a host that could not write its
    /// description.
    fn holder(&self) -> Result<Option<RunningHost>, DaemonError> {
        match self.running() {
            Err(DaemonError::Unnamed { .. }) => Ok(None),
            running => running,
        }
    }

    /// Asks the host that runs in this folder to end its sessions and itself, and waits until it
    /// has. If that takes a while, calls `waiting` once. Returns `None` if no host runs. Blocks.
    ///
    /// # Errors
    /// An error if the host still runs after `limit`, cannot be signalled, or is part of its relay.
    pub fn stop(
        &self,
        limit: Duration,
        waiting: impl FnOnce(&RunningHost),
    ) -> Result<Option<RunningHost>, DaemonError> {
        let Some(running) = self.running()? else { return Ok(None) };
        if running.in_process {
            return Err(DaemonError::InProcess { pid: running.pid });
        }
        // A pid of zero would signal this process's own group.
        let pid = i32::try_from(running.pid).ok().filter(|pid| *pid > 0).ok_or(Errno::EINVAL);
        match pid.and_then(|pid| kill(Pid::from_raw(pid), Signal::SIGTERM)) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(self.error(LOCK, error.into())),
        }
        let since = Instant::now();
        let mut waiting = Some(waiting);
        while self.running()?.is_some_and(|still| still.pid == running.pid) {
            if since.elapsed() > limit {
                return Err(DaemonError::Stays { pid: running.pid, limit });
            }
            if since.elapsed() > SILENCE
                && let Some(waiting) = waiting.take()
            {
                waiting(&running);
            }
            sleep(LOOK_EVERY);
        }
        Ok(Some(running))
    }

    /// Starts a program as a host that outlives this process and its terminal. Its input is empty,
    /// and its output goes to `host.log`. Of Moorline's own variables it only inherits the one for
    /// the log level, because a relay's token is not for it. The program must call [`detach`]
    /// first. The caller must wait for the child; otherwise it stays behind as a zombie.
    ///
    /// # Errors
    /// [`DaemonError::Io`] if the folder cannot be used, or the program cannot be started.
    pub fn spawn(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Child, DaemonError> {
        keep_private(&self.0).map_err(|source| self.error("", source))?;
        // A host without a log, such as on a full disk, is better than none.
        let log = self.rotate_log().and_then(|log| Ok((log.try_clone()?, log)));
        let (out, log) = log.map_or_else(
            |error| {
                tracing::warn!(%error, "the host runs without its host.log");
                (Stdio::null(), Stdio::null())
            },
            |(out, log)| (out.into(), log.into()),
        );
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"MOORLINE_") && name != "MOORLINE_LOG" {
                command.env_remove(name);
            }
        }
        // A value that the user has set takes precedence.
        if std::env::var_os(ALLOCATOR.0).is_none() {
            command.env(ALLOCATOR.0, ALLOCATOR.1);
        }
        command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(out).stderr(log);
        command.spawn().map_err(|source| DaemonError::Io { path: program.to_owned(), source })
    }

    /// Opens `host.log` for appending. A log that is full is first renamed to `host.log.1`, which
    /// it replaces.
    ///
    /// # Errors
    /// The system's error if the log cannot be renamed or opened; then the log is unchanged.
    pub fn rotate_log(&self) -> io::Result<File> {
        let (path, old) = (self.0.join(LOG), self.0.join(OLD_LOG));
        let is_full = std::fs::metadata(&path).is_ok_and(|found| found.len() >= LOG_BYTES);
        if is_full {
            std::fs::rename(&path, &old)?;
        }
        let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        if is_full && opened.is_err() {
            // A process that writes to the file continues to do so.
            let _ = std::fs::rename(&old, &path);
        }
        opened
    }

    fn error(&self, name: &str, source: io::Error) -> DaemonError {
        let path = if name.is_empty() { self.0.clone() } else { self.0.join(name) };
        DaemonError::Io { path, source }
    }
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// Detaches this process from the terminal and the process session that it was started in, so that
/// their hang-ups and interrupts do not reach it.
///
/// # Errors
/// The system's error if this process already leads a process group, as one that a shell started
/// does.
pub fn detach() -> io::Result<()> {
    nix::unistd::setsid()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(pid: u32) -> RunningHost {
        RunningHost {
            pid,
            host_id: "host_123".parse().unwrap(),
            version: "0.0.1".into(),
            relay: "unix:/a".into(),
            in_process: false,
        }
    }

    #[test]
    fn a_folder_has_one_host_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(&folder.path().join("new/host")).unwrap();
        assert_eq!(state.running().unwrap(), None);
        let lock = state.lock(&running(7)).unwrap();
        assert_eq!(state.running().unwrap(), Some(running(7)));
        let refused = state.lock(&running(8)).unwrap_err().to_string();
        assert!(refused.contains("process 7"), "{refused}");
        drop(lock);
        assert_eq!(state.running().unwrap(), None);
        assert!(state.stop(SILENCE, |_| ()).unwrap().is_none());
        // The previous text was longer.
        let _lock = state.lock(&running(9)).unwrap();
        assert_eq!(state.running().unwrap(), Some(running(9)));
    }

    #[test]
    fn a_host_within_a_relay_is_not_ended_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path()).unwrap();
        let running = RunningHost { in_process: true, ..running(std::process::id()) };
        let _lock = state.lock(&running).unwrap();
        let refused = state.stop(SILENCE, |_| ()).unwrap_err().to_string();
        assert!(refused.contains("Ctrl-C"), "{refused}");
    }

    #[test]
    fn a_host_that_could_not_say_who_it_is_has_its_folder_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path()).unwrap();
        let _lock = Lock::take(&folder.path().join(LOCK)).unwrap().unwrap();
        assert!(matches!(state.running(), Err(DaemonError::Unnamed { .. })));
        assert!(matches!(state.lock(&running(7)), Err(DaemonError::Taken { pid: None, .. })));
    }

    #[test]
    fn a_full_log_is_put_aside_and_one_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path()).unwrap();
        for round in 0..3 {
            let log = state.rotate_log().unwrap();
            assert_eq!(log.metadata().unwrap().len(), 0, "round {round}");
            log.set_len(LOG_BYTES).unwrap();
        }
        let names = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [LOG, OLD_LOG]);
        // If the log cannot be renamed, it stays in use.
        std::fs::remove_file(folder.path().join(OLD_LOG)).unwrap();
        std::fs::create_dir_all(folder.path().join(OLD_LOG).join("in the way")).unwrap();
        assert!(state.rotate_log().is_err());
        assert!(folder.path().join(LOG).exists());
    }

    #[test]
    fn a_host_keeps_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path()).unwrap();
        let [first, second]: [HostId; 2] = ["host_123", "host_456"].map(|id| id.parse().unwrap());
        assert_eq!(state.host_id(first.clone()).unwrap(), first);
        assert_eq!(state.host_id(second).unwrap(), first);
        std::fs::write(folder.path().join("host.id"), "!").unwrap();
        assert!(state.host_id(first).is_err());
    }

    #[test]
    fn a_host_that_is_asked_to_ends() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path()).unwrap();
        // A process that holds the lock until it is ended; flock(1) locks as this module does.
        let lock = folder.path().join("host.lock");
        let script = "exec 9>>\"$1\"; flock 9; printf '%s' \"$2\" >&9; exec sleep 1000";
        let text = serde_json::to_string(&running(0)).unwrap().replace("\"pid\":0", "\"pid\":$$");
        let script = script.replace("\"$2\"", &format!("\"{}\"", text.replace('"', "\\\"")));
        let mut child = state
            .spawn(Path::new("/bin/sh"), ["-c", &script, "sh", lock.to_str().unwrap()])
            .unwrap();
        let since = Instant::now();
        while state.running().unwrap().is_none() {
            assert!(since.elapsed() < Duration::from_secs(30), "it never locked");
        }
        let stopped = state.stop(Duration::from_secs(30), |_| ()).unwrap();
        assert_eq!(stopped.map(|running| running.pid), Some(child.id()));
        assert!(!child.wait().unwrap().success());
    }
}
