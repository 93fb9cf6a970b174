//! Runs a shell on a real terminal, with a home of its own, and collects its marks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use moorline_host::driver::pty::{Pty, Spawn};
use moorline_host::marks::{Mark, Marks, ShellActivity, ShellState, this_host};
use moorline_host::screen::Screen;
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::session::{ExitStatus, Size};
use tempfile::TempDir;
use tokio::time::timeout;

/// Far longer than anything in these tests takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// At least as long as the interval of a session's looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The folder of the scripts within a home.
pub(crate) const INTEGRATION: &str = "moorline";

/// The settings that a shell is started with.
pub(crate) struct Start {
    home: TempDir,
    spawn: Spawn,
}

impl Start {
    /// Starts the shell in its own empty home, without any of the tester's files.
    pub(crate) fn new(command: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().canonicalize().unwrap();
        let folder = |name: &str| path.join(name).to_str().unwrap().to_owned();
        let env = BTreeMap::from([
            ("HOME".to_owned(), path.to_str().unwrap().to_owned()),
            ("XDG_CONFIG_HOME".to_owned(), folder(".config")),
            ("XDG_DATA_HOME".to_owned(), folder(".local/share")),
        ]);
        let spawn = Spawn {
            command: Some(command.iter().map(|word| (*word).to_owned()).collect()),
            cwd: Some(path.clone()),
            env,
            size: Size { cols: 120, rows: 40 },
            integration: Some(path.join(INTEGRATION)),
        };
        Self { home, spawn }
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.spawn.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without_integration(mut self) -> Self {
        self.spawn.integration = None;
        self
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.home.path().canonicalize().unwrap()
    }

    /// Starts the shell without waiting for anything.
    pub(crate) fn spawn(self) -> Shell {
        let pty = Pty::spawn(&self.spawn).unwrap();
        let screen = Screen::new(self.spawn.size);
        let (marks, state) = (Marks::new(), ShellState::new(this_host(), pty.writer.pid()));
        let home = self.home;
        Shell { home, pty, screen, marks, state, found: Vec::new(), output: Vec::new(), looks: 0 }
    }

    /// Starts the shell and waits for its first prompt.
    pub(crate) async fn shell(self) -> Shell {
        let mut shell = self.spawn();
        shell.wait("a prompt", |shell| shell.prompts() > 0).await;
        shell
    }
}

pub(crate) struct Shell {
    home: TempDir,
    pty: Pty,
    screen: Screen,
    marks: Marks,
    pub(crate) state: ShellState,
    pub(crate) found: Vec<Mark>,
    output: Vec<u8>,
    /// The number of times that the terminal's foreground was seen.
    pub(crate) looks: usize,
}

impl Shell {
    pub(crate) fn home(&self) -> PathBuf {
        self.home.path().canonicalize().unwrap()
    }

    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    pub(crate) fn prompts(&self) -> usize {
        self.found.iter().filter(|mark| **mark == Mark::PromptStart).count()
    }

    /// Returns the text on the terminal and in its scrollback, without colours, because fish paints
    /// those at a time of its own.
    fn snapshot(&self) -> String {
        let snapshot = String::from_utf8_lossy(&self.screen.snapshot().data).into_owned();
        let mut parts = snapshot.split("\x1b[");
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|end: char| end.is_ascii_alphabetic()).unwrap();
            match part.split_at(end + 1) {
                (colour, text) if colour.ends_with('m') => plain += text,
                _ => plain += &format!("<{part}"),
            }
        }
        plain
    }

    pub(crate) async fn type_keys(&self, keys: &str) {
        let mut rest = keys.as_bytes();
        while !rest.is_empty() {
            timeout(PATIENCE, self.pty.writer.writable()).await.unwrap().unwrap();
            rest = &rest[self.pty.writer.try_write(rest).unwrap()..];
        }
    }

    /// Reads until `holds` is true. Returns false at the end of the output.
    pub(crate) async fn read_until(&mut self, mut holds: impl FnMut(&Self) -> bool) -> bool {
        while !holds(self) {
            let piece = timeout(PATIENCE, self.pty.reader.read()).await;
            let piece = piece.unwrap_or_else(|_| panic!("nothing more after {:?}", self.output()));
            let Some(piece) = piece.unwrap() else {
                return false;
            };
            let bytes = &piece[Frame::DATA_START..];
            self.screen.push(&Frame::copy(Seq(1), bytes).unwrap());
            self.output.extend_from_slice(bytes);
            let (found, state, terminal) = (&mut self.found, &mut self.state, &self.pty.writer);
            self.marks.push(bytes, |mark, origin| {
                let speaker = state.speaker(origin, terminal.is_in_a_job());
                state.fold(mark.clone(), speaker);
                found.push(mark);
            });
        }
        true
    }

    /// Reads on, and looks at the terminal's foreground as a session does, until `holds` is true.
    pub(crate) async fn watch(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let (since, mut last) = (Instant::now(), None);
        while !holds(self) {
            assert!(since.elapsed() < PATIENCE, "no {what}: {:?} {:?}", self.state, self.output());
            let mut looks = 0;
            let quiet =
                timeout(LOOK_EVERY, self.read_until(|_| std::mem::replace(&mut looks, 1) > 0));
            if quiet.await.is_err() {
                let seen = self.pty.writer.foreground();
                if let Some(foreground) = seen.filter(|_| seen == last) {
                    self.state.observe(foreground);
                    self.looks += 1;
                }
                last = seen;
            }
        }
    }

    pub(crate) async fn wait(&mut self, what: &str, holds: impl FnMut(&Self) -> bool) {
        let held = self.read_until(holds).await;
        assert!(held, "the output ended without {what}: {:?}", self.output());
    }

    /// Types a line and waits for the next prompt. Returns the command's output.
    pub(crate) async fn run(&mut self, line: &str) -> String {
        let (prompts, before) = (self.prompts(), self.output.len());
        self.type_keys(&format!("{line}\r")).await;
        self.wait("the next prompt", |shell| shell.prompts() > prompts).await;
        assert_eq!(self.state.activity(), ShellActivity::Idle);
        let output = String::from_utf8_lossy(&self.output[before..]).into_owned();
        let written =
            output.split_once("\x1b]133;C;").and_then(|(_, after)| after.split_once('\x07'));
        let written = written.map_or("", |(_line, after)| after);
        // The folder's mark follows, or the sequence with which zsh clears an unfinished line.
        let ends = ["\x1b]7;", "\x1b[1m\x1b[7m"].into_iter().filter_map(|end| written.find(end));
        written[..ends.min().unwrap_or(written.len())].to_owned()
    }

    /// Returns the command line in the mark of the last command.
    pub(crate) fn last_command(&self) -> Option<&str> {
        self.found.iter().rev().find_map(|mark| match mark {
            Mark::CommandStart { command_line } => Some(command_line.as_deref()),
            _ => None,
        })?
    }

    /// Exits the shell, and returns the final text on the terminal.
    pub(crate) async fn exit(mut self, code: i32) -> String {
        self.type_keys(&format!("exit {code}\r")).await;
        assert!(!self.read_until(|_| false).await);
        let status = timeout(PATIENCE, self.pty.writer.wait()).await.unwrap();
        assert_eq!(status, ExitStatus { code: Some(code), signal: None, reason: None });
        self.snapshot()
    }
}

/// Returns every shell, as a login shell and as another one.
pub(crate) fn every_shell() -> [Start; 6] {
    let plain = |command: &[&str]| {
        Start::new(command)
            .file(".zshrc", "")
            .file(".config/fish/config.fish", "function fish_greeting; end")
    };
    [
        plain(&["bash"]),
        plain(&["bash", "-l"]),
        plain(&["zsh"]),
        plain(&["zsh", "-l"]),
        plain(&["fish"]),
        plain(&["fish", "-l"]),
    ]
}

/// Creates a folder with a difficult name.
pub(crate) fn folder_in(home: &Path) -> PathBuf {
    let folder = home.join("a b%20;ä'?#\u{7f}");
    std::fs::create_dir(&folder).unwrap();
    folder
}
