//! The fifo to which tmux pipes a pane's output.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use rustix::fs::{CWD, OFlags};
use rustix::io::Errno;
use tokio::net::unix::pipe;

use super::command::{literal, quoted, shell_quoted};

#[cfg(target_os = "linux")]
/// The size that the kernel's buffer should have, so that tmux's end seldom waits.
const KERNEL_BYTES: usize = 1024 * 1024;

/// The reading end of a fifo. Its file is removed when this is dropped.
#[derive(Debug)]
pub(super) struct PaneFifo {
    path: PathBuf,
    receiver: pipe::Receiver,
}

impl PaneFifo {
    /// Creates a fifo in a private folder. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The system's error.
    pub(super) fn create(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(format!("{name}.fifo"));
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let receiver = pipe::OpenOptions::new().open_receiver(&path);
        let receiver = receiver.inspect_err(|_| _ = std::fs::remove_file(&path))?;
        // The system may allow less.
        #[cfg(target_os = "linux")]
        let _ = rustix::pipe::fcntl_setpipe_size(receiver.as_fd(), KERNEL_BYTES);
        Ok(Self { path, receiver })
    }

    /// Returns the two commands that make tmux write a pane's output here.
    pub(super) fn commands(&self, pane: &str) -> String {
        let path = self.path.to_string_lossy();
        // tmux expands formats and times in the command of a pipe.
        let shell = format!("exec cat >{}", shell_quoted(&path));
        let shell = literal(&shell).replace('%', "%%");
        format!(
            "set-option -p -t {pane} @moorline_pipe {} ; pipe-pane -O -t {pane} {}",
            quoted(&path),
            quoted(&shell)
        )
    }

    /// Appends what can be read without waiting to `buffer`, up to its capacity. Waits for at least
    /// one byte. Returns false at the end: tmux has closed the pipe.
    ///
    /// # Errors
    /// The system's error.
    pub(super) async fn read(&self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            // Without this, a fifo that nobody has opened yet would look like one at its end.
            self.receiver.readable().await?;
            match self.receiver.try_read_buf(buffer) {
                Ok(0) => return Ok(false),
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        while buffer.len() < buffer.capacity() {
            match self.receiver.try_read_buf(buffer) {
                Ok(1..) => {}
                // The end comes with the next call.
                Ok(0) | Err(_) => break,
            }
        }
        Ok(true)
    }
}

impl Drop for PaneFifo {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.path);
    }
}

/// Returns true if somebody reads from this fifo.
pub(super) fn has_reader(path: &Path) -> bool {
    let opened = rustix::fs::openat(
        CWD,
        path,
        OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    );
    !matches!(opened, Err(Errno::NXIO | Errno::NOENT))
}

/// Removes the fifos that an earlier host has left in the folder.
pub(super) fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "fifo") && !has_reader(&path) {
            _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn a_fifo_ends_when_its_writer_does_and_not_before_it_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = PaneFifo::create(folder.path(), "a").unwrap();
        let path = fifo.path.clone();
        let writer = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
                file.write_all(b"output").unwrap();
            }
        });
        let mut buffer = Vec::with_capacity(64);
        assert!(fifo.read(&mut buffer).await.unwrap());
        writer.join().unwrap();
        assert!(!fifo.read(&mut buffer).await.unwrap());
        assert_eq!(buffer, b"output");
        drop(fifo);
        assert!(!path.exists() && !has_reader(&path));
    }
}
