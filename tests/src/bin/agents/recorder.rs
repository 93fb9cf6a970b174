//! Records what a host and an agent say to each other.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::scrub::Scrubber;

/// A recording of one agent, as it is made.
#[derive(Debug)]
pub(crate) struct Recording {
    /// The lines as they are, with one file for each process of the agent.
    raw: TempDir,
    /// The file to write in the end.
    file: PathBuf,
}

impl Recording {
    /// Prepares a recording of an agent into a folder.
    pub(crate) fn new(folder: &Path, agent: &str) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let raw = TempDir::with_prefix("moorline-recording-")?;
        Ok(Self { raw, file: folder.join(format!("{agent}.txt")) })
    }

    /// Writes a program to `wrapper` that runs `program` and records it.
    pub(crate) fn wrap(&self, program: &Path, wrapper: &Path) -> Result<()> {
        let this = std::env::current_exe()?;
        let folder = self.raw.path().display();
        let (this, program) = (this.display(), program.display());
        let script = format!("#!/bin/sh\nexec '{this}' between '{folder}' '{program}' \"$@\"\n");
        std::fs::create_dir_all(wrapper.parent().context("a program is in a folder")?)?;
        std::fs::write(wrapper, script)?;
        std::fs::set_permissions(wrapper, std::fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// Writes the recording of a session, without what differs between two of them.
    pub(crate) fn finish(&self, mut scrubber: Scrubber) -> Result<()> {
        let raw =
            |number: u32| std::fs::read_to_string(self.raw.path().join(number.to_string())).ok();
        let processes: Vec<_> = (1..).map_while(raw).collect();
        // One that was told nothing was only asked for its version.
        let told = processes.iter().filter(|raw| raw.starts_with("> "));
        let text: Vec<String> = told.map(|raw| scrubber.lines(raw)).collect();
        let text = text.join("= killed\n");
        Ok(std::fs::write(&self.file, text)?)
    }
}

/// Runs a program, passes on its streams, and records their lines in a new file of a folder.
///
/// # Errors
/// If it cannot be started or recorded.
pub(crate) fn run(folder: &Path, command: &[OsString]) -> Result<()> {
    let (program, arguments) = command.split_first().context("no program is given")?;
    let create = |number: u32| File::create_new(folder.join(number.to_string())).ok();
    let log = Arc::new(Mutex::new((1..100).find_map(create).context("no file can be written")?));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let (input, output) = (input.context("no input")?, output.context("no output")?);
    let said = Arc::clone(&log);
    // It ends with this process, which may be in the middle of a read then.
    std::thread::spawn(move || pass(std::io::stdin(), input, '>', &said));
    pass(output, std::io::stdout(), '<', &log);
    let status = child.wait()?;
    std::process::exit(status.code().unwrap_or(1));
}

/// Passes on lines. A stream that is broken is one that has ended.
fn pass(from: impl Read, mut to: impl Write, mark: char, log: &Mutex<File>) {
    let mut lines = BufReader::new(from);
    let mut line = Vec::new();
    while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        // A line is recorded before the other side can answer it.
        _ = write!(log, "{mark} ").and_then(|()| log.write_all(&line));
        drop(log);
        if to.write_all(&line).and_then(|()| to.flush()).is_err() {
            return;
        }
        line.clear();
    }
}
