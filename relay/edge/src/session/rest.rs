//! The REST API of one session.

use std::rc::Rc;

use bytes::Bytes;
use futures_channel::oneshot;
use http::StatusCode;
use moorline_core::action::ActionRefused;
use moorline_core::api::ApiError;
use moorline_core::named;
use moorline_core::plan::ANSWER_PATIENCE;
use moorline_core::routes::{
    self, Asked, HostQuestion, OutputPoll, OutputRead, QuestionHandler, QuestionOutcome,
    SessionAnswer, SessionFolder, Write,
};
use moorline_core::session::Session;
use moorline_shared::event::Event;
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::log::Entry;
use moorline_shared::publish::{WriteAnswer, WriteRefused};
use moorline_shared::rest::SessionContext;
use worker::{Request, console_warn};

use super::clock::{now, wall_ms};
use super::object::{Fault, Object};
use super::state::SessionState;
use crate::internal::{
    FILES, FIND_FILES, Files, FilesWanted, FindFilesWanted, OPERATIONS, OperationsWanted, QUESTION,
    QuestionWanted,
};
use crate::object_client;
use crate::reply::{self, Answer};
use crate::sql::SqlError;

type AskedStart = oneshot::Receiver<Result<(), WriteRefused>>;

/// Types into the session, and notes the files that the request names.
pub(super) async fn write(
    object: &Rc<Object>,
    write: fn(&SessionId, &routes::Request) -> Result<Write, ApiError>,
    request: &mut Request,
) -> Answer {
    let name = object.name();
    let request = reply::with_body(&name, request).await;
    // An unknown session is reported before a malformed request is.
    let id = object.peek(|loaded| loaded.session.id().clone())?;
    type_all(object, &id, write(&id, &request?)?).await
}

/// Types what a request asks to type, or answers it once it is stored.
pub(super) async fn act(
    object: &Rc<Object>,
    ask: fn(&Session, &routes::Request) -> Result<Asked, ApiError>,
    request: &routes::Request,
) -> Answer {
    let (id, asked) = object.with(|loaded| {
        loaded.check_host(&object.state);
        (loaded.session.id().clone(), ask(&loaded.session, request))
    })?;
    let mut action = match asked? {
        Asked::Write(write) => return type_all(object, &id, write).await,
        Asked::Act(action) => action,
    };
    let deadline = now() + ANSWER_PATIENCE;
    loop {
        let seen = object.seen();
        // What it asks for is stored before this returns, and answered the next time.
        if let Some(answer) = object.with(|loaded| action.poll(&mut loaded.session, wall_ms()))? {
            return reply::answer(answer?);
        }
        if now() >= deadline {
            return Err(ApiError::not_accepted(ActionRefused::NotStored, &id).into());
        }
        object.changed(seen, deadline).await;
    }
}

async fn type_all(object: &Rc<Object>, id: &SessionId, write: Write) -> Answer {
    let Write { data, event, files, reply } = write;
    typed(object, data, event).await?.map_err(|why| ApiError::not_written(why, id))?;
    if let Err(error) = object.with(|loaded| loaded.name_files(files))? {
        console_warn!("the files of a prompt were not stored: {error}");
    }
    reply::answer(reply)
}

/// Answers a request that reads output.
pub(super) fn output(
    object: &Rc<Object>,
    open: fn(&Session, &routes::Request) -> Result<OutputRead, ApiError>,
    request: &routes::Request,
) -> Answer {
    object.peek(|loaded| {
        let mut output = open(&loaded.session, request)?;
        loop {
            match output.poll(&loaded.session) {
                OutputPoll::Done(reply) => return reply::answer(reply),
                OutputPoll::Load { after, .. } => {
                    let entries = loaded.stored_entries(after)?;
                    output.loaded(&loaded.session, entries);
                }
            }
        }
    })?
}

/// Answers with the files that the session works with, as reported by its host.
pub(super) async fn context(object: &Rc<Object>) -> Answer {
    let (id, wanted) =
        object.peek(|loaded| (loaded.session.id().clone(), loaded.files_wanted()))?;
    let files = match wanted {
        Some(wanted) => {
            object_client::ask(&object_client::directory(&object.env)?, FILES, &wanted).await?
        }
        None => Files::default(),
    };
    let context = SessionContext { session_id: id, context: files.files, timestamp: wall_ms() };
    reply::json(StatusCode::OK, &context)
}

/// Asks the session's host for the files in its folder that match.
pub(super) async fn files(
    object: &Rc<Object>,
    ask: fn(&routes::Request) -> Result<String, ApiError>,
    request: &mut Request,
) -> Answer {
    let request = reply::incoming(&object.name(), request);
    // An unknown session is reported before a malformed request is.
    let id = object.peek(|loaded| loaded.session.id().clone())?;
    let query = ask(&request?)?;
    let SessionFolder { host, folder } = object.with(|loaded| {
        loaded.check_host(&object.state);
        routes::folder_of(&loaded.session, wall_ms())
    })??;
    let wanted = FindFilesWanted { host, folder, query };
    let directory = object_client::directory(&object.env)?;
    let found = object_client::ask(&directory, FIND_FILES, &wanted).await?;
    reply::answer(routes::files_reply(&id, found, wall_ms()))
}

/// Asks the session's host about operations, and reports the answer in the session's log.
pub(super) async fn operations(
    object: &Rc<Object>,
    ask: fn(&SessionId, &routes::Request) -> Result<HostQuestion, ApiError>,
    request: &mut Request,
) -> Answer {
    let name = object.name();
    let request = reply::with_body(&name, request).await;
    // An unknown session is reported before a malformed request is.
    let id = object.peek(|loaded| loaded.session.id().clone())?;
    let asked = ask(&id, &request?)?;
    let SessionFolder { host, folder } = object.with(|loaded| {
        loaded.check_host(&object.state);
        routes::folder_of(&loaded.session, wall_ms())
    })??;
    let wanted = OperationsWanted { host, folder, question: asked.question.clone() };
    let directory = object_client::directory(&object.env)?;
    let answer = object_client::ask(&directory, OPERATIONS, &wanted).await?;
    let now_ms = wall_ms();
    let QuestionOutcome { event, reply } = asked.finish(&id, answer, now_ms);
    object.with(|loaded| {
        loaded.check_host(&object.state);
        loaded.session.note_activity(now_ms);
        loaded.session.append(event);
    })?;
    reply::answer(reply?)
}

/// Asks the session's host.
pub(super) async fn ask(
    object: &Rc<Object>,
    ask: QuestionHandler,
    request: &mut Request,
) -> Answer {
    let name = object.name();
    let request = reply::with_body(&name, request).await;
    // An unknown session is reported before a malformed request is.
    let session_id = object.peek(|loaded| loaded.session.id().clone())?;
    let request = request?;
    let (host, question) = object.with(|loaded| {
        loaded.check_host(&object.state);
        routes::ask_host(&loaded.session, ask, &request)
    })??;
    let wanted = QuestionWanted { host, session_id: session_id.clone(), question };
    let directory = object_client::directory(&object.env)?;
    let answer: SessionAnswer = object_client::ask(&directory, QUESTION, &wanted).await?;
    reply::answer(routes::answer_reply(answer, &session_id, wall_ms())?)
}

/// Has the host type something, and waits for its answer.
async fn typed(
    object: &Rc<Object>,
    data: Bytes,
    event: Option<Event>,
) -> Result<Result<(), WriteRefused>, Fault> {
    let asked = object.with(|loaded| {
        loaded.check_host(&object.state);
        loaded.ask_to_write(data, event)
    })?;
    match asked {
        // A dropped sender means that the session was dropped from memory, and the host's link with
        // it.
        Ok(asked) => Ok(asked.await.unwrap_or(Err(WriteRefused::HostAway))),
        Err(refused) => Ok(Err(refused)),
    }
}

impl SessionState {
    fn ask_to_write(
        &mut self,
        data: Bytes,
        event: Option<Event>,
    ) -> Result<AskedStart, WriteRefused> {
        let request = self.session.write(data, event, WriteAnswer::Queued)?;
        self.session.note_activity(wall_ms());
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
        self.store.database.put_note(named::NOTE, &kept)
    }

    fn named_files(&self) -> Result<Vec<String>, SqlError> {
        Ok(self.store.database.note(named::NOTE)?.unwrap_or_default())
    }

    fn files_wanted(&self) -> Option<FilesWanted> {
        let named = named::newest_first(self.named_files().unwrap_or_default());
        let summary = self.session.summary(wall_ms());
        let (project, folder) = (summary.project, summary.cwd);
        Some(FilesWanted { host: self.session.record().host?, project, folder, named })
    }

    /// The stored entries after `after`, up to the end of the next one's row. Those of the oldest row
    /// if `after` is before it; empty if the next entry is not stored.
    pub(super) fn stored_entries(&self, after: Seq) -> Result<Vec<Entry>, SqlError> {
        let stored = self.session.stored_rows();
        let oldest = stored.oldest().map_or(after, |oldest| Seq(oldest.0.saturating_sub(1)));
        let Some(row) = stored.row_after(after.max(oldest)) else { return Ok(Vec::new()) };
        let mut entries = self.store.database.segment(self.session.id(), row.first)?;
        entries.retain(|entry| entry.seq() > after);
        Ok(entries)
    }
}
