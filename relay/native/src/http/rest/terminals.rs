//! `/api/terminal`: sessions as terminals that are read by polling.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use moorline_shared::id::{Cursor, Seq, SessionId};
use moorline_shared::limits::PROMPT_BYTES;
use moorline_shared::log::Entry;
use moorline_shared::rest::{
    CreateTerminal, Done, ErrorBody, OutputPiece, TerminalCreated, TerminalInput, TerminalOutput,
};
use serde::Deserialize;

use super::find;
use crate::http::App;
use crate::http::answers::{Guarded, OfSession, Starting, Typing, WithBody};
use crate::http::error::{ApiError, HttpError};
use crate::http::extract::{Admin, Body, Params, Reads, Writes};
use crate::session::SessionHandle;
use moorline_core::api::number;
use moorline_core::reader::{Read, Reader, Start};

/// About as much output as one answer has.
const ANSWER_BYTES: usize = 1024 * 1024;

/// Where to read from.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(in crate::http) struct OutputQuery {
    /// The `next` of the answer before; 0, as what is no number, for all that is retained.
    #[param(value_type = Option<u64>, default = 0)]
    since: Option<String>,
}

/// Start a terminal
///
/// A terminal is a session of its own. Beside another session it starts in that one's folder and
/// project, and that one's log tells of it: `terminal-created`, `terminal-closed`.
#[utoipa::path(
    post, path = "/api/terminal", tag = "Terminals", operation_id = "createTerminal",
    request_body = Option<CreateTerminal>,
    responses(Guarded, WithBody, Starting,
        (status = 200, description = "It runs.", body = TerminalCreated),
        (status = 404, description = "There is no such session: `not_found`.", body = ErrorBody)),
)]
pub(in crate::http) async fn create(
    _: Admin,
    State(app): State<Arc<App>>,
    Body(wanted): Body<CreateTerminal>,
) -> Result<Json<TerminalCreated>, HttpError> {
    let terminal_id = app.registry.create_terminal(wanted).await?.id().clone();
    Ok(Json(TerminalCreated { success: true, terminal_id }))
}

/// Read a terminal's output
#[utoipa::path(
    get, path = "/api/terminal/{id}/output", tag = "Terminals", operation_id = "terminalOutput",
    params(("id" = SessionId, Path, description = "The terminal."), OutputQuery),
    responses(Guarded, OfSession,
        (status = 200, description = "What came after `since`.", body = TerminalOutput)),
)]
pub(in crate::http) async fn output(
    Reads(id): Reads,
    State(app): State<Arc<App>>,
    wanted: Result<Params<OutputQuery>, HttpError>,
) -> Result<Json<TerminalOutput>, HttpError> {
    // That there is no such session counts more than what is wrong with the request.
    let session = find(&app, &id).await?;
    let Params(OutputQuery { since }) = wanted?;
    let since = Seq(number(since.as_deref()));
    let mut output = TerminalOutput {
        success: true,
        terminal_id: id,
        output: Vec::new(),
        since,
        next: since,
        epoch: session.status().epoch,
        lifecycle: session.summary().lifecycle,
    };
    read(&session, &mut output).await?;
    Ok(Json(output))
}

/// Type into a terminal
#[utoipa::path(
    post, path = "/api/terminal/{id}/input", tag = "Terminals", operation_id = "terminalInput",
    params(("id" = SessionId, Path, description = "The terminal.")),
    request_body = TerminalInput,
    responses(Guarded, OfSession, WithBody, Typing,
        (status = 200, description = "It was typed.", body = Done)),
)]
pub(in crate::http) async fn input(
    Writes(id): Writes,
    State(app): State<Arc<App>>,
    wanted: Result<Body<TerminalInput>, HttpError>,
) -> Result<Json<Done>, HttpError> {
    let session = find(&app, &id).await?;
    let Body(wanted) = wanted?;
    let data = wanted.data.filter(|data| !data.is_empty()).ok_or_else(ApiError::input_required)?;
    if data.len() > PROMPT_BYTES {
        return Err(ApiError::too_much_typed().into());
    }
    let written = session.write(data.into(), None).await;
    written.map_err(|why| ApiError::not_written(why, &id))?;
    Ok(Json(Done { success: true }))
}

/// Close a terminal
#[utoipa::path(
    delete, path = "/api/terminal/{id}", tag = "Terminals", operation_id = "closeTerminal",
    params(("id" = SessionId, Path, description = "The terminal.")),
    responses(Guarded, OfSession, (status = 200, description = "It is gone.", body = Done)),
)]
pub(in crate::http) async fn close(
    Writes(id): Writes,
    State(app): State<Arc<App>>,
) -> Result<Json<Done>, HttpError> {
    app.registry.delete(&id).await?;
    Ok(Json(Done { success: true }))
}

/// Whether there is more to read.
enum Step {
    Again,
    Done,
}

async fn read(session: &Arc<SessionHandle>, output: &mut TerminalOutput) -> Result<(), ApiError> {
    let mut reader = {
        let state = session.lock();
        let log = state.session.log();
        output.epoch = log.epoch();
        // Ahead of a log that was lost in part.
        output.next = output.since.min(log.head());
        let start = match output.next {
            Seq::ZERO => Start::Oldest,
            seq => Start::After(Cursor { epoch: log.epoch(), seq }),
        };
        Reader::open(&state.session, start)
    };
    let mut bytes = 0;
    while bytes < ANSWER_BYTES {
        let next = reader.read(&session.lock().session);
        let step = match next {
            Read::Entry(entry) => {
                let time_ms = session.lock().session.time_ms(&entry);
                bytes += take(&entry, time_ms, &reader, output);
                Step::Again
            }
            Read::Gap(_) => Step::Again,
            Read::Load { epoch, after } => {
                let loaded = session.stored_entries(epoch, after).await;
                let loaded = loaded.map_err(|error| ApiError::internal(&error))?;
                reader.loaded(&session.lock().session, loaded);
                Step::Again
            }
            Read::Nothing | Read::Over | Read::Deleted => Step::Done,
        };
        output.next = reader.cursor().seq;
        if matches!(step, Step::Done) {
            break;
        }
    }
    Ok(())
}

/// Adds an entry's output; says how many bytes it had.
fn take(entry: &Entry, timestamp: u64, reader: &Reader, output: &mut TerminalOutput) -> usize {
    let Entry::Output(frame) = entry else { return 0 };
    let content = reader.decoder().decode(frame.data());
    if !content.is_empty() {
        let (index, kind) = (entry.seq(), "stdout".to_owned());
        output.output.push(OutputPiece { index, kind, timestamp, content });
    }
    frame.data_len()
}
