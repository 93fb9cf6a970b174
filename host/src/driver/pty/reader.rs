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

/// A buffer at least this full is handed on as it is; less is copied out of it, so that a small
/// entry of the log does not hold a large allocation.
const WORTH_ITS_BUFFER: usize = FRAME_DATA_BYTES / 8 * 7;
/// The system gives no more than this at a time: a buffer with less room grows to a whole frame.
const READ_BYTES: usize = 4 * 1024;
/// The buffer of a terminal that has little to say.
const SMALL_BUFFER: usize = 2 * READ_BYTES;
/// How long the terminal must be silent after the program's end to be taken for drained, where
/// something in the background still holds it.
const SILENCE_AFTER_EXIT: Duration = Duration::from_millis(100);
/// The longest that such a background process is listened to.
const LONGEST_AFTER_EXIT: Duration = Duration::from_secs(1);

/// Gives what the program writes.
#[derive(Debug)]
pub struct PtyReader {
    output: Receiver,
    exit: watch::Receiver<Exit>,
    /// Begins as [`Frame::buffer`] does. Small, until there is more to read.
    buffer: BytesMut,
    /// Set once the program has ended.
    listen_until: Option<Instant>,
    finished: bool,
}

impl PtyReader {
    pub(super) fn new(output: Receiver, exit: watch::Receiver<Exit>) -> Self {
        let buffer = Frame::buffer(SMALL_BUFFER);
        Self { output, exit, buffer, listen_until: None, finished: false }
    }

    /// Waits for output and gives all that is there, up to 64 KiB, in a buffer as
    /// [`Frame::buffer`] begins one: sealing it copies nothing. `None` when the program has ended
    /// and everything that it wrote was given; a background process that holds the terminal
    /// delays that by a second at most. Dropping the future loses nothing.
    ///
    /// # Errors
    /// What the system says; the terminal is of no more use then.
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

    /// Waits until there may be something to read; false where nothing more is waited for.
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
            // More of the same is likely.
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

/// Reads until the terminal would block or the buffer is full: the system gives at most 4 KiB at
/// a time. False at the output's end.
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
            // Linux says EIO where others say end of file: nobody has the terminal open.
            Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}
