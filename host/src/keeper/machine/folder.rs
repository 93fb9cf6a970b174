//! The folder of a keeper that is in sync with a workspace.

use bytes::Bytes;

use crate::keeper::FilePiece;
use crate::keeper::file_exchange::{BadPiece, FileExchange};
use crate::keeper::frame::KeeperFrame;

/// What a keeper and its host say to each other about a folder. A host that does not know of folders
/// says nothing about files, and is told nothing.
#[derive(Debug)]
pub(super) struct KeptFolder {
    exchange: FileExchange,
    /// The answer to the last request, until it is taken.
    answer: Option<Bytes>,
    /// The last state; `None` before the first.
    report: Option<Bytes>,
    /// True once the connected host has said something about files.
    is_known: bool,
    /// True if the last state is not sent yet.
    owes_report: bool,
}

impl Default for KeptFolder {
    fn default() -> Self {
        Self {
            exchange: FileExchange::asking(),
            answer: None,
            report: None,
            is_known: false,
            owes_report: false,
        }
    }
}

impl KeptFolder {
    pub(super) fn connected(&mut self) {
        self.exchange.connected();
        self.is_known = false;
        self.owes_report = self.report.is_some();
    }

    pub(super) fn ask(&mut self, request: Bytes) {
        self.exchange.ask(request);
        self.answer = None;
    }

    pub(super) fn report(&mut self, json: Bytes) {
        self.report = Some(json);
        self.owes_report = true;
    }

    pub(super) fn receive(&mut self, piece: &FilePiece) -> Result<(), BadPiece> {
        self.is_known = true;
        if let Some(answer) = self.exchange.receive(piece)? {
            self.answer = Some(answer);
        }
        Ok(())
    }

    pub(super) fn poll_answer(&mut self) -> Option<Bytes> {
        self.answer.take()
    }

    /// Returns the state, if it is to be sent.
    pub(super) fn next_report(&mut self) -> Option<KeeperFrame> {
        let json = self.report.clone().filter(|_| self.is_known && self.owes_report)?;
        self.owes_report = false;
        Some(KeeperFrame::Folder { json })
    }

    /// Returns the next piece of a request, if there is one to send.
    pub(super) fn next_piece(&mut self) -> Option<KeeperFrame> {
        self.exchange.poll_piece().map(|piece| KeeperFrame::Files { piece })
    }
}
