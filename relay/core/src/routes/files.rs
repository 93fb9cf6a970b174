//! The handler of `/api/session/:id/files`, which the session's host answers.

use moorline_shared::file_search::FoundFiles;
use moorline_shared::id::SessionId;
use moorline_shared::limits::{FILE_QUERY_CHARACTERS, FILE_QUERY_TOO_LONG, FOUND_FILES};
use moorline_shared::rest::FileMatches;
use serde::Deserialize;

use super::{Reply, Request};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::{BadQuery, Guarded, OfSession, Operating};

/// The query parameters of a search for files.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(default)]
pub(crate) struct FilesQuery {
    /// Letters of the path, in their order. Without any, the files nearest to the folder are listed.
    #[cfg_attr(feature = "openapi", param(max_length = 128))]
    q: String,
}

/// Find files in a session's folder
///
/// Asks the session's host for the files below the session's folder whose paths contain these letters, best match
/// first. Files that git ignores are left out, and links are not followed.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/session/{id}/files", tag = "Session", operation_id = "findFiles",
    params(("id" = SessionId, Path, description = "The session."), FilesQuery),
    responses(Guarded, OfSession, BadQuery, Operating,
        (status = 200, description = "The files that match.", body = FileMatches)),
))]
pub(crate) fn find(request: &Request) -> Result<String, ApiError> {
    let FilesQuery { q } = request.query()?;
    if q.chars().count() > FILE_QUERY_CHARACTERS {
        return Err(ApiError::bad_request(FILE_QUERY_TOO_LONG));
    }
    Ok(q)
}

/// Returns the reply with the files that a host has found. `now_ms` is the time in milliseconds since 1970.
#[must_use]
pub fn files_reply(id: &SessionId, found: FoundFiles, now_ms: u64) -> Reply {
    let FoundFiles { mut files, truncated } = found;
    files.truncate(FOUND_FILES);
    Reply::ok(&FileMatches { session_id: id.clone(), files, truncated, timestamp: now_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(query: &str) -> Result<String, u16> {
        let request = Request {
            item: String::new(),
            grant: crate::auth::Grant::unstored(),
            id: "abcdefgh".to_owned(),
            query: query.to_owned(),
            content_type: String::new(),
            body: bytes::Bytes::new(),
            now_ms: 5,
            random: 1,
        };
        find(&request).map_err(|error| error.status().as_u16())
    }

    #[test]
    fn a_query_is_some_letters() {
        assert_eq!(wanted("q=a%2Fb"), Ok("a/b".to_owned()));
        assert_eq!(wanted(""), Ok(String::new()));
        assert_eq!(wanted(&format!("q={}", "%C3%A9".repeat(128))), Ok("é".repeat(128)));
        assert_eq!(wanted(&format!("q={}", "x".repeat(129))), Err(400));
    }

    #[test]
    fn no_more_than_the_limit_is_passed_on() {
        let id: SessionId = "abcdefgh".parse().unwrap();
        let found = FoundFiles { files: vec!["a".to_owned(); 100], truncated: true };
        let reply: serde_json::Value =
            serde_json::from_slice(&files_reply(&id, found, 7).body).unwrap();
        assert_eq!(reply["files"].as_array().unwrap().len(), FOUND_FILES);
        assert_eq!((&reply["truncated"], &reply["timestamp"]), (&true.into(), &7.into()));
    }
}
