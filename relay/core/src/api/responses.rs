//! ResponseList that many routes share, for the OpenAPI document.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

type ResponseList = BTreeMap<String, RefOr<Response>>;

/// ResponseList of every route that needs a token.
#[derive(Debug)]
pub enum Guarded {}

impl IntoResponses for Guarded {
    fn responses() -> ResponseList {
        errors(&[
            (401, "No token, or one that is wrong, expired or revoked: `unauthorized`."),
            (429, "Many wrong tokens came from there: `too_many_attempts`, with `Retry-After`."),
            (403, "The token does not allow it, or page or `Host` are not trusted: `forbidden`."),
            (500, "A fault of the relay: `internal`."),
        ])
    }
}

/// ResponseList of every route that needs no token.
#[derive(Debug)]
pub enum Open {}

impl IntoResponses for Open {
    fn responses() -> ResponseList {
        errors(&[(403, "Page or `Host` are not trusted: `forbidden`.")])
    }
}

/// ResponseList of every route that names a session.
#[derive(Debug)]
pub enum OfSession {}

impl IntoResponses for OfSession {
    fn responses() -> ResponseList {
        errors(&[
            (400, "The id is not `^[a-zA-Z0-9_-]{8,32}$`: `invalid_id`."),
            (404, "There is no such session: `not_found`."),
        ])
    }
}

/// ResponseList of every route that names a project.
#[derive(Debug)]
pub enum OfProject {}

impl IntoResponses for OfProject {
    fn responses() -> ResponseList {
        errors(&[
            (400, "The id is not `^[a-zA-Z0-9_-]{8,32}$`: `invalid_id`."),
            (404, "There is no such project: `no_such_project`."),
        ])
    }
}

/// ResponseList of every route that takes a body.
#[derive(Debug)]
pub enum WithBody {}

impl IntoResponses for WithBody {
    fn responses() -> ResponseList {
        errors(&[
            (400, "An id, or the body, is not as it must be: `invalid_id`, `bad_request`."),
            (408, "The body did not come within 30 seconds: `timeout`."),
            (413, "The body, or what is in it, is too large: `too_large`."),
            (415, "The body is not `application/json`: `bad_request`."),
        ])
    }
}

/// ResponseList of every route that takes only a query.
#[derive(Debug)]
pub enum BadQuery {}

impl IntoResponses for BadQuery {
    fn responses() -> ResponseList {
        errors(&[(400, "The query is not as it must be: `bad_request`, `invalid_id`.")])
    }
}

/// ResponseList of every route that starts a session from a body that may name an id, a project or a
/// host.
#[derive(Debug)]
pub enum Naming {}

impl IntoResponses for Naming {
    fn responses() -> ResponseList {
        errors(&[
            (404, "There is no such project or host: `no_such_project`, `no_such_host`."),
            (409, "The id is taken: `exists`."),
        ])
    }
}

/// ResponseList of every route that starts a session.
#[derive(Debug)]
pub enum Starting {}

impl IntoResponses for Starting {
    fn responses() -> ResponseList {
        errors(&[
            (429, "As many sessions run as may: `overloaded`."),
            (
                503,
                "No host is there to start it: `host_offline`; or its machine has no more file \
                descriptors, processes or terminals, or the relay is shutting down: `overloaded`.",
            ),
        ])
    }
}

/// ResponseList of every route that asks a session's host.
#[derive(Debug)]
pub enum Asking {}

impl IntoResponses for Asking {
    fn responses() -> ResponseList {
        errors(&[(503, "The session's host is away: `host_offline`.")])
    }
}

/// ResponseList of every route that types into a session.
#[derive(Debug)]
pub enum Typing {}

impl IntoResponses for Typing {
    fn responses() -> ResponseList {
        errors(&[
            (409, "The session is over: `session_ended`."),
            (429, "The session has not taken what was typed before: `overloaded`."),
            (503, "The session's host is away: `host_offline`."),
        ])
    }
}

/// ResponseList of every route that opens a WebSocket.
#[derive(Debug)]
pub enum Upgrade {}

impl IntoResponses for Upgrade {
    fn responses() -> ResponseList {
        let mut answers = errors(&[
            (
                400,
                "The id is no id, or the request is no WebSocket's: `invalid_id`, `bad_request`.",
            ),
            (426, "The connection cannot become a WebSocket: `bad_request`."),
        ]);
        let switched = ResponseBuilder::new().description("A WebSocket.").build();
        answers.insert("101".to_owned(), switched.into());
        answers
    }
}

fn errors(list: &[(u16, &str)]) -> ResponseList {
    list.iter().map(|(status, description)| (status.to_string(), error(description))).collect()
}

fn error(description: &str) -> RefOr<Response> {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
    let answer = ResponseBuilder::new().description(description).content("application/json", body);
    answer.build().into()
}
