//! The files of workspaces: requests about them, one transaction each.

use std::sync::Arc;

use moorline_core::api::ApiError;
use moorline_core::profile::Profile;
use moorline_core::record::WorkspaceRecord;
use moorline_core::workspace::{FileAction, WorkspaceEvents, WorkspaceFiles, WorkspaceReply};
use moorline_shared::id::WorkspaceId;
use tokio::time::{Instant, timeout_at};

use crate::clock::wall_ms;
use crate::registry::Registry;
use crate::store::Store;

/// Carries out a request about a workspace's files. One that may wait waits for a change.
///
/// # Errors
/// The error of the request.
pub(crate) async fn carry_out(
    registry: &Arc<Registry>,
    id: &WorkspaceId,
    action: FileAction,
) -> Result<WorkspaceReply, ApiError> {
    let action = Arc::new(action);
    let until = Instant::now() + action.wait();
    let mut changed = registry.services().workspaces.subscribe(id);
    loop {
        changed.mark_unchanged();
        let reply = once(registry, id, Arc::clone(&action)).await?;
        if !reply.is_early || timeout_at(until, changed.changed()).await.is_err() {
            return Ok(reply);
        }
    }
}

async fn once(
    registry: &Arc<Registry>,
    id: &WorkspaceId,
    action: Arc<FileAction>,
) -> Result<WorkspaceReply, ApiError> {
    let (at, id) = (Arc::clone(registry), id.clone());
    if !action.writes() {
        let read = move || {
            let record = at.workspace_record(&id)?;
            at.services().read(|store| action.run(workspace(store, &id), &record))
        };
        let read = tokio::task::spawn_blocking(read).await;
        return read.unwrap_or_else(|error| Err(ApiError::internal(&error)));
    }
    let change = move |store: &mut Store| {
        // Removed meanwhile, it must not get files.
        let record = match at.workspace_record(&id) {
            Ok(record) => record,
            Err(error) => return Ok(Err(error)),
        };
        let result = store.transaction_of(|store| action.run(workspace(store, &id), &record));
        if result.as_ref().is_ok_and(|reply: &WorkspaceReply| reply.changed.is_some()) {
            at.services().workspaces.changed(&id);
        }
        Ok(result)
    };
    registry.services().writer.run(change).await?
}

fn workspace<'a>(store: &'a Store, id: &'a WorkspaceId) -> WorkspaceFiles<'a> {
    let limit_bytes = Profile::NATIVE.workspace_bytes;
    WorkspaceFiles { sql: store, id, limit_bytes, now_ms: wall_ms() }
}

/// Returns the events of a workspace since the last look; `None` once the workspace is deleted.
///
/// # Errors
/// The database cannot be read.
pub(crate) async fn look(
    registry: &Arc<Registry>,
    id: &WorkspaceId,
    mut events: WorkspaceEvents,
) -> Result<Option<(WorkspaceEvents, String)>, ApiError> {
    let (registry, id) = (Arc::clone(registry), id.clone());
    let read = move || {
        let found: Result<WorkspaceRecord, _> = registry.workspace_record(&id);
        if found.is_err() {
            return Ok(None);
        }
        let text = registry.services().read(|store| events.look(workspace(store, &id)))?;
        Ok(Some((events, text)))
    };
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|error| Err(ApiError::internal(&error)))
}
