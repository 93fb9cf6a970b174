//! `GET /api/terminal/:id/output`: a terminal's output, by polling.

use moorline_shared::id::{Cursor, Epoch, Seq};
use moorline_shared::log::Entry;
use moorline_shared::rest::{OutputPiece, TerminalOutput};
use serde::Deserialize;

use super::{Reply, Request};
#[cfg(feature = "openapi")]
use crate::api::responses::{Guarded, OfSession};
use crate::api::{ApiError, number};
use crate::reader::{Read, Reader, Start};
use crate::session::Session;
#[cfg(feature = "openapi")]
use moorline_shared::id::SessionId;

/// The approximate limit of output in one answer, in bytes.
const ANSWER_BYTES: usize = 1024 * 1024;

/// The query parameters of the route.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(default)]
pub(crate) struct OutputQuery {
    /// The `next` of the answer before. 0, or text that is not a number, reads everything that is
    /// retained.
    #[cfg_attr(feature = "openapi", param(value_type = Option<u64>, default = 0))]
    since: Option<String>,
}

/// Reads output for one answer: call [`OutputRead::poll`] until there is an answer.
#[derive(Debug)]
pub struct OutputRead {
    reader: Reader,
    output: TerminalOutput,
    bytes: usize,
}

/// The result of one step.
#[derive(Debug)]
pub enum OutputPoll {
    /// Pass stored entries after `after` to [`OutputRead::loaded`].
    Load {
        /// The log's epoch.
        epoch: Epoch,
        /// The entry before the first one needed.
        after: Seq,
    },
    /// The answer is complete.
    Done(Reply),
}

/// Read a terminal's output
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/terminal/{id}/output", tag = "Terminals", operation_id = "terminalOutput",
    params(("id" = SessionId, Path, description = "The terminal."), OutputQuery),
    responses(Guarded, OfSession,
        (status = 200, description = "The output after `since`.", body = TerminalOutput)),
))]
pub(crate) fn open(session: &Session, request: &Request) -> Result<OutputRead, ApiError> {
    let OutputQuery { since } = request.query()?;
    let since = Seq(number(since.as_deref()));
    let log = session.log();
    // The client is ahead of a log that has lost entries.
    let next = since.min(log.head());
    let start = match next {
        Seq::ZERO => Start::Oldest,
        seq => Start::After(Cursor { epoch: log.epoch(), seq }),
    };
    let output = TerminalOutput {
        success: true,
        terminal_id: session.id().clone(),
        output: Vec::new(),
        since,
        next,
        epoch: log.epoch(),
        lifecycle: session.lifecycle(),
    };
    Ok(OutputRead { reader: Reader::open(session, start), output, bytes: 0 })
}

impl OutputRead {
    /// Reads on until the answer is complete, or stored entries are needed.
    #[must_use]
    pub fn poll(&mut self, session: &Session) -> OutputPoll {
        while self.bytes < ANSWER_BYTES {
            let read = self.reader.read(session);
            let is_over = match read {
                Read::Entry(entry) => {
                    self.take(session, &entry);
                    false
                }
                Read::Gap(_) => false,
                Read::Load { epoch, after } => return OutputPoll::Load { epoch, after },
                Read::Nothing | Read::Over | Read::Deleted => true,
            };
            self.output.next = self.reader.cursor().seq;
            if is_over {
                break;
            }
        }
        OutputPoll::Done(Reply::ok(&self.output))
    }

    /// Takes stored entries, in order, in answer to [`OutputPoll::Load`].
    pub fn loaded(&mut self, session: &Session, entries: Vec<Entry>) {
        self.reader.loaded(session, entries);
        self.output.next = self.reader.cursor().seq;
    }

    fn take(&mut self, session: &Session, entry: &Entry) {
        let Entry::Output(frame) = entry else { return };
        let content = self.reader.decoder().decode(frame.data());
        if !content.is_empty() {
            let (index, timestamp) = (entry.seq(), session.time_ms(entry));
            let kind = "stdout".to_owned();
            self.output.output.push(OutputPiece { index, kind, timestamp, content });
        }
        self.bytes += frame.data_len();
    }
}
