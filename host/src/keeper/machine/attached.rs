//! What the connected host was sent.

use bytes::Bytes;

use super::HostRefusal;
use crate::keeper::frame::{DATA_BYTES, KeeperFrame, RefusalCode, VERSION};
use crate::keeper::queue::ByteQueue;

/// What the connected host was sent.
#[derive(Debug, Default)]
pub(super) struct AttachedHost {
    pub(super) stage: HostStage,
    /// The offset after the output that was sent.
    pub(super) output: u64,
    /// The offset after the standard error that was sent.
    pub(super) errors: u64,
    /// The last offset of the input that was reported; `None` before the first report.
    pub(super) written: Option<u64>,
    /// True if output was sent more recently than standard error, which is then due.
    pub(super) output_was_last: bool,
    pub(super) is_told_exit: bool,
    /// The rest of the snapshot that precedes all output; `None` if there is none to send.
    pub(super) snapshot: Option<Bytes>,
    /// True until the snapshot that the host has asked for is there.
    pub(super) awaits_snapshot: bool,
    /// The last status is not sent yet.
    pub(super) owes_status: bool,
    /// True if output was sent more recently than data about files, which is then due.
    pub(super) files_are_due: bool,
    /// The answer to a ping.
    pub(super) pong: Option<Bytes>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum HostStage {
    /// The host has not said hello.
    #[default]
    New,
    /// The host has said hello, and is not answered yet.
    Greeted,
    Welcomed,
    /// The host is to be told the reason, and disconnected.
    Refused(RefusalCode, String),
    /// Nothing is sent and accepted any more.
    Closed,
}

impl AttachedHost {
    /// Returns the next part of the snapshot.
    pub(super) fn next_snapshot(&mut self) -> Option<KeeperFrame> {
        let mut rest = self.snapshot.take()?;
        let data = rest.split_to(rest.len().min(DATA_BYTES));
        let is_last = rest.is_empty();
        self.snapshot = (!is_last).then_some(rest);
        Some(KeeperFrame::Snapshot { is_last, data })
    }

    /// Returns the next piece of output or of data about files, in turns: output first.
    pub(super) fn next_data(
        &mut self,
        output: &ByteQueue,
        errors: &ByteQueue,
        files: impl FnOnce() -> Option<KeeperFrame>,
    ) -> Option<KeeperFrame> {
        let has_output = self.output < output.end() || self.errors < errors.end();
        let has_turn = self.files_are_due || !has_output;
        self.files_are_due = false;
        if has_turn && let Some(frame) = files() {
            return Some(frame);
        }
        self.files_are_due = has_output;
        self.next_output(output, errors)
    }

    /// Returns the next piece of the output or the standard error, in turns.
    fn next_output(&mut self, output: &ByteQueue, errors: &ByteQueue) -> Option<KeeperFrame> {
        self.errors = self.errors.max(errors.start());
        let has_output = self.output < output.end();
        let has_errors = self.errors < errors.end();
        self.output_was_last = has_output && !(has_errors && self.output_was_last);
        if self.output_was_last {
            let (offset, data) = (self.output, output.copy(self.output, DATA_BYTES));
            self.output += data.len() as u64;
            return Some(KeeperFrame::Output { offset, data });
        }
        has_errors.then(|| {
            let data = errors.copy(self.errors, DATA_BYTES);
            self.errors += data.len() as u64;
            KeeperFrame::Errors { data }
        })
    }
}

/// Accepts a host that says hello.
pub(super) fn greet(
    host: &mut AttachedHost,
    version: u16,
    read_from: u64,
    output: &ByteQueue,
) -> Result<(), HostRefusal> {
    if version != VERSION {
        let message = format!("the keeper speaks version {VERSION}, and the host {version}");
        return Err((RefusalCode::Version, message));
    }
    let (start, end) = (output.start(), output.end());
    if !(start..=end).contains(&read_from) {
        let message = format!("output from {read_from} on is not held, but from {start} to {end}");
        return Err((RefusalCode::Range, message));
    }
    *host =
        AttachedHost { stage: HostStage::Greeted, output: read_from, ..AttachedHost::default() };
    Ok(())
}
