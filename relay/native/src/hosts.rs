//! The hosts that run this relay's sessions: who is here, what each is asked, and what it answers.

mod control;
mod link;
mod local;
mod publish;
mod talk;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_shared::control::{Hello, Hosted, ToHost, local_host};
use moorline_shared::id::HostId;
use moorline_shared::publish::RequestId;
use moorline_shared::rest::{ContextFile, HostList};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::clock::wall_ms;
use super::store::HostRecord;
pub use control::keep as keep_control;
pub use link::{Gone, Heard, Link, Local, Read, Socket, Write};
pub use local::InProcess;
use moorline_core::hosts::{self, ListedHost};
use moorline_core::plan::{HostError, choose};
pub use publish::receive;

/// What a host gets to answer a request.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// What a host gets to connect that is about to, as this relay's own after a start.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(5);
/// Requests to one host that are not sent yet.
const REQUESTS_WAITING: usize = 256;

/// What a host answered.
#[derive(Debug)]
pub enum Answer {
    /// The session runs.
    Started(Box<Hosted>),
    /// The request could not be done.
    Failed {
        /// Stable.
        code: String,
        /// For people.
        message: String,
    },
    /// The files that are there.
    Files(Vec<ContextFile>),
}

/// One host.
#[derive(Debug)]
struct Host {
    record: HostRecord,
    link: Option<Control>,
}

/// A control link that is open.
#[derive(Debug)]
struct Control {
    number: u64,
    sender: mpsc::Sender<ToHost>,
    /// Whoever waits for an answer.
    asked: HashMap<RequestId, oneshot::Sender<Answer>>,
}

#[derive(Debug, Default)]
struct Known {
    hosts: BTreeMap<HostId, Host>,
    links: u64,
    last_request: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Hosts {
    known: Mutex<Known>,
    /// Sent to whenever a host comes or goes.
    changed: watch::Sender<()>,
    /// Whether this relay sees to a host of its own.
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
    /// These are known, and away. With `has_local` this relay sees to one of its own.
    #[must_use]
    pub fn new(records: Vec<HostRecord>, has_local: bool) -> Arc<Self> {
        let host = |record: HostRecord| (record.id.clone(), Host { record, link: None });
        let hosts = records.into_iter().map(host).collect();
        let known = Mutex::new(Known { hosts, ..Known::default() });
        Arc::new(Self { known, changed: watch::Sender::new(()), has_local })
    }

    /// Whether this relay sees to a host of its own.
    #[must_use]
    pub const fn has_local(&self) -> bool {
        self.has_local
    }

    /// Whether a host is connected.
    #[must_use]
    pub fn is_here(&self, id: &HostId) -> bool {
        self.known().hosts.get(id).is_some_and(|host| host.link.is_some())
    }

    /// Wakes whenever a host comes or goes.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// A host is here. An older link of the same host is replaced. Returns the host's row, too.
    #[must_use]
    pub fn arrived(self: &Arc<Self>, id: &HostId, hello: &Hello) -> (Seat, HostRecord) {
        let (sender, requests) = mpsc::channel(REQUESTS_WAITING);
        let record = HostRecord {
            id: id.clone(),
            name: hello.name.clone(),
            version: hello.version.clone(),
            drivers: hello.drivers.clone(),
            last_seen_ms: wall_ms(),
        };
        let mut known = self.known();
        known.links += 1;
        let number = known.links;
        let link = Control { number, sender, asked: HashMap::new() };
        let host = Host { record: record.clone(), link: Some(link) };
        known.hosts.insert(id.clone(), host);
        drop(known);
        self.changed.send_replace(());
        let seat = Seat { hosts: Arc::clone(self), id: id.clone(), number, requests };
        (seat, record)
    }

    /// The host on which a session is to be started: the one that is named, else this relay's own,
    /// else the only one that is connected. Waits a moment for one that is about to come.
    ///
    /// # Errors
    /// [`HostError`].
    pub async fn choose(&self, wanted: Option<&HostId>) -> Result<HostId, HostError> {
        let mut changed = self.changed.subscribe();
        let chosen = async {
            loop {
                changed.mark_unchanged();
                match self.chosen(wanted) {
                    Err(error) if !self.is_coming(wanted) => return Err(error),
                    Ok(id) => return Ok(id),
                    // The sender is this registry's own, so it cannot be gone.
                    Err(_) => _ = changed.changed().await,
                }
            }
        };
        match timeout(ARRIVAL_LIMIT, chosen).await {
            Ok(chosen) => chosen,
            Err(_) => self.chosen(wanted),
        }
    }

    fn chosen(&self, wanted: Option<&HostId>) -> Result<HostId, HostError> {
        let known = self.known();
        let hosts = known.hosts.iter().map(|(id, host)| (id, host.link.is_some()));
        choose(hosts, wanted, self.has_local)
    }

    /// Whether it is this relay's own that is asked for.
    fn is_coming(&self, wanted: Option<&HostId>) -> bool {
        self.has_local && wanted.is_none_or(|id| *id == local_host())
    }

    /// Whether a host has this driver; that of one that is away is not known.
    #[must_use]
    pub fn drivers(&self, id: &HostId) -> Vec<String> {
        self.known().hosts.get(id).map(|host| host.record.drivers.clone()).unwrap_or_default()
    }

    /// Asks a host for something, and waits for the answer.
    ///
    /// # Errors
    /// [`HostError`].
    pub async fn ask(
        &self,
        id: &HostId,
        request: impl FnOnce(RequestId) -> ToHost,
    ) -> Result<Answer, HostError> {
        let (asking, room, answer) = {
            let mut known = self.known();
            known.last_request += 1;
            let number = RequestId(known.last_request);
            let host = known.hosts.get_mut(id).ok_or_else(|| HostError::Unknown(id.clone()))?;
            let link = host.link.as_mut().ok_or_else(|| HostError::Away(id.clone()))?;
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
        let link = known.hosts.get(id).and_then(|host| host.link.as_ref());
        if let Some(link) = link
            && link.sender.try_send(message).is_err()
        {
            tracing::warn!(host = %id, "a host leaves what it is told unread");
        }
    }

    /// All of them; how many sessions each has is `count`'s to tell.
    #[must_use]
    pub fn list(&self, count: impl Fn(&HostId) -> usize) -> HostList {
        let rows: Vec<_> = {
            let known = self.known();
            let rows = known.hosts.values();
            rows.map(|host| (host.record.clone(), host.link.is_some())).collect()
        };
        let listed = |(record, connected): (HostRecord, bool)| ListedHost {
            sessions: count(&record.id),
            record,
            connected,
        };
        hosts::list(rows.into_iter().map(listed), wall_ms())
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
        let link = known.hosts.get_mut(self.id).and_then(|host| host.link.as_mut());
        if let Some(link) = link.filter(|link| link.number == self.link) {
            link.asked.remove(&self.request);
        }
    }
}

impl Seat {
    /// The host has answered.
    fn answered(&self, request: RequestId, answer: Answer) {
        let mut known = self.hosts.known();
        let link = known.hosts.get_mut(&self.id).and_then(|host| host.link.as_mut());
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
        if let Some(host) = known.hosts.get_mut(&self.id)
            && host.link.as_ref().is_some_and(|link| link.number == self.number)
        {
            host.record.last_seen_ms = wall_ms();
            host.link = None;
        }
        drop(known);
        self.hosts.changed.send_replace(());
    }
}
