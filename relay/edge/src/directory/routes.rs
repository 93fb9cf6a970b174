//! What is asked of the directory: by callers, whom the Worker has let in, and by other objects.

use std::rc::Rc;

use http::{Method, StatusCode};
use moorline_core::api::ApiError;
use moorline_core::{legacy, naming};
use moorline_shared::id::SessionId;
use moorline_shared::rest::ProjectList;
use worker::Request;

use super::{DirectoryState, overview};
use crate::internal::{
    DROP, ENSURE, Ensure, FILES, GONE, Gone, KEEP, PREFIX, REDEEM, SUMMARY, SessionUpdate, VERIFY,
    VERIFY_COOKIE,
};
use crate::reply::{Answer, body, json, method, nothing, query, uri};

pub(super) async fn answer(directory: &Rc<DirectoryState>, request: &mut Request) -> Answer {
    let path = request.path();
    if path.starts_with(PREFIX) {
        return internal(directory, &path, request).await;
    }
    let method = method(request);
    let current = if path == legacy::SESSIONS { "/api/sessions" } else { &path };
    let parts: Vec<_> = current.trim_start_matches('/').split('/').collect();
    let method = if method == Method::HEAD { Method::GET } else { method };
    match (method.as_str(), &parts[..]) {
        ("GET", ["metrics"]) => directory.metrics(),
        ("GET", ["api", "debug", "metrics"]) => directory.debug_metrics(),
        ("GET", ["hosts", id, "control"]) => directory.open_control(id, request),
        ("GET", ["api", "hosts"]) => json(StatusCode::OK, &directory.host_list()?),
        ("GET", ["api", "events"]) => overview::open(directory, request),
        ("POST", ["api", "tickets"]) => directory.ticket(request),
        (_, ["api", "tokens", rest @ ..]) => tokens(directory, rest, request).await,
        (_, ["api", "projects", rest @ ..]) => projects(directory, rest, request).await,
        ("GET", ["api", "sessions"]) => {
            let wanted = query(request)?;
            json(StatusCode::OK, &directory.ask(|it| it.list(wanted))?)
        }
        ("POST", ["api", "sessions"]) => {
            let wanted = body(request).await?;
            directory.create(wanted).await
        }
        ("POST", ["api", "terminal"]) => {
            let wanted = body(request).await?;
            directory.create_terminal(wanted).await
        }
        ("DELETE", ["api", what @ ("session" | "terminal"), id]) => {
            let is_terminal = *what == "terminal";
            let id = if is_terminal { terminal(id)? } else { named(id)? };
            directory.delete(&id, is_terminal).await
        }
        (_, ["api", "sessions", id, rest @ ..]) => {
            session(directory, &named(id)?, rest, request).await
        }
        _ => Err(ApiError::no_route(&uri(&path)).into()),
    }
}

async fn session(
    directory: &Rc<DirectoryState>,
    id: &SessionId,
    rest: &[&str],
    request: &mut Request,
) -> Answer {
    match rest {
        [] => directory.rename(id, body(request).await?).await,
        ["move"] => directory.move_to(id, body(request).await?).await,
        ["duplicate"] => directory.duplicate(id, body(request).await?).await,
        ["fork"] => directory.fork(id, body(request).await?).await,
        _ => Err(ApiError::no_route(&uri(&request.path())).into()),
    }
}

async fn projects(directory: &Rc<DirectoryState>, rest: &[&str], request: &mut Request) -> Answer {
    let named = |id: &str| id.parse().map_err(|_| ApiError::invalid_project_id());
    match (method(request).as_str(), rest) {
        ("POST", []) => directory.create_project(body(request).await?).await,
        (_, []) => {
            let projects = directory.ask(|it| Ok(it.projects()))?;
            json(StatusCode::OK, &ProjectList { projects })
        }
        ("PATCH", [id]) => {
            let id = named(id)?;
            directory.change_project(&id, body(request).await?).await
        }
        ("DELETE", [id]) => directory.delete_project(&named(id)?),
        (_, [id]) => {
            let id = named(id)?;
            json(StatusCode::OK, &directory.ask(|it| it.project(&id))?)
        }
        _ => Err(ApiError::no_route(&uri(&request.path())).into()),
    }
}

async fn tokens(directory: &Rc<DirectoryState>, rest: &[&str], request: &mut Request) -> Answer {
    match (method(request).as_str(), rest) {
        ("POST", []) => directory.create_token(&body(request).await?),
        (_, []) => directory.tokens(),
        ("DELETE", [id]) => directory.revoke_token(id),
        _ => Err(ApiError::no_route(&uri(&request.path())).into()),
    }
}

async fn internal(directory: &Rc<DirectoryState>, path: &str, request: &mut Request) -> Answer {
    match path {
        SUMMARY => {
            let SessionUpdate { report, counted } = body(request).await?;
            directory.counted.borrow_mut().add(&counted);
            let id = report.summary.session_id.clone();
            let is_expected = directory.ask(|it| Ok(it.is_reserved(&id)))?;
            if directory.report(report)? || is_expected {
                nothing()
            } else {
                Err(ApiError::no_session(id.as_str()).into())
            }
        }
        GONE => {
            let Gone { session_id } = body(request).await?;
            if directory.ask(|it| Ok(it.contains(&session_id)))? {
                directory.unlist(&session_id).await?;
            }
            nothing()
        }
        FILES => {
            let wanted = body(request).await?;
            json(StatusCode::OK, &directory.files(wanted).await?)
        }
        VERIFY => directory.verify(&body(request).await?),
        VERIFY_COOKIE => directory.verify_cookie(&body(request).await?),
        KEEP => directory.keep_cookie(&body(request).await?),
        DROP => directory.drop_cookie(&body(request).await?),
        REDEEM => directory.redeem(&body(request).await?),
        ENSURE => {
            let Ensure { session_id, name } = body(request).await?;
            directory.ensure(session_id, name).await?;
            nothing()
        }
        _ => Err(ApiError::no_route(&uri(path)).into()),
    }
}

/// A terminal may go by a longer name.
fn terminal(id: &str) -> Result<SessionId, ApiError> {
    naming::id_of(id).or_else(|_| named(id))
}

fn named(id: &str) -> Result<SessionId, ApiError> {
    // An id needs no escapes; who has written it with some is told where it cannot be.
    let decoded = percent_encoding::percent_decode_str(id).decode_utf8_lossy();
    decoded.parse().map_err(|_| ApiError::invalid_id(&decoded))
}
