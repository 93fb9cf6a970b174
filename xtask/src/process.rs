//! Running programs: without output if they succeed, with all of it if they fail.

use std::io::{BufRead, BufReader, PipeReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::progress;

/// Interval between two progress reports of a program that takes long.
const REPORT_EVERY: Duration = Duration::from_secs(15);

/// Runs a program to its end, and returns its standard output and error, interleaved.
///
/// # Errors
/// If it can't be started or fails; the error holds its whole output.
pub(crate) fn run(label: &str, command: &mut Command) -> Result<String> {
    let described = describe(command);
    let (reader, writer) = std::io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        // Without a terminal, cargo shows no progress otherwise.
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", "80");
    let mut child = command.spawn().with_context(|| format!("can't start `{described}`"))?;
    // The command holds the pipe's other end; without this, the reader would never see its end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let output = collect(label, reader);
    let status = child.wait()?;
    if !status.success() {
        bail!("`{described}` failed ({status})\n{output}");
    }
    Ok(output)
}

/// The standard output of a short program; `None` if it can't be started or fails.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

/// The same command, which `timeout` ends after this many seconds with everything that it started.
/// Every Debian-like system has `timeout`.
pub(crate) fn limited(command: &Command, seconds: u32) -> Command {
    let mut limited = Command::new("timeout");
    limited.args(["--kill-after=10", &seconds.to_string()]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    limited
}

/// Returns true if a run failed because it reached its limit.
pub(crate) fn is_timeout(error: &anyhow::Error) -> bool {
    let error = error.to_string();
    // 137 if it had to be killed.
    error.contains("(exit status: 124)") || error.contains("(exit status: 137)")
}

fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy()));
    words.join(" ")
}

/// Reads until the program ends, and reports its progress now and then.
fn collect(label: &str, reader: PipeReader) -> String {
    let (sender, lines) = mpsc::channel();
    let reading = std::thread::spawn(move || {
        let lines = OutputLines { reader: BufReader::new(reader), returned: false };
        for line in lines {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let started = Instant::now();
    let mut report_at = started + REPORT_EVERY;
    let mut output = String::new();
    let mut place = String::new();
    loop {
        match lines.recv_timeout(report_at.saturating_duration_since(Instant::now())) {
            Ok(line) if line.trim_start().starts_with("Building [") => {
                place = progress::cargo_progress(&line).unwrap_or(place);
            }
            Ok(line) => {
                output.push_str(&line);
                output.push('\n');
            }
            Err(RecvTimeoutError::Timeout) => {
                let elapsed = progress::spoken(started.elapsed());
                let comma = if place.is_empty() { "" } else { ", " };
                progress::line(&format!("  {label}: {place}{comma}{elapsed} so far"));
                report_at += REPORT_EVERY;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // The thread only reads and its channel is closed, so it has ended.
    let _ = reading.join();
    output
}

/// OutputLines that end with a newline or, as in progress bars, with a carriage return.
struct OutputLines<R> {
    reader: R,
    returned: bool,
}

impl<R: BufRead> Iterator for OutputLines<R> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        loop {
            let buffer = self.reader.fill_buf().ok()?;
            if buffer.is_empty() {
                return (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned());
            }
            let Some(end) = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                line.extend_from_slice(buffer);
                let length = buffer.len();
                self.reader.consume(length);
                continue;
            };
            line.extend_from_slice(&buffer[..end]);
            let returned = buffer[end] == b'\r';
            self.reader.consume(end + 1);
            // The newline of `\r\n` does not end a second line, and a bare return does not make a
            // line.
            let counts = !line.is_empty() || !(returned || self.returned);
            self.returned = returned;
            if counts {
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_a_newline_or_a_return() {
        let lines = OutputLines { reader: &b"one\r\n\ntwo\rthree\r\rfour"[..], returned: false };
        let lines: Vec<String> = lines.collect();
        assert_eq!(lines, ["one", "", "two", "three", "four"]);
    }

    #[test]
    fn a_failure_holds_all_output_in_order() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let error = run("test", &mut command).unwrap_err().to_string();
        assert!(error.contains("exit status: 3"), "{error}");
        assert!(error.ends_with("\nout\nerr\n"), "{error}");
    }

    #[test]
    fn a_limited_program_is_ended_and_that_is_told_apart() {
        let mut slow = Command::new("sh");
        slow.args(["-c", "sleep 60"]);
        let error = run("test", &mut limited(&slow, 1)).unwrap_err();
        assert!(is_timeout(&error), "{error}");
        let error = run("test", &mut limited(&Command::new("false"), 60)).unwrap_err();
        assert!(!is_timeout(&error), "{error}");
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let error = run("test", &mut Command::new("moorline-no-such-program")).unwrap_err();
        assert!(error.to_string().contains("moorline-no-such-program"));
    }
}
