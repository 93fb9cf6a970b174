//! The hosts that run this relay's sessions: which are connected, and requests to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use moorline_core::plan::{ANSWER_PATIENCE, HostError};
use moorline_shared::control::{ToHost, ToRelay};
use moorline_shared::id::HostId;
use moorline_shared::publish::RequestId;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

/// Limit of the messages to one host that are not sent yet.
const REQUESTS_WAITING: usize = 256;

/// The open control link of a host.
#[derive(Debug)]
struct Control {
    number: u64,
    sender: mpsc::Sender<ToHost>,
    /// Requests that wait for an answer.
    asked: HashMap<RequestId, oneshot::Sender<ToRelay>>,
}

#[derive(Debug, Default)]
struct HostTable {
    /// The links of the hosts that are connected.
    links: HashMap<HostId, Control>,
    /// The number of the newest link. Numbers are never reused.
    last_link: u64,
    last_request: u64,
}

/// The connected hosts of a relay.
#[derive(Debug)]
pub struct Hosts {
    known: Mutex<HostTable>,
    /// Notified when a host connects or disconnects.
    changed: watch::Sender<()>,
    /// True if this relay runs a host of its own.
    has_local: bool,
}

/// The place of a host's one control link. Dropping it marks the host as away.
#[derive(Debug)]
pub struct HostLease {
    hosts: Arc<Hosts>,
    id: HostId,
    number: u64,
    /// Messages for the host. Closed once another link has replaced this one.
    requests: mpsc::Receiver<ToHost>,
}

impl Hosts {
    /// Starts without connected hosts. With `has_local` this relay runs a host of its own.
    #[must_use]
    pub fn new(has_local: bool) -> Arc<Self> {
        let (known, changed) = (Mutex::default(), watch::Sender::new(()));
        Arc::new(Self { known, changed, has_local })
    }

    /// Returns true if this relay runs a host of its own.
    #[must_use]
    pub const fn has_local(&self) -> bool {
        self.has_local
    }

    /// Returns true if the host is connected.
    #[must_use]
    pub fn is_here(&self, id: &HostId) -> bool {
        self.known().links.contains_key(id)
    }

    /// Returns a receiver that is notified when a host connects or disconnects.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Notifies those who wait for a host, because one has reported a session.
    pub fn changed(&self) {
        self.changed.send_replace(());
    }

    /// Seats a host that has connected. An older link of the same host is replaced.
    #[must_use]
    pub fn arrived(self: &Arc<Self>, id: &HostId) -> HostLease {
        let (sender, requests) = mpsc::channel(REQUESTS_WAITING);
        let mut known = self.known();
        known.last_link += 1;
        let number = known.last_link;
        known.links.insert(id.clone(), Control { number, sender, asked: HashMap::new() });
        drop(known);
        self.changed.send_replace(());
        HostLease { hosts: Arc::clone(self), id: id.clone(), number, requests }
    }

    /// Waits until a host is connected, for `patience` at most.
    pub async fn wait_for(&self, id: &HostId, patience: Duration) {
        let mut changed = self.changed.subscribe();
        // The sender belongs to this value, so this cannot fail.
        let connected = async { while !self.is_here(id) && changed.changed().await.is_ok() {} };
        // Ignored: the caller's next request fails if the host is still away.
        let _ = timeout(patience, connected).await;
    }

    /// Sends a request to a host and waits for the answer, for [`ANSWER_PATIENCE`] at most.
    ///
    /// # Errors
    /// [`HostError`].
    pub async fn ask(
        &self,
        id: &HostId,
        request: impl FnOnce(RequestId) -> ToHost,
    ) -> Result<ToRelay, HostError> {
        self.ask_within(id, ANSWER_PATIENCE, request).await
    }

    /// Sends a request to a host and waits for the answer, for `patience` at most.
    ///
    /// # Errors
    /// [`HostError`].
    pub async fn ask_within(
        &self,
        id: &HostId,
        patience: Duration,
        request: impl FnOnce(RequestId) -> ToHost,
    ) -> Result<ToRelay, HostError> {
        let (asking, room, answer) = {
            let mut known = self.known();
            known.last_request += 1;
            let number = RequestId(known.last_request);
            let link = known.links.get_mut(id).ok_or_else(|| HostError::Away(id.clone()))?;
            let (sender, answer) = oneshot::channel();
            link.asked.insert(number, sender);
            let asking = PendingRequest { hosts: self, id, link: link.number, request: number };
            (asking, link.sender.clone(), answer)
        };
        let message = request(asking.request);
        let asked = async {
            // Waiting for room counts against the same limit as waiting for the answer.
            room.send(message).await.ok()?;
            answer.await.ok()
        };
        let answer = timeout(patience, asked).await;
        drop(asking);
        answer.ok().flatten().ok_or_else(|| HostError::Silent(id.clone()))
    }

    /// Sends a message to a host that is connected. Drops it if too many are waiting.
    pub fn tell(&self, id: &HostId, message: ToHost) {
        let known = self.known();
        if let Some(link) = known.links.get(id)
            && link.sender.try_send(message).is_err()
        {
            tracing::warn!(host = %id, "a host does not read its messages");
        }
    }

    fn known(&self) -> MutexGuard<'_, HostTable> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits for an answer. Dropping it forgets the request.
struct PendingRequest<'a> {
    hosts: &'a Hosts,
    id: &'a HostId,
    link: u64,
    request: RequestId,
}

impl Drop for PendingRequest<'_> {
    fn drop(&mut self) {
        let mut known = self.hosts.known();
        let link = known.links.get_mut(self.id);
        if let Some(link) = link.filter(|link| link.number == self.link) {
            link.asked.remove(&self.request);
        }
    }
}

impl HostLease {
    /// Polls for the next message for the host. Ready with `None` once another link has replaced this one.
    pub fn poll_request(&mut self, context: &mut Context<'_>) -> Poll<Option<ToHost>> {
        self.requests.poll_recv(context)
    }

    /// Passes an answer on to the request that waits for it.
    pub fn answered(&self, request: RequestId, answer: ToRelay) {
        let mut known = self.hosts.known();
        let link = known.links.get_mut(&self.id);
        let link = link.filter(|link| link.number == self.number);
        if let Some(asked) = link.and_then(|link| link.asked.remove(&request)) {
            // The receiver may have been dropped.
            let _ = asked.send(answer);
        }
    }
}

impl Drop for HostLease {
    fn drop(&mut self) {
        let mut known = self.hosts.known();
        if known.links.get(&self.id).is_some_and(|link| link.number == self.number) {
            known.links.remove(&self.id);
        }
        drop(known);
        self.hosts.changed.send_replace(());
    }
}
