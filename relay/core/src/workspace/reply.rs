//! The reply to a request about a workspace's files.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use super::SqlFailure;
use crate::api::ApiError;

/// The reply to a request about a workspace's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceReply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The revision after the request, if it has changed files.
    pub changed: Option<u64>,
    /// True if there was nothing to report yet. A caller that wants to wait is answered later.
    pub is_early: bool,
}

impl WorkspaceReply {
    /// Encodes a reply with a JSON body.
    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("texts, numbers and lists always encode");
        Self::bytes(status, HeaderValue::from_static("application/json"), body.into())
    }

    /// Returns a reply with this body.
    pub(super) fn bytes(status: StatusCode, kind: HeaderValue, body: Bytes) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
        Self { status, headers, body, changed: None, is_early: false }
    }
}

impl From<SqlFailure> for ApiError {
    fn from(failure: SqlFailure) -> Self {
        match failure {
            SqlFailure::Full => Self::disk_full(),
            SqlFailure::Other(_) => Self::internal(&failure),
        }
    }
}
