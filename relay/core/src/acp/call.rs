//! Requests to the REST API, and what they are for.

use std::collections::BTreeMap;

use http::Method;
use moorline_shared::id::{SessionId, TurnId};
use moorline_shared::rest::{ConfigureAgent, CreateSession, ErrorBody};
use moorline_shared::rpc::{INTERNAL_ERROR, RpcError, RpcId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::{failure, of_api, unreachable};
use super::outbox::{AcpOutbox, AcpOutput, ApiCall};

/// The answer to an [`ApiCall`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiAnswer {
    /// The relay has answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The JSON body.
        body: Vec<u8>,
    },
    /// There was no answer. Whether the request was carried out is unknown.
    Unreachable,
}

/// The purpose of a request to the API.
#[derive(Debug)]
pub(super) enum CallPurpose {
    /// Read a session that is being opened.
    Describe(SessionId),
    /// List sessions, for a request of the client.
    List(RpcId),
    /// Describe the only session of the connection, as a list.
    ListOne(RpcId),
    /// Start a session, for a request of the client.
    Start(RpcId),
    /// Withdraw a queued prompt.
    Withdraw(SessionId, TurnId),
    /// Change a setting, for a request of the client.
    Configure(SessionId, RpcId),
}

/// The requests to the API that are not answered.
#[derive(Debug, Default)]
pub(super) struct CallBook {
    open: BTreeMap<u64, CallPurpose>,
    last: u64,
}

impl CallBook {
    /// Sends a request.
    pub(super) fn send(&mut self, purpose: CallPurpose, parts: CallParts, out: &mut AcpOutbox) {
        self.last += 1;
        self.open.insert(self.last, purpose);
        let (method, path, body) = parts;
        out.push(AcpOutput::Call(ApiCall { number: self.last, method, path, body }));
    }

    /// Returns the purpose of a request that was answered.
    pub(super) fn take(&mut self, number: u64) -> Option<CallPurpose> {
        self.open.remove(&number)
    }

    /// Returns the number of requests that are not answered.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

/// The method, the path and the body of a request.
pub(super) type CallParts = (Method, String, Option<String>);

pub(super) fn describe(session: &SessionId) -> CallParts {
    (Method::GET, format!("/api/session/{session}/status"), None)
}

pub(super) fn list(cursor: Option<&str>) -> CallParts {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    (Method::GET, format!("/api/sessions?driver=agent{cursor}"), None)
}

pub(super) fn start(wanted: &CreateSession) -> CallParts {
    (Method::POST, "/api/sessions".to_owned(), Some(json(wanted)))
}

pub(super) fn withdraw(session: &SessionId, turn: &TurnId) -> CallParts {
    (Method::DELETE, format!("/api/session/{session}/prompts/{turn}"), None)
}

pub(super) fn configure(session: &SessionId, wanted: &ConfigureAgent) -> CallParts {
    (Method::POST, format!("/api/session/{session}/config"), Some(json(wanted)))
}

fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("texts and maps of them always encode")
}

impl ApiAnswer {
    /// Reads the body of a success.
    ///
    /// # Errors
    /// The error for the client.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, RpcError> {
        let Self::Answered { status, body } = self else { return Err(unreachable()) };
        if (200..300).contains(status) {
            let read = serde_json::from_slice(body);
            return read.map_err(|_| failure(INTERNAL_ERROR, "internal", "No relay answers."));
        }
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(body) => Err(of_api(*status, &body)),
            Err(_) => {
                let message = format!("The relay answers with the status {status}.");
                Err(failure(INTERNAL_ERROR, "internal", message))
            }
        }
    }
}
