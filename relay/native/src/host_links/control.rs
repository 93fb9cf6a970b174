//! The link on which a host reports its sessions and is asked to start new ones.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use moorline_shared::control::{Hello, ToHost, ToRelay};
use moorline_shared::id::HostId;
use moorline_shared::limits::RESUME_DEADLINE;
use moorline_shared::message::close;
use moorline_shared::pod::PodMetrics;
use tokio::time::{Sleep, sleep};
use tracing::Instrument as _;

use super::link::Link;
use super::link_driver::{LinkClose, LinkDriver, LinkHandler};
use crate::auth::AccessLease;
use crate::hosts::HostLease;
use crate::registry::Registry;
use moorline_core::reconciliation::other_protocol;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The relay's side of the link.
struct ControlHandler {
    registry: Arc<Registry>,
    id: HostId,
    phase: ControlPhase,
    /// Messages to send next.
    saying: Vec<ToHost>,
    /// The last counts of the host's pods.
    pods: Option<Arc<PodMetrics>>,
}

enum ControlPhase {
    /// The host has not said hello yet.
    Expecting {
        too_late: Pin<Box<Sleep>>,
    },
    Here(HostLease),
    Refused(LinkClose),
}

/// Serves a host's control link until it ends.
pub async fn keep<L>(link: L, id: HostId, registry: Arc<Registry>, mut lease: AccessLease)
where
    L: Link<In = ToRelay, Out = ToHost>,
{
    let span = tracing::info_span!("host", %id);
    async {
        let phase = ControlPhase::Expecting { too_late: Box::pin(sleep(RESUME_DEADLINE)) };
        let mut asking = ControlHandler { registry, id, phase, saying: Vec::new(), pods: None };
        let mut talk = LinkDriver::new(link);
        let end = talk.run(&mut asking, &mut lease).await;
        let ControlHandler { registry, id, phase, pods, .. } = asking;
        if let Some(pods) = pods {
            registry.services().metrics.pods.remove(&id, &pods);
        }
        let was_here = matches!(phase, ControlPhase::Here(_));
        drop(phase);
        if was_here {
            tracing::info!(?end, "the host is offline");
            registry.host_left(&id);
        }
        if let LinkClose::Close { code, reason } = end {
            talk.close(code, reason).await;
        }
    }
    .instrument(span)
    .await;
}

impl LinkHandler<ToRelay, ToHost> for ControlHandler {
    fn hear(&mut self, said: &mut Vec<ToRelay>) -> Result<(), LinkClose> {
        for message in said.drain(..) {
            match (&self.phase, message) {
                (ControlPhase::Expecting { .. }, ToRelay::Hello(hello)) => {
                    self.greet(&hello.cleaned())
                }
                (
                    ControlPhase::Here(seat),
                    answer @ (ToRelay::Started { request, .. }
                    | ToRelay::Failed { request, .. }
                    | ToRelay::Agents { request, .. }
                    | ToRelay::Changes { request, .. }
                    | ToRelay::Files { request, .. }
                    | ToRelay::FoundFiles { request, .. }
                    | ToRelay::Operations { request, .. }
                    | ToRelay::Pods { request, .. }
                    | ToRelay::Rules { request, .. }
                    | ToRelay::Tmux { request, .. }
                    | ToRelay::TmuxServers { request, .. }),
                ) => seat.answered(request, answer),
                (ControlPhase::Here(_), ToRelay::Opened { session }) => {
                    self.registry.adopt(&self.id, &session.cleaned());
                }
                (ControlPhase::Here(_), ToRelay::PodMetrics { metrics }) => {
                    self.report_pods(metrics);
                }
                (_, ToRelay::Ping { t }) => self.saying.push(ToHost::Pong { t }),
                // Messages of other versions, and a second hello, are ignored.
                _ => {}
            }
        }
        Ok(())
    }

    fn say(&mut self, saying: &mut Vec<ToHost>) -> Result<(), LinkClose> {
        saying.append(&mut self.saying);
        match &self.phase {
            ControlPhase::Expecting { too_late } if too_late.is_elapsed() => {
                Err(LinkClose::Close { code: close::PROTOCOL, reason: "send hello first" })
            }
            ControlPhase::Expecting { .. } | ControlPhase::Here(_) => Ok(()),
            ControlPhase::Refused(end) => Err(*end),
        }
    }

    fn poll_woken(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.phase {
            ControlPhase::Expecting { too_late } => ready!(too_late.as_mut().poll(context)),
            ControlPhase::Here(seat) => match ready!(seat.poll_request(context)) {
                Some(message) => self.saying.push(message),
                None => self.refuse("replaced", "another host with this id has connected".into()),
            },
            ControlPhase::Refused(_) => {}
        }
        Poll::Ready(())
    }
}

impl ControlHandler {
    fn greet(&mut self, hello: &Hello) {
        if let Some(message) = other_protocol(hello, VERSION) {
            tracing::error!("{message}");
            return self.refuse("protocol", message);
        }
        if hello.version == VERSION {
            tracing::info!(name = hello.name, sessions = hello.sessions.len(), "a host connected");
        } else {
            let (host, relay) = (&hello.version, VERSION);
            tracing::warn!(host, relay, "a host of another version connected; it is compatible");
        }
        let (seat, forget) = self.registry.greet(&self.id, hello);
        self.saying.push(ToHost::Welcome { version: VERSION.to_owned() });
        self.saying.extend(forget.into_iter().map(|session_id| ToHost::Forget { session_id }));
        self.phase = ControlPhase::Here(seat);
    }

    /// Takes counts of the host's pods.
    fn report_pods(&mut self, metrics: serde_json::Value) {
        // A later version may count what this one cannot read.
        let Ok(metrics) = serde_json::from_value(metrics) else { return };
        let metrics = Arc::new(metrics);
        self.registry.services().metrics.pods.insert(&self.id, &metrics);
        self.pods = Some(metrics);
    }

    fn refuse(&mut self, code: &str, message: String) {
        self.saying.push(ToHost::Refused { code: code.to_owned(), message });
        let (code, reason) = match code {
            "replaced" => (close::REPLACED, "another host with this id has connected"),
            _ => (close::FORBIDDEN, "the protocol version is not supported"),
        };
        self.phase = ControlPhase::Refused(LinkClose::Close { code, reason });
    }
}
