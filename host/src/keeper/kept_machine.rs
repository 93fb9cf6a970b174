//! The host's end of a connection to a keeper, without its socket.
//!
//! Call [`KeptMachine::handle`] with each frame that arrives, and send
//! [`KeptMachine::poll_frame`] while the connection takes frames and after each other call.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use moorline_shared::event::Status;
use moorline_shared::limits::SNAPSHOT_BYTES;
use moorline_shared::session::{ExitStatus, Size};

use super::frame::{DATA_BYTES, FROM_SNAPSHOT, HostFrame, KeeperFrame, RefusalCode, VERSION};
use super::queue::ByteQueue;
use super::{AttachError, FilePiece, FolderReport, INPUT_BYTES, Vitals};
use crate::signals::signal_name;

/// One event of a kept program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptEvent {
    /// Bytes of the output, of which the first has this offset. They follow the earlier ones
    /// without a gap.
    Output {
        /// The offset of the first byte.
        offset: u64,
        /// The bytes, at least one and at most 64 KiB.
        data: Bytes,
    },
    /// The program's pipe has taken the input before this offset: there is room for more.
    Written(u64),
    /// Bytes of the standard error.
    Errors(Bytes),
    /// Repaints the terminal; comes before all output. Only after
    /// [`Kept::over_snapshot`](super::Kept::over_snapshot).
    Snapshot(Bytes),
    /// The status of the program on the terminal.
    Status(Box<Status>),
    /// The answer to [`KeptControl::ping`](super::KeptControl::ping).
    Pong(Vitals),
    /// Part of a request about files.
    Files(FilePiece),
    /// The state of the folder that is in sync.
    Folder(Box<FolderReport>),
    /// The program has ended, and all of its output has arrived.
    Exited(ExitStatus),
    /// The connection has ended: either the keeper has, or it refuses this host for the given
    /// reason. Comes last.
    Lost(Option<RefusalCode>),
}

/// The state of a kept program when a host connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptStatus {
    /// The id of the program's process, and of its process group; 0 for a program on a terminal.
    /// It means nothing outside of the program's own pod.
    pub pid: u32,
    /// The offset after the input that was taken: the next write begins here.
    pub taken: u64,
    /// The offset of the first byte of output that the keeper held.
    pub start: u64,
    /// The offset after the last byte of output that the keeper held.
    pub end: u64,
    /// True if the keeper has a folder that is in sync with a workspace.
    pub syncs: bool,
}

/// The error of input that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Too much input waits for the program: nothing of this was taken. Write it again after the
    /// next [`KeptEvent::Written`].
    #[error("more than {INPUT_BYTES} bytes of input would wait")]
    Full,
    /// The offset is not the one at which the input goes on.
    #[error("the input goes on at {expected}")]
    Gap {
        /// The offset at which it goes on.
        expected: u64,
    },
    /// The connection has ended, or [`KeptControl::close_input`](super::KeptControl::close_input)
    /// was called.
    #[error("no input can be written any more")]
    Closed,
}

/// The state of the host's end. See the module.
#[derive(Debug)]
pub(super) struct KeptMachine {
    stage: KeptStage,
    /// The offset of the next output.
    next_output: u64,
    /// The offset before which the program's pipe has taken the input; 0 until it is known.
    written: u64,
    /// Input that was not sent yet.
    input: ByteQueue,
    /// The beginning of a snapshot whose rest has not arrived.
    snapshot: BytesMut,
    requests: KeptRequests,
}

#[derive(Debug, PartialEq, Eq)]
enum KeptStage {
    /// The hello is not sent yet.
    New,
    /// The hello was sent, and is not answered yet.
    Greeted,
    Welcomed,
    Closed,
}

/// Requests that were not sent yet.
#[derive(Debug, Default)]
struct KeptRequests {
    /// The output that is to be acknowledged.
    read: Option<u64>,
    kill: Option<bool>,
    forget: bool,
    resize: Option<Size>,
    ping: bool,
    /// Pieces of an answer about files. The sender's window bounds them.
    files: VecDeque<FilePiece>,
    settle: Option<u64>,
    /// True if the input is to be closed after all of it was sent.
    close_input: bool,
    /// True if nothing may be written any more.
    input_closed: bool,
}

impl KeptMachine {
    /// Creates the end of a host that has the output before `read_from`.
    pub(super) fn new(read_from: u64) -> Self {
        Self {
            stage: KeptStage::New,
            next_output: read_from,
            written: 0,
            input: ByteQueue::default(),
            snapshot: BytesMut::new(),
            requests: KeptRequests::default(),
        }
    }

    /// Takes the keeper's answer to the hello, which is its first frame.
    ///
    /// # Errors
    /// The keeper does not serve this host.
    pub(super) fn welcome(&mut self, frame: KeeperFrame) -> Result<KeptStatus, AttachError> {
        match frame {
            KeeperFrame::Welcome { version: VERSION, pid, written, start, end, syncs }
                if self.stage == KeptStage::Greeted =>
            {
                self.stage = KeptStage::Welcomed;
                if self.next_output == FROM_SNAPSHOT {
                    self.next_output = end;
                }
                self.input = ByteQueue::at(written);
                // Until it is known how much of it waits, no more is written.
                self.written = written.saturating_sub(INPUT_BYTES as u64);
                Ok(KeptStatus { pid, taken: written, start, end, syncs })
            }
            KeeperFrame::Refused { code, message } => Err(AttachError::Refused { code, message }),
            _ => Err(AttachError::Refused {
                code: RefusalCode::Protocol,
                message: "it did not answer the hello".to_owned(),
            }),
        }
    }

    /// Takes a frame that follows the answer; `None` if nothing has happened yet. After
    /// [`KeptEvent::Lost`], nothing follows.
    pub(super) fn handle(&mut self, frame: KeeperFrame) -> Option<KeptEvent> {
        Some(match frame {
            KeeperFrame::Output { offset, data } if offset == self.next_output => {
                self.next_output += data.len() as u64;
                KeptEvent::Output { offset, data }
            }
            KeeperFrame::Snapshot { is_last, data } => {
                if self.snapshot.len() + data.len() > SNAPSHOT_BYTES + DATA_BYTES {
                    return Some(self.broken());
                }
                self.snapshot.extend_from_slice(&data);
                if !is_last {
                    return None;
                }
                KeptEvent::Snapshot(std::mem::take(&mut self.snapshot).freeze())
            }
            // A later version may say what this one cannot read.
            KeeperFrame::Status { json } => KeptEvent::Status(serde_json::from_slice(&json).ok()?),
            KeeperFrame::Pong { json } => {
                KeptEvent::Pong(serde_json::from_slice(&json).unwrap_or_default())
            }
            KeeperFrame::Files { piece } => KeptEvent::Files(piece),
            KeeperFrame::Folder { json } => KeptEvent::Folder(serde_json::from_slice(&json).ok()?),
            KeeperFrame::Written { offset } => {
                self.written = offset;
                KeptEvent::Written(offset)
            }
            KeeperFrame::Errors { data } => KeptEvent::Errors(data),
            KeeperFrame::Exited { code, signal } => {
                let signal = signal.map(signal_name);
                KeptEvent::Exited(ExitStatus { code, signal, reason: None })
            }
            KeeperFrame::Refused { code, .. } => {
                self.close();
                KeptEvent::Lost(Some(code))
            }
            KeeperFrame::Output { .. } | KeeperFrame::Welcome { .. } => self.broken(),
        })
    }

    fn broken(&mut self) -> KeptEvent {
        self.close();
        KeptEvent::Lost(Some(RefusalCode::Protocol))
    }

    /// Returns the next frame to send.
    pub(super) fn poll_frame(&mut self) -> Option<HostFrame> {
        let requests = &mut self.requests;
        match self.stage {
            KeptStage::New => {
                self.stage = KeptStage::Greeted;
                let read_from = self.next_output;
                return Some(HostFrame::Hello { version: VERSION, read_from });
            }
            KeptStage::Greeted | KeptStage::Closed => return None,
            KeptStage::Welcomed => {}
        }
        if std::mem::take(&mut requests.forget) {
            return Some(HostFrame::Forget);
        }
        if let Some(force) = requests.kill.take() {
            return Some(HostFrame::Kill { force });
        }
        if std::mem::take(&mut requests.ping) {
            return Some(HostFrame::Ping);
        }
        if let Some(size) = requests.resize.take() {
            return Some(HostFrame::Resize { size });
        }
        if let Some(up_to) = requests.read.take() {
            return Some(HostFrame::Read { up_to });
        }
        if self.input.len() > 0 {
            let (offset, data) =
                (self.input.start(), self.input.copy(self.input.start(), DATA_BYTES));
            self.input.forget(offset + data.len() as u64);
            return Some(HostFrame::Write { offset, data });
        }
        if let Some(number) = requests.settle.take() {
            return Some(HostFrame::Settle { number });
        }
        if let Some(piece) = requests.files.pop_front() {
            return Some(HostFrame::Files { piece });
        }
        std::mem::take(&mut requests.close_input).then_some(HostFrame::CloseInput)
    }

    /// Appends input. Bytes that the keeper has taken already are skipped.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), NotTaken> {
        if self.stage != KeptStage::Welcomed || self.requests.input_closed {
            return Err(NotTaken::Closed);
        }
        let expected = self.input.end();
        let known = expected.checked_sub(offset).ok_or(NotTaken::Gap { expected })?;
        let fresh = data.get(usize::try_from(known).unwrap_or(usize::MAX)..).unwrap_or_default();
        if expected + fresh.len() as u64 > self.written + INPUT_BYTES as u64 {
            return Err(NotTaken::Full);
        }
        self.input.push(fresh);
        Ok(())
    }

    /// Acknowledges the output before `up_to`.
    pub(super) fn read(&mut self, up_to: u64) {
        let up_to = up_to.min(self.next_output);
        self.requests.read = self.requests.read.max(Some(up_to));
    }

    pub(super) fn close_input(&mut self) {
        if !std::mem::replace(&mut self.requests.input_closed, true) {
            self.requests.close_input = true;
        }
    }

    pub(super) fn kill(&mut self, force: bool) {
        self.requests.kill = self.requests.kill.max(Some(force));
    }

    pub(super) fn forget(&mut self) {
        self.requests.forget = true;
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.requests.resize = Some(size);
    }

    pub(super) fn ping(&mut self) {
        self.requests.ping = true;
    }

    pub(super) fn files(&mut self, piece: FilePiece) {
        if self.stage == KeptStage::Welcomed {
            self.requests.files.push_back(piece);
        }
    }

    pub(super) fn settle(&mut self, number: u64) {
        self.requests.settle = Some(number);
    }

    /// Takes note that the connection has ended.
    pub(super) fn close(&mut self) {
        self.stage = KeptStage::Closed;
        self.input.clear();
        self.requests.files.clear();
    }
}
