//! `GET /api/events`: the list of sessions and projects, live.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use moorline_shared::limits::HEARTBEAT;
use moorline_shared::sse;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::descriptions;
use super::events::response;
use super::{App, Caller};
use crate::auth::{AccessEnd, AccessLease};
use moorline_core::api::responses::Guarded;
use moorline_core::auth::Access;
use moorline_core::events::{RETRY_MS, RETRY_SOON_MS};
use moorline_core::overview::{OverviewStream, ROUND};
use moorline_core::routes::Route;

/// Longest time between two rounds. New times of activity alone do not start one earlier.
const SLOW_ROUND: Duration = Duration::from_secs(5);

/// Follow the lists of sessions and projects
#[utoipa::path(
    get, path = "/api/events", tag = "Events", operation_id = "listEvents",
    description = descriptions::OVERVIEW,
    security(("bearer" = []), ("cookie" = []), ("ticket" = [])),
    responses(Guarded,
        (status = 200, description = "Events, without an end.", body = String,
            content_type = "text/event-stream")),
)]
pub(super) fn open(app: &Arc<App>, caller: &Caller, route: &'static Route) -> Response {
    let services = app.registry.services();
    let lease = app.connect(caller, route, "");
    let signal = lease.signal();
    let live = LiveOverview {
        changed: services.listing.subscribe(),
        lease,
        access: caller.grant.access.clone(),
        app: Arc::clone(app),
        stream: OverviewStream::default(),
        round: Instant::now(),
        said: Instant::now(),
        phase: OverviewPhase::Opening,
    };
    let chunks = stream::unfold(live, |mut live| async {
        let chunk = live.next().await?;
        Some((Ok(Bytes::from(chunk)), live))
    });
    response(chunks, signal)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OverviewPhase {
    Opening,
    Open,
    Ended,
}

struct LiveOverview {
    app: Arc<App>,
    stream: OverviewStream,
    changed: watch::Receiver<()>,
    lease: AccessLease,
    access: Access,
    /// The time of the last round.
    round: Instant,
    /// The time at which something was sent last.
    said: Instant,
    phase: OverviewPhase,
}

impl LiveOverview {
    async fn next(&mut self) -> Option<String> {
        let chunk = match self.phase {
            OverviewPhase::Opening => {
                self.phase = OverviewPhase::Open;
                sse::encode_retry(RETRY_MS) + &self.look()
            }
            OverviewPhase::Open => self.wait_for_change().await,
            OverviewPhase::Ended => return None,
        };
        self.said = Instant::now();
        Some(chunk)
    }

    async fn wait_for_change(&mut self) -> String {
        loop {
            let heartbeat = self.said + HEARTBEAT;
            let changed = async {
                // Cannot fail: the sender outlives every request.
                let _ = self.changed.changed().await;
                sleep_until(self.round + ROUND).await;
            };
            tokio::select! {
                () = changed => {}
                () = sleep_until(self.round + SLOW_ROUND) => {}
                ending = self.lease.ended() => {
                    self.phase = OverviewPhase::Ended;
                    // A reader that reconnects is told why its token is refused.
                    return match ending {
                        AccessEnd::ShuttingDown => sse::encode_retry(RETRY_SOON_MS),
                        AccessEnd::NotAllowed => sse::HEARTBEAT.to_owned(),
                    };
                }
            }
            let told = self.look();
            if !told.is_empty() {
                return told;
            }
            if Instant::now() >= heartbeat {
                return sse::HEARTBEAT.to_owned();
            }
        }
    }

    fn look(&mut self) -> String {
        self.changed.mark_unchanged();
        self.round = Instant::now();
        self.stream.update(self.app.registry.overview(&self.access))
    }
}
