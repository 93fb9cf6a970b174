//! A host in the relay's own process: its links are channels.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use moorline_host::dial::{ControlWire, Dial, DialError, Dialing, PublishWire, Wire};
use moorline_shared::control::local_host;
use moorline_shared::id::SessionId;

use super::link::LocalLink;
use super::{keep_control, receive};
use crate::auth::AccessLease;
use crate::registry::Registry;
use crate::workspaces::carry_out;
use moorline_core::api::ApiError;
use moorline_core::workspace::FileAction;
use moorline_shared::id::WorkspaceId;

/// Limit of the messages under way in each direction.
const CAPACITY: usize = 64;
/// Longest wait between dials. It is short, as the relay is always reachable.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Dials the relay from a host in the same process.
#[derive(Debug)]
pub struct InProcess {
    /// Weak, so that the host does not keep the relay alive.
    registry: Weak<Registry>,
}

impl InProcess {
    /// Makes a dialer that reaches this relay.
    #[must_use]
    pub fn new(registry: &Arc<Registry>) -> Self {
        Self { registry: Arc::downgrade(registry) }
    }

    fn registry(&self) -> Result<Arc<Registry>, DialError> {
        let gone = || DialError::Unreachable("the relay has ended".to_owned());
        self.registry.upgrade().ok_or_else(gone)
    }
}

impl Dial for InProcess {
    fn control(&self) -> Dialing<'_, ControlWire> {
        Box::pin(async {
            let registry = self.registry()?;
            let (host, relay) = Wire::pair(CAPACITY);
            let lease = AccessLease::until(registry.parting());
            tokio::spawn(keep_control(LocalLink::new(relay), local_host(), registry, lease));
            Ok(host)
        })
    }

    fn publish<'a>(&'a self, session: &'a SessionId) -> Dialing<'a, PublishWire> {
        Box::pin(async {
            let registry = self.registry()?;
            let found = registry.publishing(session, Some(&local_host())).await;
            let handle = found.map_err(|error| DialError::Unreachable(error.to_string()))?;
            let (host, relay) = Wire::pair(CAPACITY);
            let lease = AccessLease::until(registry.parting());
            tokio::spawn(receive(LocalLink::new(relay), handle.host_arrived(), lease));
            Ok(host)
        })
    }

    fn post(&self, path: String, body: Bytes) -> Dialing<'_, (u16, Bytes)> {
        Box::pin(async move {
            let registry = self.registry()?;
            let answer = answer(&registry, &path, body).await;
            Ok(answer.unwrap_or_else(|error| {
                let body = serde_json::to_vec(error.body()).unwrap_or_default();
                (error.status().as_u16(), body.into())
            }))
        })
    }

    fn longest_wait(&self) -> Duration {
        LONGEST_WAIT
    }
}

/// Answers a request of the host about a workspace.
async fn answer(
    registry: &Arc<Registry>,
    path: &str,
    body: Bytes,
) -> Result<(u16, Bytes), ApiError> {
    let id = path.strip_prefix("/api/workspaces/").and_then(|rest| rest.strip_suffix("/sync"));
    let id: Option<WorkspaceId> = id.and_then(|id| id.parse().ok());
    let id = id.ok_or_else(ApiError::invalid_workspace_id)?;
    let action = FileAction::message(body)?;
    let reply = carry_out(registry, &id, action).await?;
    Ok((reply.status.as_u16(), reply.body))
}
