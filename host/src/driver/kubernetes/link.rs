//! An open connection to the terminal of a pod.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, SinkExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{AttachedProcess, TerminalSize};
use moorline_shared::session::{ExitStatus, Size};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::machine::PodInput;
use crate::keeper::{FilePiece, Kept, KeptControl, KeptEvent, NotTaken};

/// The most bytes of one output of a shell without a supervisor.
const OUTPUT_BYTES: usize = 32 * 1024;
/// The most outputs and pieces of input of such a shell that wait.
const WAITING: usize = 4;

/// The reason why the terminal of a pod was not connected to.
#[derive(Debug)]
pub(super) enum LinkFailure {
    /// It may work later. In a sentence.
    Lost(String),
    /// The pod's supervisor is of another version. In its words.
    OtherVersion(String),
}

impl From<LinkFailure> for PodInput {
    fn from(failure: LinkFailure) -> Self {
        match failure {
            LinkFailure::Lost(reason) => Self::Lost(reason),
            LinkFailure::OtherVersion(words) => Self::OtherVersion(format!(
                "the pod's supervisor is of another version than this host ({words}): its program \
                 goes on and cannot be shown; delete the pod to go on in a new one"
            )),
        }
    }
}

/// An open connection to the terminal of a pod, and when it was used.
pub(super) struct OpenLink {
    pub(super) link: PodLink,
    /// The offset after the input that was written to it.
    pub(super) written: u64,
    pub(super) ping_at: Instant,
    pub(super) heard_at: Instant,
}

/// An open connection to the terminal of a pod. Dropping it closes the connection.
pub(super) struct PodLink {
    end: TerminalEnd,
    /// Ends with the exec.
    ended: BoxFuture<'static, ()>,
    /// Dropping it ends the exec.
    _process: AttachedProcess,
}

/// The other end of a connection.
enum TerminalEnd {
    /// A supervisor, which has the terminal.
    Supervised(Kept, KeptControl),
    /// A program whose terminal is the exec's own.
    Direct(DirectShell),
}

/// A program whose terminal is that of an exec.
struct DirectShell {
    events: mpsc::Receiver<KeptEvent>,
    input: mpsc::Sender<Bytes>,
    sizes: mpsc::Sender<Size>,
    /// Dropping it ends the tasks that carry streams.
    _tasks: JoinSet<()>,
}

impl PodLink {
    pub(super) fn supervised(
        kept: Kept,
        ended: BoxFuture<'static, ()>,
        process: AttachedProcess,
    ) -> Self {
        let control = kept.control();
        Self { end: TerminalEnd::Supervised(kept, control), ended, _process: process }
    }

    /// Takes over an exec with a terminal.
    ///
    /// # Errors
    /// [`LinkFailure`].
    pub(super) fn direct(mut process: AttachedProcess) -> Result<Self, LinkFailure> {
        let status = process.take_status();
        let (Some(mut stdin), Some(mut stdout), Some(mut terminal)) =
            (process.stdin(), process.stdout(), process.terminal_size())
        else {
            return Err(LinkFailure::Lost("the exec has no streams".to_owned()));
        };
        let (sender, events) = mpsc::channel(WAITING);
        let (input, mut pieces) = mpsc::channel::<Bytes>(WAITING);
        let (sizes, mut wanted) = mpsc::channel::<Size>(WAITING);
        let mut tasks = JoinSet::new();
        let told = sender.clone();
        tasks.spawn(async move {
            let mut written = 0;
            while let Some(piece) = pieces.recv().await {
                if stdin.write_all(&piece).await.is_err() || stdin.flush().await.is_err() {
                    return;
                }
                written += piece.len() as u64;
                if told.send(KeptEvent::Written(written)).await.is_err() {
                    return;
                }
            }
        });
        tasks.spawn(async move {
            while let Some(Size { cols, rows }) = wanted.recv().await {
                if terminal.send(TerminalSize { width: cols, height: rows }).await.is_err() {
                    return;
                }
            }
        });
        tasks.spawn(async move {
            let mut offset = 0;
            let mut chunk = vec![0; OUTPUT_BYTES];
            let status = async move {
                match status {
                    Some(status) => status.await,
                    None => None,
                }
            };
            let mut status = std::pin::pin!(status);
            let status = loop {
                let count = tokio::select! {
                    biased;
                    read = stdout.read(&mut chunk) => read.unwrap_or_default(),
                    // The reader of an exec that has failed never ends.
                    status = &mut status => break status,
                };
                if count == 0 {
                    break status.await;
                }
                let data = Bytes::copy_from_slice(&chunk[..count]);
                if sender.send(KeptEvent::Output { offset, data }).await.is_err() {
                    return;
                }
                offset += count as u64;
            };
            let last = status.and_then(exit_of).map_or(KeptEvent::Lost(None), KeptEvent::Exited);
            let _ = sender.send(last).await;
        });
        let shell = DirectShell { events, input, sizes, _tasks: tasks };
        let ended = std::future::pending().boxed();
        Ok(Self { end: TerminalEnd::Direct(shell), ended, _process: process })
    }

    /// Waits for the next event. If the future is dropped, no event is lost.
    pub(super) async fn next(&mut self) -> KeptEvent {
        match &mut self.end {
            TerminalEnd::Supervised(kept, _) => tokio::select! {
                biased;
                event = kept.next() => event,
                () = &mut self.ended => KeptEvent::Lost(None),
            },
            TerminalEnd::Direct(shell) => {
                shell.events.recv().await.unwrap_or(KeptEvent::Lost(None))
            }
        }
    }

    /// Returns true if the program ends with the connection.
    pub(super) fn is_direct(&self) -> bool {
        matches!(self.end, TerminalEnd::Direct(_))
    }

    /// Returns true if the program has pipes instead of a terminal.
    pub(super) fn has_pipes(&self) -> bool {
        match &self.end {
            TerminalEnd::Supervised(kept, _) => kept.status().pid != 0,
            TerminalEnd::Direct(_) => false,
        }
    }

    /// Asks the program to end.
    pub(super) fn kill(&self) {
        if let TerminalEnd::Supervised(_, control) = &self.end {
            control.kill(false);
        }
    }

    /// Returns true if the other end keeps its folder in sync with the session's workspace.
    pub(super) fn syncs(&self) -> bool {
        match &self.end {
            TerminalEnd::Supervised(kept, _) => kept.status().syncs,
            TerminalEnd::Direct(_) => false,
        }
    }

    /// Returns the offset after the input that the terminal has taken, and the one after the output
    /// that there was, when the connection was made.
    pub(super) fn offsets(&self) -> (u64, u64) {
        match &self.end {
            TerminalEnd::Supervised(kept, _) => (kept.status().taken, kept.status().end),
            TerminalEnd::Direct(_) => (0, 0),
        }
    }

    /// Writes input of which the first byte has this offset, or none of it.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub(super) fn write(&self, offset: u64, data: Vec<u8>) -> Result<(), NotTaken> {
        match &self.end {
            TerminalEnd::Supervised(_, control) => control.write(offset, &data),
            TerminalEnd::Direct(shell) => {
                shell.input.try_send(data.into()).map_err(|_| NotTaken::Full)
            }
        }
    }

    /// Acknowledges the output before this offset.
    pub(super) fn read(&self, up_to: u64) {
        if let TerminalEnd::Supervised(_, control) = &self.end {
            control.read(up_to);
        }
    }

    pub(super) fn resize(&self, size: Size) {
        match &self.end {
            TerminalEnd::Supervised(_, control) => control.resize(size),
            TerminalEnd::Direct(shell) => {
                // The next size replaces one for which there is no room.
                let _ = shell.sizes.try_send(size);
            }
        }
    }

    /// Asks for a sign of life. Returns false if the other end gives none.
    pub(super) fn ping(&self) -> bool {
        match &self.end {
            TerminalEnd::Supervised(_, control) => {
                control.ping();
                true
            }
            TerminalEnd::Direct(_) => false,
        }
    }

    /// Sends part of an answer about files.
    pub(super) fn files(&self, piece: FilePiece) {
        if let TerminalEnd::Supervised(_, control) = &self.end {
            control.files(piece);
        }
    }

    /// Asks to make the folder and the workspace equal.
    pub(super) fn settle(&self, number: u64) {
        if let TerminalEnd::Supervised(_, control) = &self.end {
            control.settle(number);
        }
    }

    /// Ends the supervisor, whose program has ended.
    pub(super) fn forget(&self) {
        if let TerminalEnd::Supervised(_, control) = &self.end {
            control.forget();
        }
    }
}

/// Returns how the program of an exec has ended; `None` if the exec itself has failed.
fn exit_of(status: Status) -> Option<ExitStatus> {
    let code = match status.status.as_deref() {
        Some("Success") => 0,
        _ => {
            let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
            let cause =
                causes.into_iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
            cause?.message?.parse().ok()?
        }
    };
    Some(ExitStatus { code: Some(code), ..ExitStatus::default() })
}

impl std::fmt::Debug for PodLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PodLink").field("is_direct", &self.is_direct()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_end_of_an_exec_is_told_apart_from_its_loss() {
        let exit = |status| exit_of(serde_json::from_value(status).unwrap()).map(|it| it.code);
        assert_eq!(exit(json!({ "status": "Success" })), Some(Some(0)));
        let failed = json!({ "status": "Failure", "reason": "NonZeroExitCode",
            "details": { "causes": [{ "reason": "ExitCode", "message": "7" }] } });
        assert_eq!(exit(failed), Some(Some(7)));
        assert_eq!(exit(json!({ "status": "Failure", "reason": "InternalError" })), None);
    }
}
