//! The host: runs sessions, and keeps them published to one relay.
//!
//! [`Host::start`] dials the relay and goes on doing so for ever. On the control link the relay
//! asks for what it wants; each session has a link of its own, on which it is published until it
//! is over and the relay has made all of it durable. Whatever becomes of links and relay, sessions
//! run on: only their own end, [`Host::stop`], and a relay that says that a session was deleted or
//! has gone on elsewhere end one.

mod control;
mod publication;
mod start;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_shared::control::Hosted;
use moorline_shared::id::SessionId;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::AbortHandle;

use crate::dial::Dial;
use crate::driver::Drivers;
use crate::session::Session;
pub use start::StartError;

/// Links that are dialled at a time: a thousand sessions of a relay that is back come one after
/// the other.
const DIALS: usize = 16;

/// How long a host that ends waits for a relay that is away: one that has just been restarted is
/// back within that.
const AWAY_LIMIT: Duration = Duration::from_secs(2);

/// What a host is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The machine's name, as people know it.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// Where shells' integration scripts are kept, if they are to be used.
    pub integration: Option<PathBuf>,
    /// Spreads the waits between dials.
    pub seed: u64,
}

/// How the host and its relay stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// The relay was not reached yet, or is away; the reason, once there is one.
    Away(Option<String>),
    /// The relay has welcomed the host.
    Linked {
        /// The version of the relay's program.
        version: String,
    },
    /// The relay does not want the host. It is asked again from time to time, unless another host
    /// has the same id.
    Refused {
        /// The relay's reason, a sentence for people.
        message: String,
    },
}

/// Runs sessions, and keeps them published to one relay.
pub struct Host {
    config: Config,
    drivers: Drivers,
    dial: Arc<dyn Dial>,
    painters: Arc<Semaphore>,
    dials: Semaphore,
    state: Mutex<HostState>,
    /// How many sessions there are and are being started.
    count: watch::Sender<usize>,
    link_state: watch::Sender<LinkState>,
    /// The relay is here: whatever waits to dial does so now.
    arrived: Notify,
    /// The relay must be told anew what there is.
    renewed: watch::Sender<()>,
}

/// What the lock guards.
#[derive(Default)]
struct HostState {
    sessions: BTreeMap<SessionId, Slot>,
    /// Ids of sessions that are being started, and what a relay will be told of each, in bytes.
    busy: BTreeMap<SessionId, usize>,
    /// Ends with [`Host::stop`].
    control: Option<AbortHandle>,
    stopping: bool,
}

struct Slot {
    session: Arc<Session>,
    publishing: AbortHandle,
    /// What a relay is told of it, in bytes.
    told_bytes: usize,
}

impl HostState {
    /// What a relay is told of all sessions, in bytes.
    fn told_bytes(&self) -> usize {
        let running = self.sessions.values().map(|slot| slot.told_bytes);
        running.chain(self.busy.values().copied()).sum()
    }
}

impl Host {
    /// Dials the relay, and goes on until [`Host::stop`]. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(config: Config, dial: Arc<dyn Dial>) -> Arc<Self> {
        let drivers = Drivers::built_in(config.integration.clone());
        Self::with_drivers(config, drivers, dial)
    }

    /// As [`Host::start`], with drivers of the caller's.
    #[must_use]
    pub fn with_drivers(config: Config, drivers: Drivers, dial: Arc<dyn Dial>) -> Arc<Self> {
        let painters = std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2);
        let host = Arc::new(Self {
            config,
            drivers,
            dial,
            painters: Arc::new(Semaphore::new(painters.max(1))),
            dials: Semaphore::new(DIALS),
            state: Mutex::default(),
            count: watch::Sender::new(0),
            link_state: watch::Sender::new(LinkState::Away(None)),
            arrived: Notify::new(),
            renewed: watch::Sender::new(()),
        });
        let control = tokio::spawn(control::keep_linked(Arc::clone(&host)));
        host.state().control = Some(control.abort_handle());
        host
    }

    /// How host and relay stand, and every change of that.
    #[must_use]
    pub fn link_state(&self) -> watch::Receiver<LinkState> {
        self.link_state.subscribe()
    }

    /// The sessions that run, and those that are over and not all durable at the relay.
    #[must_use]
    pub fn sessions(&self) -> Vec<Hosted> {
        self.state().sessions.values().map(|slot| slot.session.hosted().clone()).collect()
    }

    /// Ends all sessions, starts nothing more, and returns when the relay has made everything
    /// durable, has been away for two seconds, or `limit` is over; then all links are closed. False
    /// if something is left.
    pub async fn stop(&self, limit: Duration) -> bool {
        let sessions: Vec<_> = {
            let mut state = self.state();
            state.stopping = true;
            state.sessions.values().map(|slot| Arc::clone(&slot.session)).collect()
        };
        for session in sessions {
            session.close();
        }
        let mut count = self.count.subscribe();
        let done = tokio::select! {
            done = tokio::time::timeout(limit, count.wait_for(|count| *count == 0)) => done.is_ok(),
            () = self.relay_away() => false,
        };
        let mut state = self.state();
        state.control.iter().for_each(AbortHandle::abort);
        for (id, slot) in std::mem::take(&mut state.sessions) {
            tracing::warn!(session = %id, "not all of a session reached the relay in time");
            slot.publishing.abort();
        }
        done
    }

    /// Returns when the relay has been away for a while.
    async fn relay_away(&self) {
        let mut link_state = self.link_state();
        let is_linked = |link_state: &LinkState| matches!(link_state, LinkState::Linked { .. });
        // The sender is the host's own.
        while link_state.wait_for(|link_state| !is_linked(link_state)).await.is_ok() {
            let back = link_state.wait_for(is_linked);
            if tokio::time::timeout(AWAY_LIMIT, back).await.is_err() {
                tracing::warn!("the relay is away: it does not get the last output of sessions");
                return;
            }
        }
    }

    /// Ends a session, whatever it does, and forgets it.
    fn forget(&self, id: &SessionId) {
        let forgotten = self.state().sessions.remove(id);
        if let Some(Slot { session, publishing, .. }) = forgotten {
            publishing.abort();
            session.abandon();
            self.count_anew();
        }
    }

    /// Lets go of a session that needs no link any more.
    fn retire(&self, session: &Arc<Session>) {
        let mut state = self.state();
        let is_same = |slot: &Slot| Arc::ptr_eq(&slot.session, session);
        if state.sessions.get(session.id()).is_some_and(is_same) {
            state.sessions.remove(session.id());
        }
        drop(state);
        self.count_anew();
    }

    fn count_anew(&self) {
        let state = self.state();
        self.count.send_replace(state.sessions.len() + state.busy.len());
    }

    fn state(&self) -> MutexGuard<'_, HostState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { config, count, .. } = self;
        let (name, sessions) = (&config.name, *count.borrow());
        write!(f, "Host {{ name: {name:?}, sessions: {sessions} }}")
    }
}
