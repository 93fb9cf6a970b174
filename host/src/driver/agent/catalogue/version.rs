//! The versions of installed programs.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;

use super::folders::ProgramFolders;

/// Time allowed for a program to print its version. Those that run on Node.js need a second.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes that are read of what a program prints.
const OUTPUT_BYTES: u64 = 4096;
/// The most characters of a version.
const VERSION_CHARACTERS: usize = 40;
/// The most bytes of a `package.json` that are read.
const PACKAGE_BYTES: u64 = 256 * 1024;
/// The most folders above a program that are searched for its `package.json`.
const PACKAGE_FOLDERS: usize = 6;
/// The most versions that are remembered.
const VERSIONS: usize = 64;

/// What distinguishes a file from one that replaces it. A package manager may set the time of its
/// last change to any value, but not the time of its creation or move (`ctime`).
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileStamp {
    path: PathBuf,
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

type PrintedVersions = HashMap<PathBuf, (FileStamp, Option<String>)>;

/// The versions that programs have printed. Each is run once, until its file changes.
#[derive(Debug)]
pub(super) struct VersionCache {
    /// Time allowed for a program.
    patience: Duration,
    /// The last version of each program; `None` if it has printed none.
    printed: Mutex<PrintedVersions>,
}

impl Default for VersionCache {
    fn default() -> Self {
        Self { patience: PATIENCE, printed: Mutex::default() }
    }
}

impl VersionCache {
    /// Returns the version that a program prints; `None` if it prints none in time. Blocks.
    pub(super) fn get(&self, program: &Path, folders: &ProgramFolders) -> Option<String> {
        let stamp = FileStamp::of(program)?;
        if let Some((known, version)) = self.lock().get(program)
            && *known == stamp
        {
            return version.clone();
        }
        let version = printed(program, folders, self.patience).as_deref().and_then(parsed);
        let mut versions = self.lock();
        if versions.len() >= VERSIONS {
            versions.clear();
        }
        versions.insert(program.to_owned(), (stamp, version.clone()));
        version
    }

    fn lock(&self) -> MutexGuard<'_, PrintedVersions> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FileStamp {
    fn of(program: &Path) -> Option<Self> {
        let path = program.canonicalize().ok()?;
        let file = fs::metadata(&path).ok()?;
        Some(Self {
            path,
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

/// The fields of a `package.json` that are read.
#[derive(Deserialize)]
struct PackageFile {
    name: Option<String>,
    version: Option<String>,
}

/// Returns the version of the npm package that a program belongs to; `None` if it does not belong
/// to this package. npm links programs to the package's own files.
pub(super) fn of_package(program: &Path, package: &str) -> Option<String> {
    let path = program.canonicalize().ok()?;
    let mut folders = path.ancestors().skip(1).take(PACKAGE_FOLDERS);
    let found = folders.find_map(|folder| read_package(folder).filter(|it| it.is(package)))?;
    parsed(&found.version?)
}

impl PackageFile {
    fn is(&self, package: &str) -> bool {
        self.name.as_deref() == Some(package)
    }
}

fn read_package(folder: &Path) -> Option<PackageFile> {
    let mut text = String::new();
    let file = File::open(folder.join("package.json")).ok()?;
    file.take(PACKAGE_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Runs a program with `--version`, and returns what it prints. Ends it, and what it has started,
/// when it is done or its time is over. It gets none of the host's variables, which may have
/// secrets.
fn printed(program: &Path, folders: &ProgramFolders, patience: Duration) -> Option<String> {
    let mut child = Command::new(program)
        .arg("--version")
        .env_clear()
        .env("PATH", folders.path())
        .env("HOME", folders.home())
        .env("TERM", "dumb")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let printed = read_in_time(&mut child, patience);
    end(&mut child);
    printed
}

fn read_in_time(child: &mut Child, patience: Duration) -> Option<String> {
    let output = child.stdout.take()?;
    let (sender, receiver) = sync_channel(1);
    // The thread ends when nobody can print any more: usually when the program is ended.
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(OUTPUT_BYTES).read_to_end(&mut bytes);
        // The receiver may have lost its patience.
        _ = sender.send(read.map(|_| bytes));
    });
    let bytes = receiver.recv_timeout(patience).ok()?.ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Ends a program, and all that it has started.
fn end(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        // Fails if all of them have ended.
        _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    if let Err(error) = child.wait() {
        tracing::warn!(%error, "a program that printed its version was not waited for");
    }
}

/// Returns the first version number in a text, such as `1.2.3` in `agent v1.2.3 (linux)`.
fn parsed(text: &str) -> Option<String> {
    let is_edge = |char: char| matches!(char, 'v' | 'V' | '(' | ')' | ',' | ';' | '"' | '\'');
    let words = text.split_ascii_whitespace().map(|word| word.trim_matches(is_edge));
    let is_version = |word: &&str| {
        word.starts_with(|char: char| char.is_ascii_digit())
            && word.contains('.')
            && word.len() <= VERSION_CHARACTERS
            && word.chars().all(|char| char.is_ascii_alphanumeric() || "._-+".contains(char))
    };
    words.into_iter().find(is_version).map(str::to_owned)
}

/// Returns true if a version is older than `first`, by its first two numbers.
pub(super) fn is_older(version: &str, first: [u64; 2]) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)] < first
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Instant;

    use super::super::folders::tests::install;
    use super::*;

    fn folders(home: &Path) -> ProgramFolders {
        ProgramFolders::new(home, &["/usr/bin".into(), "/bin".into()])
    }

    #[test]
    fn a_version_is_found_in_what_a_program_prints() {
        for (text, version) in [
            ("1.2.3\n", Some("1.2.3")),
            ("agent v0.33.0-preview.11 (linux)", Some("0.33.0-preview.11")),
            ("goose  1.50.1", Some("1.50.1")),
            ("A \u{1b}[1m7.0\u{1b}[0m", None),
            ("version (2026.10.01-e373342)", Some("2026.10.01-e373342")),
            ("error: unknown option --version", None),
            ("7", None),
            ("", None),
            (&format!("1.{}", "9".repeat(VERSION_CHARACTERS)), None),
        ] {
            assert_eq!(parsed(text).as_deref(), version, "{text:?}");
        }
        assert!(is_older("0.32.9", [0, 33]) && is_older("0", [0, 33]) && is_older("x.y", [0, 33]));
        assert!(!is_older("0.33.0-x", [0, 33]) && !is_older("1.0", [0, 33]));
    }

    #[test]
    fn a_program_is_run_once_until_it_changes_and_without_the_hosts_variables() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent");
        let script = "echo ran >>$HOME/runs; echo 1.0.$(env | grep -c MOORLINE_ || :)";
        install(&path, script);
        let (cache, folders) = (VersionCache::default(), folders(folder.path()));
        for _ in 0..3 {
            assert_eq!(cache.get(&path, &folders).as_deref(), Some("1.0.0"));
        }
        let runs = || fs::read_to_string(folder.path().join("runs")).unwrap().lines().count();
        assert_eq!(runs(), 1);
        fs::remove_file(&path).unwrap();
        assert_eq!(cache.get(&path, &folders), None);
        install(&path, "echo 2.0.0");
        assert_eq!(cache.get(&path, &folders).as_deref(), Some("2.0.0"));
        assert_eq!(runs(), 1);
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_once_it_has_printed_enough() {
        let folder = tempfile::tempdir().unwrap();
        let folders = folders(folder.path());
        let flood = folder.path().join("flood");
        install(&flood, "while :; do echo 3.1.4 more and more; done");
        let begun = Instant::now();
        assert_eq!(VersionCache::default().get(&flood, &folders).as_deref(), Some("3.1.4"));
        // One that closes its output and stays is not waited for.
        let silent = folder.path().join("silent");
        install(&silent, "echo 2.7.1; exec >&-; exec sleep 1000");
        assert_eq!(VersionCache::default().get(&silent, &folders).as_deref(), Some("2.7.1"));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_program_that_takes_too_long_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let slow = folder.path().join("slow");
        install(&slow, "echo 1.2.3; exec sleep 1000");
        let cache = VersionCache { patience: Duration::from_millis(50), ..VersionCache::default() };
        assert_eq!(cache.get(&slow, &folders(folder.path())), None);
    }

    #[test]
    fn whatever_a_program_has_started_is_ended_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let agent = folder.path().join("agent");
        install(&agent, "sleep 1000 >&- & echo $! >$HOME/child; echo 1.2.3; exec >&-; wait");
        let cache = VersionCache::default();
        assert_eq!(cache.get(&agent, &folders(folder.path())).as_deref(), Some("1.2.3"));
        let child = fs::read_to_string(folder.path().join("child")).unwrap();
        // A process that has ended has no command line. It may end a moment after the signal.
        let running = || fs::read(format!("/proc/{}/cmdline", child.trim())).unwrap_or_default();
        let begun = Instant::now();
        while !running().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{child} still runs");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_package_tells_the_version_of_its_program() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("lib/node_modules/@of/agent");
        install(&package.join("dist/index.js"), "exit 1");
        let write = |text: &str| fs::write(package.join("package.json"), text).unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        let program = folder.path().join("bin/agent");
        symlink("../lib/node_modules/@of/agent/dist/index.js", &program).unwrap();
        assert_eq!(of_package(&program, "@of/agent"), None);
        write(r#"{"name": "@of/agent", "version": "4.5.6", "bin": {}}"#);
        // One of its own folders says something else.
        fs::write(package.join("dist/package.json"), r#"{"type": "module"}"#).unwrap();
        assert_eq!(of_package(&program, "@of/agent").as_deref(), Some("4.5.6"));
        assert_eq!(of_package(&program, "@of/other"), None);
        for bad in ["{", r#"{"name": "@of/agent"}"#, r#"{"name": "@of/agent", "version": "x"}"#] {
            write(bad);
            assert_eq!(of_package(&program, "@of/agent"), None, "{bad}");
        }
    }
}
