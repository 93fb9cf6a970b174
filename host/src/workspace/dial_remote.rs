//! Asks a relay about a workspace by requests of its REST API.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use moorline_shared::failure::HostFailure;
use moorline_shared::id::WorkspaceId;
use moorline_shared::limits::WORKSPACE_WAIT;
use moorline_shared::workspace::wire::{WorkspaceAnswer, WorkspaceRequest};
use tokio::time::timeout;

use super::{RemoteFailure, WorkspaceRemote};
use crate::dial::{Dial, DialError};

/// Time allowed for an answer, in addition to what the request says: a file of 16 MiB over a slow
/// connection.
const ANSWER_PATIENCE: Duration = Duration::from_mins(2);

/// Asks the relay by requests of its REST API, over the same way as a host's links.
pub struct DialRemote {
    dial: Arc<dyn Dial>,
    path: String,
}

impl std::fmt::Debug for DialRemote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DialRemote {{ path: {:?} }}", self.path)
    }
}

impl DialRemote {
    /// Creates a remote for a workspace of the relay that `dial` reaches.
    #[must_use]
    pub fn new(dial: Arc<dyn Dial>, workspace: &WorkspaceId) -> Self {
        Self { dial, path: format!("/api/workspaces/{workspace}/sync") }
    }

    async fn answer(&self, request: WorkspaceRequest) -> Result<WorkspaceAnswer, RemoteFailure> {
        let away = |error: DialError| RemoteFailure::Away(error.to_string());
        let (status, body) =
            self.dial.post(self.path.clone(), request.encode()).await.map_err(away)?;
        if status == 200 {
            let answer = WorkspaceAnswer::decode(body);
            return answer.map_err(|error| RemoteFailure::Away(error.to_string()));
        }
        let refused = serde_json::from_slice::<moorline_shared::rest::ErrorBody>(&body).ok();
        Err(match refused {
            Some(body) if (400..500).contains(&status) && status != 429 && status != 408 => {
                let message = body.message.unwrap_or(body.error);
                RemoteFailure::Refused(HostFailure { code: body.code, message })
            }
            Some(body) => RemoteFailure::Away(body.message.unwrap_or(body.error)),
            None => RemoteFailure::Away(format!("the relay answers with {status}")),
        })
    }
}

impl WorkspaceRemote for DialRemote {
    fn ask(
        &self,
        request: WorkspaceRequest,
    ) -> BoxFuture<'_, Result<WorkspaceAnswer, RemoteFailure>> {
        Box::pin(async {
            let late = || RemoteFailure::Away("the relay does not answer in time".to_owned());
            let within = ANSWER_PATIENCE + WORKSPACE_WAIT;
            timeout(within, self.answer(request)).await.unwrap_or_else(|_| Err(late()))
        })
    }
}
