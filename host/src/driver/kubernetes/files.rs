//! The files of a pod whose folder is in sync: its requests are passed on to the relay.

use std::sync::Arc;

use bytes::Bytes;
use moorline_shared::failure::HostFailure;
use moorline_shared::workspace::wire::WorkspaceRequest;
use tokio::task::JoinSet;

use crate::keeper::file_exchange::{BadPiece, FileExchange};
use crate::keeper::{FilePiece, FolderReport};
use crate::workspace::{NOT_SYNCED, RemoteFailure, SyncNotices, WorkspaceRemote, encode_reply};

/// The host's end of the sync of a pod's folder. Does nothing for a session without a workspace.
pub(super) struct PodFiles {
    remote: Option<Arc<dyn WorkspaceRemote>>,
    exchange: FileExchange,
    /// The request that is being answered, with its number.
    asked: JoinSet<(u64, Bytes)>,
    /// True while the connected supervisor syncs.
    is_linked: bool,
    /// The number of the last settle that was asked for; 0 if there is none to wait for.
    settle: u64,
    notices: SyncNotices,
}

/// The reason why not everything is in sync after a settle; `None` if everything is.
type Settled = Option<HostFailure>;

impl PodFiles {
    pub(super) fn new(remote: Option<Arc<dyn WorkspaceRemote>>) -> Self {
        Self {
            remote,
            exchange: FileExchange::answering(),
            asked: JoinSet::new(),
            is_linked: false,
            settle: 0,
            notices: SyncNotices::default(),
        }
    }

    /// Takes note of a new connection to a supervisor that syncs, or does not. Returns why the folder
    /// is not in sync, if it is not and should be.
    pub(super) fn connected(&mut self, syncs: bool, is_direct: bool) -> Option<HostFailure> {
        self.remote.as_ref()?;
        self.is_linked = syncs;
        if syncs {
            self.exchange.connected();
            return None;
        }
        let why = match is_direct {
            true => "The pod has no supervisor (the template's `supervisor` is `none`)",
            false => "The pod's supervisor is of an earlier version than this host",
        };
        let next = match is_direct {
            true => "set it to `exec` or `init`, and start the session again",
            false => "the next pod of the session has the newer one",
        };
        let message = format!("{why}, so its files are not in sync with the workspace: {next}.");
        self.notices.problem(Some(HostFailure::new(NOT_SYNCED, message)))
    }

    pub(super) fn disconnected(&mut self) {
        self.is_linked = false;
    }

    /// Forgets the pod: the next one begins anew.
    pub(super) fn reset(&mut self) {
        self.asked.abort_all();
        self.exchange = FileExchange::answering();
        (self.is_linked, self.settle) = (false, 0);
    }

    /// Takes a piece of a request.
    ///
    /// # Errors
    /// [`BadPiece`]; then the connection is of no use any more.
    pub(super) fn receive(&mut self, piece: &FilePiece) -> Result<(), BadPiece> {
        let Some(remote) = &self.remote else { return Ok(()) };
        let before = self.exchange.number();
        let request = self.exchange.receive(piece)?;
        if self.exchange.number() != before {
            // Nobody waits for that answer any more.
            self.asked.abort_all();
        }
        if let Some(request) = request {
            let (number, remote) = (self.exchange.number(), Arc::clone(remote));
            self.asked.spawn(async move {
                let reply = match WorkspaceRequest::decode(request) {
                    Ok(request) => remote.ask(request).await,
                    Err(error) => Err(RemoteFailure::Away(error.to_string())),
                };
                (number, encode_reply(&reply))
            });
        }
        Ok(())
    }

    /// Waits until a request is answered; for ever if there is none. The future may be dropped.
    pub(super) async fn answered(&mut self) -> (u64, Bytes) {
        while let Some(answered) = self.asked.join_next().await {
            // A request that was given up is aborted.
            if let Ok(answered) = answered {
                return answered;
            }
        }
        std::future::pending().await
    }

    /// Takes an answer.
    pub(super) fn answer(&mut self, (number, reply): (u64, Bytes)) {
        self.exchange.answer(number, reply);
    }

    /// Returns the next piece to send to the connected supervisor.
    pub(super) fn poll_piece(&mut self) -> Option<FilePiece> {
        if self.is_linked { self.exchange.poll_piece() } else { None }
    }

    /// Begins a settle, or repeats one that was not done when the connection was lost. Returns its
    /// number, or `None` if the supervisor does not sync.
    pub(super) fn settle(&mut self) -> Option<u64> {
        if self.settle == 0 {
            // Larger than those of an earlier host.
            self.settle = crate::clock::wall_ms();
        }
        self.is_linked.then_some(self.settle)
    }

    /// Takes what the supervisor tells of the folder. Returns what has become of the settle, if it is
    /// done, and a problem to tell, if it is new.
    pub(super) fn report(
        &mut self,
        report: FolderReport,
    ) -> (Option<Settled>, Option<HostFailure>) {
        let FolderReport { settled, problem } = report;
        let is_done = self.settle != 0 && settled >= self.settle;
        let settled = is_done.then(|| {
            self.settle = 0;
            problem.clone()
        });
        (settled, self.notices.problem(problem))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;
    use moorline_shared::workspace::wire::WorkspaceAnswer;

    use super::*;

    /// A relay that does not answer.
    struct Silent;

    impl WorkspaceRemote for Silent {
        fn ask(
            &self,
            _: WorkspaceRequest,
        ) -> BoxFuture<'_, Result<WorkspaceAnswer, RemoteFailure>> {
            Box::pin(std::future::pending())
        }
    }

    fn files() -> PodFiles {
        PodFiles::new(Some(Arc::new(Silent)))
    }

    #[test]
    fn a_pod_that_does_not_sync_is_told_once() {
        let mut files = files();
        let told = files.connected(false, true).unwrap();
        assert_eq!(told.code, NOT_SYNCED);
        assert_eq!(files.connected(false, true), None);
        assert_eq!(files.settle(), None);
        assert_eq!(PodFiles::new(None).connected(false, true), None);
    }

    #[test]
    fn a_settle_is_repeated_until_it_is_done() {
        let mut files = files();
        assert_eq!(files.connected(true, false), None);
        let number = files.settle().unwrap();
        files.disconnected();
        assert_eq!(files.settle(), None);
        files.connected(true, false);
        assert_eq!(files.settle(), Some(number));
        let report = |settled, code: Option<&str>| FolderReport {
            settled,
            problem: code.map(|code| HostFailure::new(code, "why")),
        };
        assert_eq!(files.report(report(0, None)), (None, None));
        let full = HostFailure::new("workspace_full", "why");
        assert_eq!(
            files.report(report(number, Some("workspace_full"))),
            (Some(Some(full.clone())), Some(full))
        );
        assert_eq!(files.report(report(number, Some("workspace_full"))), (None, None));
        assert_eq!(files.report(report(number, Some("relay_away"))), (None, None));
    }
}
