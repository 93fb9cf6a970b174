//! The REST API of one session.

use std::rc::Rc;

use bytes::Bytes;
use futures_channel::oneshot;
use http::StatusCode;
use moorline_core::api::{ApiError, number};
use moorline_core::named;
use moorline_core::reader::{Read, Reader, Start};
use moorline_core::session::Session;
use moorline_shared::event::{Event, kind};
use moorline_shared::id::{Cursor, Seq, SessionId};
use moorline_shared::limits::PROMPT_BYTES;
use moorline_shared::log::Entry;
use moorline_shared::publish::{WriteAnswer, WriteRefused};
use moorline_shared::rest::{
    Done, EventsStatus, OutputPiece, Prompt, Prompted, SessionContext, TerminalInput,
    TerminalOutput,
};
use serde::Serialize;
use worker::{Request, console_warn};

use super::loaded::Loaded;
use super::object::{Fault, Object, now, wall_ms};
use crate::address::asked;
use crate::asking;
use crate::internal::{FILES, Files, FilesWanted};
use crate::reply::{self, Answer, body};
use crate::sql::SqlError;

/// What is shown of a prompt in the event that tells of it.
const SHOWN_CHARS: usize = 100;
/// About as much output as one answer has.
const ANSWER_BYTES: usize = 1024 * 1024;

type Asked = oneshot::Receiver<Result<(), WriteRefused>>;

/// What the session is and does.
pub(super) fn status(object: &Rc<Object>) -> Answer {
    json(&object.peek(|loaded| loaded.status())?)
}

/// How many follow the session.
pub(super) fn events_status(object: &Rc<Object>) -> Answer {
    let (session_id, active_connections) =
        object.peek(|loaded| (loaded.session.id().clone(), loaded.session.streams()))?;
    json(&EventsStatus { session_id, active_connections, timestamp: wall_ms() })
}

/// Types a command.
pub(super) async fn prompt(object: &Rc<Object>, id: &SessionId, request: &mut Request) -> Answer {
    let wanted = body::<Prompt>(request).await;
    // That there is no such session counts more than what is wrong with the request.
    object.peek(|_| {})?;
    let wanted = wanted?;
    let command = wanted.command.filter(|command| !command.is_empty());
    let command = command.ok_or_else(ApiError::command_required)?;
    if command.len() > PROMPT_BYTES {
        return Err(ApiError::too_much_typed().into());
    }
    let (data, event) = typed(id, &command);
    write(object, data, Some(event)).await?.map_err(|why| ApiError::not_written(why, id))?;
    let files = wanted.context.unwrap_or_default();
    if let Err(error) = object.with(|loaded| loaded.name_files(files))? {
        console_warn!("the files of a prompt are not noted: {error}");
    }
    let (message, session_id) = ("Command sent".to_owned(), id.clone());
    json(&Prompted { success: true, session_id, message, timestamp: wall_ms() })
}

/// Types into a terminal.
pub(super) async fn input(object: &Rc<Object>, id: &SessionId, request: &mut Request) -> Answer {
    let wanted = body::<TerminalInput>(request).await;
    object.peek(|_| {})?;
    let data = wanted?.data.filter(|data| !data.is_empty()).ok_or_else(ApiError::input_required)?;
    if data.len() > PROMPT_BYTES {
        return Err(ApiError::too_much_typed().into());
    }
    let written = write(object, data.into(), None).await?;
    written.map_err(|why| ApiError::not_written(why, id))?;
    json(&Done { success: true })
}

/// The files that the session works with, as its host tells.
pub(super) async fn context(object: &Rc<Object>, id: &SessionId) -> Answer {
    let files = match object.peek(|loaded| loaded.files_wanted())? {
        Some(wanted) => asking::ask(&asking::directory(&object.env)?, FILES, &wanted).await?,
        None => Files::default(),
    };
    let (session_id, context) = (id.clone(), files.files);
    json(&SessionContext { session_id, context, timestamp: wall_ms() })
}

/// The output after `since`.
pub(super) fn output(object: &Rc<Object>, id: &SessionId, request: &Request) -> Answer {
    let since = Seq(number(asked(&request.inner().url(), &["since"]).as_deref()));
    object.peek(|loaded| {
        let log = loaded.session.log();
        // Ahead of a log that was lost in part.
        let next = since.min(log.head());
        let mut output = TerminalOutput {
            success: true,
            terminal_id: id.clone(),
            output: Vec::new(),
            since,
            next,
            epoch: log.epoch(),
            lifecycle: loaded.session.lifecycle(),
        };
        loaded.read(&mut output)?;
        json(&output)
    })?
}

/// Has the host type something, and returns its answer.
async fn write(
    object: &Rc<Object>,
    data: Bytes,
    event: Option<Event>,
) -> Result<Result<(), WriteRefused>, Fault> {
    let asked = object.with(|loaded| {
        loaded.check_host(&object.state);
        loaded.ask_to_write(data, event)
    })?;
    match asked {
        // Who would answer is gone with what was in memory, and so it is with the host.
        Ok(asked) => Ok(asked.await.unwrap_or(Err(WriteRefused::HostAway))),
        Err(refused) => Ok(Err(refused)),
    }
}

/// A prompt as it is typed, and the event that tells of it.
fn typed(id: &SessionId, command: &str) -> (Bytes, Event) {
    #[derive(Serialize)]
    struct Sent {
        command: String,
    }
    let mut shown: String = command.chars().take(SHOWN_CHARS).collect();
    if shown.len() < command.len() {
        shown.push_str("...");
    }
    let event = Event::new(id.clone(), kind::COMMAND_SENT, wall_ms(), Sent { command: shown });
    let typed = command.replace("\r\n", "\r").replace('\n', "\r");
    let enter = if typed.ends_with('\r') { "" } else { "\r" };
    (Bytes::from(typed + enter), event)
}

impl Loaded {
    fn ask_to_write(&mut self, data: Bytes, event: Option<Event>) -> Result<Asked, WriteRefused> {
        let request = self.session.write(data, event, WriteAnswer::Queued)?;
        self.active(now());
        let (asker, asked) = oneshot::channel();
        self.writing.push((request, asker));
        Ok(asked)
    }

    fn name_files(&self, files: Vec<String>) -> Result<(), SqlError> {
        if files.is_empty() {
            return Ok(());
        }
        let mut kept = self.named_files()?;
        named::add(&mut kept, files);
        self.database.put_note(named::NOTE, &kept)
    }

    fn named_files(&self) -> Result<Vec<String>, SqlError> {
        Ok(self.database.note(named::NOTE)?.unwrap_or_default())
    }

    fn files_wanted(&self) -> Option<FilesWanted> {
        let named = named::newest_first(self.named_files().unwrap_or_default());
        let summary = self.summary();
        let (project, folder) = (summary.project, summary.cwd);
        Some(FilesWanted { host: self.record.host.clone()?, project, folder, named })
    }

    fn read(&mut self, output: &mut TerminalOutput) -> Result<(), SqlError> {
        let start = match output.next {
            Seq::ZERO => Start::Oldest,
            seq => Start::After(Cursor { epoch: output.epoch, seq }),
        };
        let mut reader = Reader::open(&self.session, start);
        let mut bytes = 0;
        while bytes < ANSWER_BYTES {
            match reader.read(&self.session) {
                Read::Entry(entry) => bytes += take(&self.session, &entry, &reader, output),
                Read::Gap(_) => {}
                Read::Load { after, .. } => {
                    let entries = self.stored_entries(after)?;
                    reader.loaded(&self.session, entries);
                }
                Read::Nothing | Read::Over | Read::Deleted => {
                    output.next = reader.cursor().seq;
                    return Ok(());
                }
            }
            output.next = reader.cursor().seq;
        }
        Ok(())
    }

    /// The stored entries after `after`, or after the first gap behind it: those of one row.
    pub(super) fn stored_entries(&mut self, after: Seq) -> Result<Vec<Entry>, SqlError> {
        let Some(stored) = self.session.stored_rows() else { return Ok(Vec::new()) };
        let oldest = stored.oldest().map_or(after, |oldest| Seq(oldest.0.saturating_sub(1)));
        let Some(row) = stored.row_after(after.max(oldest)) else { return Ok(Vec::new()) };
        let mut entries = self.database.segment(self.session.id(), row.first)?;
        entries.retain(|entry| entry.seq() > after);
        Ok(entries)
    }
}

/// Adds an entry's output; says how many bytes it had.
fn take(session: &Session, entry: &Entry, reader: &Reader, output: &mut TerminalOutput) -> usize {
    let Entry::Output(frame) = entry else { return 0 };
    let content = reader.decoder().decode(frame.data());
    if !content.is_empty() {
        let (index, timestamp) = (entry.seq(), session.time_ms(entry));
        output.output.push(OutputPiece { index, kind: "stdout".to_owned(), timestamp, content });
    }
    frame.data_len()
}

fn json(body: &impl Serialize) -> Answer {
    reply::json(StatusCode::OK, body)
}
