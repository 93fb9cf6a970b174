//! The reading half of a terminal.

use std::io;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use moorline_shared::frame::Frame;
use moorline_shared::limits::FRAME_DATA_BYTES;
use nix::errno::Errno;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::Exit;

/// A buffer that is at least this full is passed on as it is. The content of an emptier one is
/// copied, so that a small entry of the log does not hold a large allocation.
const WORTH_ITS_BUFFER: usize = FRAME_DATA_BYTES / 8 * 7;
/// The most that the system returns at a time. A buffer with less room grows to a whole frame.
const READ_BYTES: usize = 4 * 1024;
/// The buffer size of a terminal with little output.
const SMALL_BUFFER: usize = 2 * READ_BYTES;
/// Silence after which the terminal counts as drained, once the program has ended but a background
/// process still holds the terminal.
const SILENCE_AFTER_EXIT: Duration = Duration::from_millis(100);
/// Upper bound on how long such a background process is read.
const LONGEST_AFTER_EXIT: Duration = Duration::from_secs(1);

/// Reads the program's output.
#[derive(Debug)]
pub struct PtyReader {
    output: Receiver,
    exit: watch::Receiver<Exit>,
    /// Begins like a [`Frame::buffer`]. Small until there is more to read.
    buffer: BytesMut,
    /// The time at which reading stops; set once the program has ended.
    listen_until: Option<Instant>,
    finished: bool,
}

impl PtyReader {
    pub(super) fn new(output: Receiver, exit: watch::Receiver<Exit>) -> Self {
        let buffer = Frame::buffer(SMALL_BUFFER);
        Self { output, exit, buffer, listen_until: None, finished: false }
    }

    /// Waits for output and returns all that is available, up to 64 KiB, in a buffer that begins
    /// like a [`Frame::buffer`], so that sealing it copies nothing. Returns `None` once the program
    /// has ended and all of its output was returned; a background process that holds the terminal
    /// delays that by a second at most. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The system's error; then the terminal is unusable.
    pub async fn read(&mut self) -> io::Result<Option<BytesMut>> {
        while !self.finished && self.readable().await? {
            self.finished = !fill(&self.output, &mut self.buffer)?;
            if self.buffer.len() > Frame::DATA_START {
                return Ok(Some(self.take()));
            }
        }
        self.finished = true;
        Ok(None)
    }

    /// Waits until there may be something to read. Returns false if nothing more is expected.
    async fn readable(&mut self) -> io::Result<bool> {
        if self.listen_until.is_none() {
            tokio::select! {
                biased;
                ready = self.output.readable() => return ready.map(|()| true),
                _ = self.exit.wait_for(Option::is_some) => {}
            }
        }
        let now = Instant::now();
        let longest = *self.listen_until.get_or_insert(now + LONGEST_AFTER_EXIT);
        if now >= longest {
            return Ok(false);
        }
        let silent = longest.min(now + SILENCE_AFTER_EXIT);
        match timeout_at(silent, self.output.readable()).await {
            Ok(ready) => ready.map(|()| true),
            Err(_silent) => Ok(false),
        }
    }

    fn take(&mut self) -> BytesMut {
        if self.buffer.len() >= WORTH_ITS_BUFFER {
            // More large output is likely.
            return std::mem::replace(&mut self.buffer, Frame::buffer(FRAME_DATA_BYTES));
        }
        let mut exact = Frame::buffer(self.buffer.len() - Frame::DATA_START);
        exact.extend_from_slice(&self.buffer[Frame::DATA_START..]);
        if self.buffer.capacity() > Frame::DATA_START + SMALL_BUFFER {
            self.buffer = Frame::buffer(SMALL_BUFFER);
        } else {
            self.buffer.truncate(Frame::DATA_START);
        }
        exact
    }
}

/// Reads until the terminal would block or the buffer is full: the system returns at most 4 KiB at
/// a time. Returns false at the end of the output.
fn fill(output: &Receiver, buffer: &mut BytesMut) -> io::Result<bool> {
    loop {
        let room = Frame::DATA_START + FRAME_DATA_BYTES - buffer.len();
        if room == 0 {
            return Ok(true);
        }
        if buffer.capacity() - buffer.len() < room.min(READ_BYTES) {
            buffer.reserve(room);
        }
        match output.try_read_buf(&mut buffer.limit(room)) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Linux returns EIO instead of end of file once no process has the terminal open.
            Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}
