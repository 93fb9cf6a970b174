//! The pipe by which tmux gives a pane's output to this host.
//!
//! tmux connects the standard input of a pipe's command to one end of a pair of sockets, and writes
//! the pane's output to the other. The command is this program, which passes its end on to the host
//! ([`hand_over`]) and exits: from then on the host reads what tmux writes, without a process in
//! between. Output from before waits in the socket.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::BufMut as _;
use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::{AsyncReadExt as _, Interest};
use tokio::net::{UnixDatagram, UnixStream};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::command::{literal, quoted, shell_quoted};
use crate::folder::SocketPath;

/// Time allowed for tmux to start the program that hands the pipe over.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(5);
/// A read of at least this many bytes is part of a flood. tmux writes what it reads from a terminal,
/// which is at most 4 KiB.
const FLOOD_BYTES: usize = 4096;
/// Time between the reads of a flood. Meanwhile its next bytes gather in the socket, which has room
/// for several milliseconds of all that tmux can write.
const FLOOD_PAUSE: Duration = Duration::from_millis(1);
/// The ending of a socket's file name.
const ENDING: &str = "pipe";

/// Creates pipes.
#[derive(Debug)]
pub(super) struct PipeFactory {
    /// The private folder of the sockets at which pipes arrive.
    folder: PathBuf,
    /// The program that calls [`hand_over`], and its first arguments. Empty if there is none.
    command: Vec<OsString>,
}

impl PipeFactory {
    pub(super) const fn new(folder: PathBuf, command: Vec<OsString>) -> Self {
        Self { folder, command }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns true if there is a program that hands pipes over.
    pub(super) const fn is_usable(&self) -> bool {
        !self.command.is_empty()
    }

    /// Creates a pipe that has not arrived. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The system's error.
    pub(super) fn create(&self, name: &str) -> io::Result<PanePipe> {
        let path = self.folder.join(format!("{name}.{ENDING}"));
        let socket = UnixDatagram::bind(SocketPath::new(&path)?.path())?;
        let until = Instant::now() + ARRIVAL_LIMIT;
        Ok(PanePipe { path, socket, until, stream: None, pause_until: None })
    }

    /// Returns the two commands that make tmux write a pane's output to a pipe.
    pub(super) fn commands(&self, pane: &str, pipe: &PanePipe) -> String {
        let socket = [OsStr::new("--socket"), pipe.path.as_os_str()];
        let words = self.command.iter().map(|word| &**word).chain(socket);
        let words: Vec<String> = words.map(|word| shell_quoted(&word.to_string_lossy())).collect();
        // tmux expands formats and times in the command of a pipe.
        let shell = literal(&format!("exec {}", words.join(" "))).replace('%', "%%");
        format!(
            "set-option -p -t {pane} @moorline_pipe {} ; pipe-pane -O -t {pane} {}",
            quoted(&pipe.path.to_string_lossy()),
            quoted(&shell)
        )
    }

    /// Removes the sockets that an earlier host has left in the folder.
    pub(super) fn sweep(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            // Earlier versions had fifos.
            let is_ours = path.extension().is_some_and(|it| it == ENDING || it == "fifo");
            if is_ours && !has_reader(&path) {
                _ = std::fs::remove_file(path);
            }
        }
    }
}

/// The reading end of a pipe. tmux notices when it is dropped, with the next output.
#[derive(Debug)]
pub(super) struct PanePipe {
    /// The file of `socket`, which is removed when this is dropped.
    path: PathBuf,
    /// The socket at which the pipe arrives. It exists as long as the pipe is read: see
    /// [`has_reader`].
    socket: UnixDatagram,
    /// When the pipe must have arrived.
    until: Instant,
    /// The pipe itself, once it has arrived.
    stream: Option<UnixStream>,
    /// When the next bytes of a flood are read.
    pause_until: Option<Instant>,
}

impl PanePipe {
    /// Appends what can be read at once to `buffer`, up to its capacity. Waits for at least one byte.
    /// Returns false at the end: tmux has closed the pipe. The future may be dropped.
    ///
    /// # Errors
    /// The system's error. `TimedOut` if nobody has handed the pipe over.
    pub(super) async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(arrival(&self.socket, self.until).await?),
        };
        if let Some(until) = self.pause_until {
            sleep_until(until).await;
            self.pause_until = None;
        }
        let room = buffer.capacity() - buffer.len();
        let read = stream.read_buf(&mut (&mut *buffer).limit(room)).await?;
        if (FLOOD_BYTES..room).contains(&read) {
            self.pause_until = Some(Instant::now() + FLOOD_PAUSE);
        }
        Ok(read > 0)
    }
}

impl Drop for PanePipe {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.path);
    }
}

/// Waits until a pipe arrives.
async fn arrival(socket: &UnixDatagram, until: Instant) -> io::Result<UnixStream> {
    loop {
        let message = socket.async_io(Interest::READABLE, || receive(socket));
        let message = timeout_at(until, message).await;
        let arrived = message.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        // Any program of this user may send something else.
        if let Some(arrived) = arrived {
            let stream = std::os::unix::net::UnixStream::from(arrived);
            stream.set_nonblocking(true)?;
            return UnixStream::from_std(stream);
        }
    }
}

/// Takes a message of [`hand_over`]. `None` if it is something else.
fn receive(socket: &UnixDatagram) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    #[cfg(target_os = "linux")]
    let flags = RecvFlags::CMSG_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = RecvFlags::empty();
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
    let arrived = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    #[cfg(not(target_os = "linux"))]
    if let Some(arrived) = &arrived {
        rustix::io::fcntl_setfd(arrived, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok(arrived)
}

/// Hands a pipe over to the host that waits for it at a socket. It may be closed afterwards.
///
/// # Errors
/// The system's error, such as if the host does not wait any more.
pub fn hand_over(pipe: impl AsFd, socket: &Path) -> io::Result<()> {
    let sender = std::os::unix::net::UnixDatagram::unbound()?;
    sender.connect(SocketPath::new(socket)?.path())?;
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [pipe.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    // Without a byte, nothing is sent.
    sendmsg(&sender, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
    Ok(())
}

/// Returns true if somebody reads the pipe that arrives or has arrived at this socket.
pub(super) fn has_reader(path: &Path) -> bool {
    let connect = || {
        let probe = std::os::unix::net::UnixDatagram::unbound()?;
        probe.connect(SocketPath::new(path)?.path())
    };
    match connect() {
        Ok(()) => true,
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream as StdStream;

    use super::*;

    fn factory(folder: &Path) -> PipeFactory {
        PipeFactory::new(folder.to_owned(), vec!["/a b/moor'line".into(), "pane-pipe".into()])
    }

    #[tokio::test]
    async fn a_pipe_that_was_handed_over_is_read_to_its_end() {
        let base = tempfile::tempdir().unwrap();
        // Longer than the address of a socket.
        let folder = base.path().join("a b".repeat(60));
        std::fs::create_dir(&folder).unwrap();
        let factory = factory(&folder);
        let mut pipe = factory.create("x").unwrap();
        let path = pipe.path.clone();
        assert!(has_reader(&path), "it may arrive");
        let (mut tmux, ours) = StdStream::pair().unwrap();
        tmux.write_all(b"be").unwrap();
        // Something else has to be ignored.
        let stranger = std::os::unix::net::UnixDatagram::unbound().unwrap();
        stranger.send_to(b"hello", SocketPath::new(&path).unwrap().path()).unwrap();
        hand_over(&ours, &path).unwrap();
        drop(ours);
        let mut buffer = Vec::with_capacity(64);
        assert!(pipe.read(&mut buffer).await.unwrap());
        tmux.write_all(b"fore").unwrap();
        assert!(pipe.read(&mut buffer).await.unwrap());
        drop(tmux);
        assert!(!pipe.read(&mut buffer).await.unwrap());
        assert_eq!(buffer, b"before");
        factory.sweep();
        assert!(path.exists() && has_reader(&path));
        drop(pipe);
        assert!(!path.exists() && !has_reader(&path));
        assert!(hand_over(std::io::stdin(), &path).is_err());
    }

    #[tokio::test]
    async fn a_flood_is_read_in_large_pieces_without_losing_any() {
        let folder = tempfile::tempdir().unwrap();
        let mut pipe = factory(folder.path()).create("x").unwrap();
        let (mut tmux, ours) = StdStream::pair().unwrap();
        hand_over(&ours, &pipe.path).unwrap();
        drop(ours);
        let flood: Vec<u8> = (0..4_000_000_u32).map(|number| (number % 251) as u8).collect();
        let writer = std::thread::spawn({
            let flood = flood.clone();
            move || flood.chunks(4096).for_each(|piece| tmux.write_all(piece).unwrap())
        });
        let (mut got, mut buffer) = (Vec::new(), Vec::with_capacity(64 * 1024));
        while pipe.read(&mut buffer).await.unwrap() {
            got.append(&mut buffer);
            buffer.reserve(64 * 1024);
        }
        writer.join().unwrap();
        assert_eq!(got, flood);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pipe_that_never_arrives_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut pipe = factory(folder.path()).create("x").unwrap();
        let error = pipe.read(&mut Vec::with_capacity(64)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn the_command_survives_tmux_and_its_shell() {
        let folder = tempfile::tempdir().unwrap();
        let factory = factory(folder.path());
        let pipe = factory.create("50%#x").unwrap();
        let line = factory.commands("%1", &pipe);
        let (_, command) = line.split_once(" ; ").unwrap();
        assert!(command.starts_with("pipe-pane -O -t %1 'exec "), "{command}");
        assert!(
            command.contains("'\"'\"'/a b/moor'\"'\"'\\'\"'\"''\"'\"'line'\"'\"'"),
            "{command}"
        );
        assert!(command.contains("50%%##x.pipe"), "{command}");
    }

    #[tokio::test]
    async fn what_an_earlier_host_has_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let factory = factory(folder.path());
        let left = folder.path().join("left.pipe");
        drop(std::os::unix::net::UnixDatagram::bind(&left).unwrap());
        let fifo = folder.path().join("old.fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        factory.sweep();
        assert!(!left.exists() && !fifo.exists());
    }
}
