//! The log of a relay or a host: lines on stderr, which never block the program that writes them.
//!
//! A thread writes the lines. LineWriter that it cannot write are counted, and the count is written once
//! writing works again. While the reader of stderr is slow, lines wait in memory up to a bound;
//! further ones are dropped and counted too. A host without a terminal logs to a file, which is
//! rotated when it is full.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::mem;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::panic::PanicHookInfo;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use moorline_host::daemon::{LOG_BYTES, StateDir};
use rustix::stdio::{dup2_stderr, dup2_stdout};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Limit of the bytes of lines that wait to be written.
const WAITING_BYTES: usize = 1024 * 1024;
/// Limit of the bytes kept of one line.
const LINE_BYTES: usize = 16 * 1024;
/// Time allowed for the remaining lines to be written when the program ends.
const END_LIMIT: Duration = Duration::from_secs(1);

/// The running log. Dropping it waits for the queued lines to be written, for a second at most.
#[derive(Debug)]
#[must_use]
pub struct RunningLog(Arc<LineQueue>);

#[derive(Debug, Default)]
struct LineQueue {
    waiting: Mutex<WaitingLines>,
    /// Notified when a line is queued.
    arrived: Condvar,
    /// Notified when all lines are written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct WaitingLines {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The number of lines that were dropped because the queue was full.
    lost: u64,
    /// True while the thread writes.
    busy: bool,
}

/// Sends this process's log to stderr. `filter` is a level, or levels by module. `file` is the folder
/// of a host whose stderr is its `host.log`: that file is rotated when it is full.
///
/// # Errors
/// The filter cannot be parsed, a log was started already, or the system cannot start a thread.
pub fn start(filter: &str, file: Option<StateDir>) -> anyhow::Result<RunningLog> {
    let filter = EnvFilter::try_new(filter).context("--log is not a valid filter")?;
    let queue = Arc::new(LineQueue::default());
    let sink = Sink { file, lost: 0 };
    let of_thread = Arc::clone(&queue);
    std::thread::Builder::new().name("log".into()).spawn(move || of_thread.write_to(sink))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(LineWriter(Arc::clone(&queue)))
        .with_ansi(io::stderr().is_terminal())
        // Internal errors would be written by `eprintln!`, which panics if stderr cannot be written
        // to.
        .log_internal_errors(false)
        .try_init()
        .map_err(|error| anyhow::anyhow!(error).context("cannot start the log"))?;
    std::panic::set_hook(Box::new(panicked));
    Ok(RunningLog(queue))
}

fn panicked(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => tracing::error!(thread, "{info}\n{trace}"),
        _ => tracing::error!(thread, "{info}"),
    }
}

impl LineQueue {
    fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.bytes + line.len() > WAITING_BYTES {
            waiting.lost += 1;
            return;
        }
        let kept = &line[..line.len().min(LINE_BYTES)];
        let mut kept = kept.to_vec();
        if kept.len() < line.len() {
            kept.extend_from_slice("…\n".as_bytes());
        }
        waiting.bytes += kept.len();
        waiting.lines.push_back(kept);
        self.arrived.notify_one();
    }

    /// Writes lines until the process ends.
    fn write_to(&self, mut sink: Sink) {
        loop {
            let mut waiting = self.lock();
            waiting.busy = false;
            if waiting.lines.is_empty() {
                self.written.notify_all();
            }
            let idle = |waiting: &mut WaitingLines| waiting.lines.is_empty();
            let arrived = self.arrived.wait_while(waiting, idle);
            let mut waiting = arrived.unwrap_or_else(PoisonError::into_inner);
            waiting.busy = true;
            waiting.bytes = 0;
            let lines = mem::take(&mut waiting.lines);
            sink.lost += mem::take(&mut waiting.lost);
            drop(waiting);
            for line in lines {
                sink.write(&line);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, WaitingLines> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningLog {
    fn drop(&mut self) {
        let waiting = self.0.lock();
        let is_writing = |waiting: &mut WaitingLines| waiting.busy || !waiting.lines.is_empty();
        drop(self.0.written.wait_timeout_while(waiting, END_LIMIT, is_writing));
    }
}

/// The destination of lines.
struct Sink {
    /// The folder of a host whose stderr may be its `host.log`.
    file: Option<StateDir>,
    lost: u64,
}

impl Sink {
    fn write(&mut self, line: &[u8]) {
        if self.make_room().and_then(|()| self.try_write(line)).is_err() {
            self.lost += 1;
        }
    }

    fn try_write(&mut self, line: &[u8]) -> io::Result<()> {
        let mut out = io::stderr().lock();
        if self.lost > 0 {
            writeln!(out, "({} lines of the log could not be written)", self.lost)?;
            self.lost = 0;
        }
        out.write_all(line)
    }

    /// Rotates a log that is full. If that fails, the line is not written.
    fn make_room(&self) -> io::Result<()> {
        let Some(state) = &self.file else { return Ok(()) };
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?).metadata()?;
        if !stderr.is_file() || stderr.len() < LOG_BYTES {
            return Ok(());
        }
        let log = state.rotate_log()?;
        let found = log.metadata()?;
        if (found.dev(), found.ino()) != (stderr.dev(), stderr.ino()) {
            // Other output of the process, such as the message of a failed allocation, goes there
            // too.
            dup2_stdout(&log)?;
            dup2_stderr(&log)?;
        }
        Ok(())
    }
}

/// A writer that passes each line to the queue.
#[derive(Clone)]
struct LineWriter(Arc<LineQueue>);

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_writes_is_counted_and_bounded() {
        let queue = LineQueue::default();
        queue.push(&vec![b'x'; 2 * LINE_BYTES]);
        assert!(queue.lock().bytes <= LINE_BYTES + 4);
        for _ in 0..2 * WAITING_BYTES / LINE_BYTES {
            queue.push(&vec![b'x'; LINE_BYTES]);
        }
        let waiting = queue.lock();
        assert!(waiting.bytes <= WAITING_BYTES && waiting.lost > 0, "{}", waiting.lost);
    }
}
