//! The hosts that run this relay's sessions: who is here, what each is asked, and what it answers.

mod control;
mod link;
mod local;
mod publish;
mod talk;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_shared::control::{ToHost, ToRelay};
use moorline_shared::id::HostId;
use moorline_shared::publish::RequestId;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

pub use control::keep as keep_control;
pub use link::{Gone, Heard, Link, Local, Socket};
pub use local::InProcess;
use moorline_core::plan::HostError;
pub use publish::receive;

/// What a host gets to answer a request.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Requests to one host that are not sent yet.
const REQUESTS_WAITING: usize = 256;

/// A control link that is open.
#[derive(Debug)]
struct Control {
    number: u64,
    sender: mpsc::Sender<ToHost>,
    /// Whoever waits for an answer.
    asked: HashMap<RequestId, oneshot::Sender<ToRelay>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Of the hosts that are connected.
    links: HashMap<HostId, Control>,
    /// Number of the last link.
    last_link: u64,
    last_request: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Hosts {
    known: Mutex<Known>,
    /// Sent to whenever a host comes or goes.
    changed: watch::Sender<()>,
    /// Whether this relay runs a host of its own.
    has_local: bool,
}

/// The place of a host's one control link. The host is away once it is dropped.
#[derive(Debug)]
pub struct Seat {
    hosts: Arc<Hosts>,
    id: HostId,
    number: u64,
    /// Ends when another link has taken this one's place.
    requests: mpsc::Receiver<ToHost>,
}

impl Hosts {
    /// None is connected. With `has_local` this relay runs one of its own.
    #[must_use]
    pub fn new(has_local: bool) -> Arc<Self> {
        let (known, changed) = (Mutex::default(), watch::Sender::new(()));
        Arc::new(Self { known, changed, has_local })
    }

    /// Whether this relay sees to a host of its own.
    #[must_use]
    pub const fn has_local(&self) -> bool {
        self.has_local
    }

    /// Whether a host is connected.
    #[must_use]
    pub fn is_here(&self, id: &HostId) -> bool {
        self.known().links.contains_key(id)
    }

    /// Wakes whenever a host comes or goes.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// A host has connected. An older link of the same host is replaced.
    #[must_use]
    pub fn arrived(self: &Arc<Self>, id: &HostId) -> Seat {
        let (sender, requests) = mpsc::channel(REQUESTS_WAITING);
        let mut known = self.known();
        known.last_link += 1;
        let number = known.last_link;
        known.links.insert(id.clone(), Control { number, sender, asked: HashMap::new() });
        drop(known);
        self.changed.send_replace(());
        Seat { hosts: Arc::clone(self), id: id.clone(), number, requests }
    }

    /// Waits until a host is connected, for as long as `patience`.
    pub async fn wait_for(&self, id: &HostId, patience: Duration) {
        let mut changed = self.changed.subscribe();
        // The sender is this one's own, so it cannot be gone.
        let connected = async { while !self.is_here(id) && changed.changed().await.is_ok() {} };
        // Whether it came is looked up by whoever asks it for something.
        let _ = timeout(patience, connected).await;
    }

    /// Asks a host for something, and waits for the answer.
    ///
    /// # Errors
    /// [`HostError`].
    pub async fn ask(
        &self,
        id: &HostId,
        request: impl FnOnce(RequestId) -> ToHost,
    ) -> Result<ToRelay, HostError> {
        let (asking, room, answer) = {
            let mut known = self.known();
            known.last_request += 1;
            let number = RequestId(known.last_request);
            let link = known.links.get_mut(id).ok_or_else(|| HostError::Away(id.clone()))?;
            let (sender, answer) = oneshot::channel();
            link.asked.insert(number, sender);
            let asking = Asking { hosts: self, id, link: link.number, request: number };
            (asking, link.sender.clone(), answer)
        };
        let message = request(asking.request);
        let asked = async {
            // Who leaves much unread is waited for, like one who answers late.
            room.send(message).await.ok()?;
            answer.await.ok()
        };
        let answer = timeout(ANSWER_LIMIT, asked).await;
        drop(asking);
        answer.ok().flatten().ok_or_else(|| HostError::Silent(id.clone()))
    }

    /// Tells a host something, if it is here.
    pub fn tell(&self, id: &HostId, message: ToHost) {
        let known = self.known();
        if let Some(link) = known.links.get(id)
            && link.sender.try_send(message).is_err()
        {
            tracing::warn!(host = %id, "a host leaves what it is told unread");
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Someone who waits for an answer.
struct Asking<'a> {
    hosts: &'a Hosts,
    id: &'a HostId,
    link: u64,
    request: RequestId,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut known = self.hosts.known();
        let link = known.links.get_mut(self.id);
        if let Some(link) = link.filter(|link| link.number == self.link) {
            link.asked.remove(&self.request);
        }
    }
}

impl Seat {
    /// The host has answered.
    fn answered(&self, request: RequestId, answer: ToRelay) {
        let mut known = self.hosts.known();
        let link = known.links.get_mut(&self.id);
        let link = link.filter(|link| link.number == self.number);
        if let Some(asked) = link.and_then(|link| link.asked.remove(&request)) {
            // Whoever asked may have gone away.
            let _ = asked.send(answer);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut known = self.hosts.known();
        if known.links.get(&self.id).is_some_and(|link| link.number == self.number) {
            known.links.remove(&self.id);
        }
        drop(known);
        self.hosts.changed.send_replace(());
    }
}
