//! A host as a process of its own: the folder that it lives in, and how others find and end it.
//!
//! The folder has `host.id`, which names the host for good; `host.lock`, which the host holds
//! locked for as long as it lives and which tells who it is; `host.log`, where it has no terminal;
//! and `shell/`, the shells' integration scripts.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
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

/// A log larger than this is put aside at the next start.
const LOG_BYTES: u64 = 4 * 1024 * 1024;
/// What a lock that is only looked at, or is being written, may take.
const MOMENT: Duration = Duration::from_secs(1);
/// How often what nobody tells of is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A host's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir(PathBuf);

/// Who a running host is, as it tells in `host.lock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// Its id at the relay.
    pub host_id: HostId,
    /// The version of its program.
    pub version: String,
    /// Its relay's address.
    pub relay: String,
}

/// Held by the host for as long as it lives.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock ends with the open file")] File);

/// Why a host cannot have a folder, or cannot be ended.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another one has it.
    #[error("a host runs already in {} (process {pid}): end it by `moorline host stop`", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
        /// The other one's process.
        pid: u32,
    },
    /// It was asked to end, and still runs.
    #[error("the host (process {pid}) has not ended within {} seconds", limit.as_secs())]
    Stays {
        /// Its process.
        pid: u32,
        /// How long was waited.
        limit: Duration,
    },
    /// The folder or the process is not to be used.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// Which folder or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl StateDir {
    /// The folder at `path`, which need not be there.
    ///
    /// # Errors
    /// Where a relative path leads nowhere.
    pub fn new(path: &Path) -> Result<Self, DaemonError> {
        let absolute = std::path::absolute(path);
        Ok(Self(absolute.map_err(|source| DaemonError::Io { path: path.to_owned(), source })?))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where shells' integration scripts are kept.
    #[must_use]
    pub fn integration(&self) -> PathBuf {
        self.0.join("shell")
    }

    /// The host's name for good. The first time, it is `fresh`.
    ///
    /// # Errors
    /// Where the folder cannot be used.
    pub fn host_id(&self, fresh: HostId) -> Result<HostId, DaemonError> {
        keep_private(&self.0).map_err(|source| self.error("", source))?;
        let path = self.0.join("host.id");
        if let Ok(text) = std::fs::read_to_string(&path) {
            let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it has no id in it");
            return text.trim().parse().map_err(|_| self.error("host.id", damaged()));
        }
        let written = std::fs::write(&path, format!("{fresh}\n"));
        written.map_err(|source| self.error("host.id", source))?;
        Ok(fresh)
    }

    /// Makes the folder this process's alone, and tells who it is. Blocks for a second at most.
    ///
    /// # Errors
    /// Where another host has it, or it cannot be used.
    pub fn lock(&self, running: &Running) -> Result<Lock, DaemonError> {
        keep_private(&self.0).map_err(|source| self.error("", source))?;
        let mut file = self.open_lock()?;
        let since = Instant::now();
        while let Err(error) = file.try_lock() {
            if let TryLockError::Error(source) = error {
                return Err(self.error("host.lock", source));
            }
            // Someone who only looks holds it for a moment.
            if since.elapsed() > MOMENT {
                let pid = self.running()?.map_or(0, |running| running.pid);
                return Err(DaemonError::Taken { folder: self.0.clone(), pid });
            }
            sleep(LOOK_EVERY);
        }
        let text = serde_json::to_string(running).map_err(io::Error::other);
        let written = text.and_then(|text| {
            file.set_len(0)?;
            file.write_all(text.as_bytes())
        });
        written.map_err(|source| self.error("host.lock", source))?;
        Ok(Lock(file))
    }

    /// The host that runs in this folder. Blocks for a second at most.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn running(&self) -> Result<Option<Running>, DaemonError> {
        let error = |source| self.error("host.lock", source);
        let since = Instant::now();
        loop {
            let mut file = match File::open(self.0.join("host.lock")) {
                Ok(file) => file,
                Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(source) => return Err(error(source)),
            };
            match file.try_lock_shared() {
                Ok(()) => return Ok(None),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(error(source)),
            }
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(error)?;
            match serde_json::from_str(&text) {
                Ok(running) => return Ok(Some(running)),
                // It has just begun, and writes this.
                Err(_) if since.elapsed() < MOMENT => sleep(LOOK_EVERY),
                Err(source) => return Err(error(source.into())),
            }
        }
    }

    /// Asks the host that runs in this folder to end its sessions and itself, and waits for that.
    /// `None` where none runs. Blocks.
    ///
    /// # Errors
    /// Where it still runs after `limit`, or may not be asked.
    pub fn stop(&self, limit: Duration) -> Result<Option<Running>, DaemonError> {
        let Some(running) = self.running()? else { return Ok(None) };
        // Zero would be this process's own group.
        let pid = i32::try_from(running.pid).ok().filter(|pid| *pid > 0).ok_or(Errno::EINVAL);
        match pid.and_then(|pid| kill(Pid::from_raw(pid), Signal::SIGTERM)) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(self.error("host.lock", error.into())),
        }
        let since = Instant::now();
        while self.running()?.is_some_and(|still| still.pid == running.pid) {
            if since.elapsed() > limit {
                return Err(DaemonError::Stays { pid: running.pid, limit });
            }
            sleep(LOOK_EVERY);
        }
        Ok(Some(running))
    }

    /// Starts a program as a host that outlives this process and its terminal: it has no input, and
    /// what it says goes to `host.log`. Of Moorline's own configuration it gets only how much to
    /// log: a relay's token is not for it. The program calls [`detach`] first of all. The caller
    /// waits for the child, which else stays behind as a zombie.
    ///
    /// # Errors
    /// Where the log cannot be written, or the program not be started.
    pub fn spawn(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Child, DaemonError> {
        keep_private(&self.0).map_err(|source| self.error("", source))?;
        let log = self.open_log().map_err(|source| self.error("host.log", source))?;
        let copy = log.try_clone().map_err(|source| self.error("host.log", source))?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"MOORLINE_") && name != "MOORLINE_LOG" {
                command.env_remove(name);
            }
        }
        command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(copy).stderr(log);
        command.spawn().map_err(|source| DaemonError::Io { path: program.to_owned(), source })
    }

    fn open_log(&self) -> io::Result<File> {
        let path = self.0.join("host.log");
        if std::fs::metadata(&path).is_ok_and(|found| found.len() > LOG_BYTES) {
            std::fs::rename(&path, self.0.join("host.log.1"))?;
        }
        OpenOptions::new().create(true).append(true).mode(0o600).open(path)
    }

    fn open_lock(&self) -> Result<File, DaemonError> {
        let mut options = OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false).mode(0o600);
        let opened = options.open(self.0.join("host.lock"));
        opened.map_err(|source| self.error("host.lock", source))
    }

    fn error(&self, name: &str, source: io::Error) -> DaemonError {
        let path = if name.is_empty() { self.0.clone() } else { self.0.join(name) };
        DaemonError::Io { path, source }
    }
}

/// Leaves the terminal and the session of processes that this one was started in: what hangs up or
/// interrupts those does not reach it.
///
/// # Errors
/// Where this process leads a group already, as one that a shell has started does.
pub fn detach() -> io::Result<()> {
    nix::unistd::setsid()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(pid: u32) -> Running {
        Running {
            pid,
            host_id: "host_123".parse().unwrap(),
            version: "0.0.1".into(),
            relay: "unix:/a".into(),
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
        assert!(state.stop(MOMENT).unwrap().is_none());
        // A longer text was there before.
        let _lock = state.lock(&running(9)).unwrap();
        assert_eq!(state.running().unwrap(), Some(running(9)));
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
        let stopped = state.stop(Duration::from_secs(30)).unwrap();
        assert_eq!(stopped.map(|running| running.pid), Some(child.id()));
        assert!(!child.wait().unwrap().success());
    }
}
