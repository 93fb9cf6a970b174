//! `GET /api/workspaces/:id/events`: the changes of a workspace's files, live.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use moorline_core::api::ApiError;
use moorline_core::api::responses::{Guarded, OfWorkspace};
use moorline_core::events::{RETRY_MS, RETRY_SOON_MS};
use moorline_core::routes::{Request, Route, since};
use moorline_core::workspace::WorkspaceEvents;
use moorline_shared::id::WorkspaceId;
use moorline_shared::limits::HEARTBEAT;
use moorline_shared::sse;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::events::response;
use super::{App, Caller, descriptions};
use crate::auth::{AccessEnd, AccessLease};
use crate::workspaces::look;

/// Follow the files of a workspace
#[utoipa::path(
    get, path = "/api/workspaces/{id}/events", tag = "Workspaces",
    operation_id = "workspaceEvents", description = descriptions::WORKSPACE_EVENTS,
    security(("bearer" = []), ("cookie" = []), ("ticket" = [])),
    params(
        ("id" = WorkspaceId, Path, description = "The workspace."),
        ("since" = Option<u64>, Query, description = "A revision: only later changes are sent. \
            Browsers may call it `lastEventId`."),
        ("Last-Event-ID" = Option<String>, Header, description = "Takes precedence over `since`."),
    ),
    responses(Guarded, OfWorkspace,
        (status = 200, description = "Events, without an end.", body = String,
            content_type = "text/event-stream")),
)]
pub(super) fn open(
    app: &Arc<App>,
    (caller, route): (&Caller, &'static Route),
    request: &Request,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let id = request.workspace()?;
    app.registry.workspace_record(&id)?;
    let events = WorkspaceEvents::open(since(request)?, headers);
    let lease = app.connect(caller, route, id.as_str());
    let signal = lease.signal();
    let changed = app.registry.services().workspaces.subscribe(&id);
    let live = LiveWorkspace {
        app: Arc::clone(app),
        id,
        events: Some(events),
        changed,
        lease,
        said: Instant::now(),
        phase: FilesPhase::Opening,
    };
    let chunks = stream::unfold(live, |mut live| async {
        let chunk = live.next().await?;
        Some((Ok(Bytes::from(chunk)), live))
    });
    Ok(response(chunks, signal))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FilesPhase {
    Opening,
    Open,
    Ended,
}

struct LiveWorkspace {
    app: Arc<App>,
    id: WorkspaceId,
    /// `None` while they are being looked up.
    events: Option<WorkspaceEvents>,
    changed: watch::Receiver<()>,
    lease: AccessLease,
    /// The time at which something was sent last.
    said: Instant,
    phase: FilesPhase,
}

impl LiveWorkspace {
    async fn next(&mut self) -> Option<String> {
        let chunk = match self.phase {
            FilesPhase::Opening => {
                self.phase = FilesPhase::Open;
                sse::encode_retry(RETRY_MS) + &self.look().await?
            }
            FilesPhase::Open => self.wait_for_change().await?,
            FilesPhase::Ended => return None,
        };
        self.said = Instant::now();
        Some(chunk)
    }

    async fn wait_for_change(&mut self) -> Option<String> {
        loop {
            tokio::select! {
                // Cannot fail: the sender stays while somebody waits.
                _ = self.changed.changed() => {}
                () = sleep_until(self.said + HEARTBEAT) => return Some(sse::HEARTBEAT.to_owned()),
                ending = self.lease.ended() => {
                    self.phase = FilesPhase::Ended;
                    // A reader that reconnects is told why its token is refused.
                    return Some(match ending {
                        AccessEnd::ShuttingDown => sse::encode_retry(RETRY_SOON_MS),
                        AccessEnd::NotAllowed => sse::HEARTBEAT.to_owned(),
                    });
                }
            }
            let told = self.look().await?;
            if !told.is_empty() {
                return Some(told);
            }
        }
    }

    /// Returns what has changed; `None` if the workspace was deleted or cannot be read.
    async fn look(&mut self) -> Option<String> {
        self.changed.mark_unchanged();
        let events = self.events.take()?;
        match look(&self.app.registry, &self.id, events).await {
            Ok(looked) => {
                let (events, told) = looked?;
                self.events = Some(events);
                Some(told)
            }
            // The reader resumes where it is.
            Err(error) => {
                tracing::error!(error = error.sentence(), "a workspace's events cannot be read");
                None
            }
        }
    }
}
