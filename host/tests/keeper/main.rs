//! Tests keepers with real processes.
//!
//! A keeper and a host that is killed are this program, started again for one of the ignored tests
//! in `processes`. Their own arguments follow `--`.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod ends;
mod processes;
mod pump;
mod starts;
mod streams;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use moorline_host::keeper::{KeeperConfig, Kept, KeptEvent, KeptSpec};
use moorline_shared::session::ExitStatus;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::time::timeout;

/// Far longer than anything in these tests takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Interval between looks at what notifies nobody.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A folder with the socket of one keeper. When it is dropped, the keeper is ended.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("kept/agent.sock")
    }

    /// Describes a keeper of this program.
    fn spec(&self, words: &[&str]) -> KeptSpec {
        spec(&self.socket(), words)
    }

    async fn start(&self, words: &[&str]) -> Kept {
        Kept::start(&self.spec(words)).await.unwrap()
    }

    async fn sh(&self, script: &str) -> Kept {
        self.start(&["/bin/sh", "-c", script]).await
    }

    async fn attach(&self, read_from: u64) -> Kept {
        Kept::attach(&self.socket(), read_from).await.unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let stream = std::os::unix::net::UnixStream::connect(self.socket());
        let stream = stream.and_then(|stream| {
            stream.set_nonblocking(true)?;
            tokio::net::UnixStream::from_std(stream)
        });
        // Only a test that has failed leaves a keeper behind.
        if let Some(pid) = stream.ok().and_then(|stream| stream.peer_cred().ok()?.pid()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }
}

fn spec(socket: &Path, words: &[&str]) -> KeptSpec {
    let (program, arguments) = words.split_first().unwrap();
    KeptSpec {
        keeper: processes::again("the_keeper"),
        config: KeeperConfig {
            socket: socket.to_owned(),
            folder: "/".into(),
            program: program.into(),
            arguments: arguments.iter().map(OsString::from).collect(),
            open_files: None,
        },
        variables: std::env::vars_os().collect(),
    }
}

async fn next(kept: &mut Kept) -> KeptEvent {
    timeout(PATIENCE, kept.next()).await.expect("an event in time")
}

/// Everything of a program until its end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Finished {
    output: String,
    errors: String,
    exit: ExitStatus,
}

/// Reads until the program has ended, and acknowledges all output.
async fn finish(kept: &mut Kept) -> Finished {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    loop {
        match next(kept).await {
            KeptEvent::Output { offset, data } => {
                kept.control().read(offset + data.len() as u64);
                output.extend(data);
            }
            KeptEvent::Errors(data) => errors.extend(data),
            KeptEvent::Written(_) => {}
            KeptEvent::Snapshot(_)
            | KeptEvent::Status(_)
            | KeptEvent::Pong(_)
            | KeptEvent::Files(_)
            | KeptEvent::Folder(_) => {
                panic!("the program has no terminal")
            }
            KeptEvent::Exited(exit) => {
                return Finished { output: text(&output), errors: text(&errors), exit };
            }
            KeptEvent::Lost(reason) => panic!("lost: {reason:?}"),
        }
    }
}

/// Reads one line of output.
async fn line(kept: &mut Kept) -> String {
    let mut output = Vec::new();
    while output.last() != Some(&b'\n') {
        if let KeptEvent::Output { data, .. } = next(kept).await {
            output.extend(data);
        }
    }
    String::from_utf8(output).unwrap().trim_end().to_owned()
}

/// Waits until the connection is lost.
async fn lost(kept: &mut Kept) -> KeptEvent {
    loop {
        if let lost @ KeptEvent::Lost(_) = next(kept).await {
            return lost;
        }
    }
}

async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Returns a field of `/proc/PID/stat` after the name, from 0 for the state; `None` for a process
/// that is gone.
fn stat(pid: u32, field: usize) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = text.rsplit_once(") ")?.1.split(' ').nth(field)?.to_owned();
    Some(fields)
}

/// Returns true if the process has ended, even if nobody has waited for it.
fn is_gone(pid: u32) -> bool {
    stat(pid, 0).is_none_or(|state| state == "Z" || state == "X")
}

/// Returns the keeper of the program.
fn keeper_of(kept: &Kept) -> u32 {
    stat(kept.status().pid, 1).unwrap().parse().unwrap()
}

fn signal(name: &str) -> ExitStatus {
    ExitStatus { code: None, signal: Some(name.to_owned()), reason: None }
}

fn code(code: i32) -> ExitStatus {
    ExitStatus { code: Some(code), signal: None, reason: None }
}

/// Returns bytes of an endless stream in which no part of this test's size repeats.
fn pattern(offset: u64, length: u64) -> Bytes {
    let byte = |at: u64| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8;
    (offset..offset + length).map(byte).collect()
}
