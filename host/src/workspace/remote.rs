//! The workspace as a folder's sync sees it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use moorline_shared::failure::HostFailure;
use moorline_shared::id::WorkspaceId;
use moorline_shared::workspace::wire::{WorkspaceAnswer, WorkspaceRequest};

/// Asks a relay about one workspace. Requests and answers are plain values, which any transport can
/// carry by [`WorkspaceRequest::encode`] and [`WorkspaceAnswer::decode`].
pub trait WorkspaceRemote: Send + Sync + 'static {
    /// Sends a request and waits for its answer. Dropping the future cancels it; the request may be
    /// carried out all the same.
    fn ask(
        &self,
        request: WorkspaceRequest,
    ) -> BoxFuture<'_, Result<WorkspaceAnswer, RemoteFailure>>;
}

/// The reason why a request to a workspace was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteFailure {
    /// The relay cannot be reached, or does not answer.
    #[error("{0}")]
    Away(String),
    /// The relay refuses the request. The code is one of the REST API, such as `no_such_workspace`.
    #[error("{}", .0.message)]
    Refused(HostFailure),
}

/// The workspace of a session whose driver keeps the folder in sync.
#[derive(Clone)]
pub struct SessionWorkspace {
    /// The workspace.
    pub id: WorkspaceId,
    /// The host's name, for the names of files that are moved aside.
    pub host: String,
    /// Asks the relay about it.
    pub remote: Arc<dyn WorkspaceRemote>,
}

impl std::fmt::Debug for SessionWorkspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, host, remote: _ } = self;
        f.debug_struct("SessionWorkspace").field("id", id).field("host", host).finish()
    }
}
