//! The host: runs sessions, and keeps them published to one relay.
//!
//! [`Host::start`] dials the relay, and keeps doing so forever. On the control link the relay sends
//! requests. Each session is published on a link of its own until it is over and the relay has made
//! all of it durable. Sessions survive the loss of links and relay. They end by themselves, by
//! [`Host::stop`], or if a relay reports that a session was deleted or continues elsewhere.

mod control;
mod folders;
mod fork;
mod opener;
mod pod_reports;
mod publication;
mod restore;
mod start;
mod synced_output;
mod threads;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use moorline_shared::control::{Facts, Hosted};
use moorline_shared::id::SessionId;
use tokio::net::UnixListener;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::approvals::RuleBook;
use crate::ask::{AskServer, AskSocket, rules_path};
use crate::dial::Dial;
use crate::driver::agent::AgentKeeper;
use crate::driver::kubernetes::KubernetesConfig;
use crate::driver::{Driver, Drivers, Survival, TerminalOpener, blocking};
use crate::file_search::FileFinder;
use crate::journal::Journal;
use crate::session::{Session, SessionServices};
use crate::workspace::{DialRemote, SessionWorkspace, SyncFailure};
use folders::{HeldFolder, HostWorkspaces};
pub use fork::ForkError;
use opener::HostOpener;
pub use start::StartError;
pub use threads::SessionThreads;

/// The most links that are dialled at a time: after a relay's return, a thousand sessions reconnect
/// one after another.
const DIALS: usize = 16;

/// The most previews of operations at a time. Each may hold the files of a list in memory.
const PREVIEWS: usize = 2;

/// Time that a stopping host waits for a relay that is away; a relay that was just restarted
/// returns within it.
const AWAY_LIMIT: Duration = Duration::from_secs(2);

/// Interval at which drivers look for what sessions have left behind.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// The folder of keepers' sockets, in the host's folder.
const AGENTS: &str = "agents";

/// The settings of a host.
#[derive(Debug, Clone)]
pub struct Config {
    /// The machine's name, for display.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// The folder for the shells' integration scripts, or `None` to start shells without them.
    pub integration: Option<PathBuf>,
    /// The host's private state folder, or `None` for a host that keeps nothing: its sessions end
    /// with it, programs cannot ask for approvals, and rules are forgotten. It contains the journal
    /// from which sessions continue after the host has died, and what [`crate::ask`] needs.
    pub folder: Option<PathBuf>,
    /// The program of a keeper and its first arguments, by which agents outlive the host: see
    /// [`crate::keeper`]. Empty to end them with the host.
    pub keeper: Vec<OsString>,
    /// The program that hands over the output of tmux's panes, and its first arguments: see
    /// [`TmuxDriver::new`](crate::driver::tmux::TmuxDriver::new). Empty for slower ways.
    pub pane_pipe: Vec<OsString>,
    /// The settings of pods. Their folder is that of the host.
    pub kubernetes: KubernetesConfig,
    /// The threads on which sessions run.
    pub threads: SessionThreads,
    /// Spreads the waits between dials.
    pub seed: u64,
}

/// The state of the link between a host and its relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// The relay has not been reached yet, or is away; with the reason, once there is one.
    Away(Option<String>),
    /// The relay has welcomed the host.
    Linked {
        /// The version of the relay's program.
        version: String,
    },
    /// The relay refuses the host. The host keeps asking from time to time, unless another host has
    /// the same id.
    Refused {
        /// The relay's reason, a sentence for the user.
        message: String,
    },
}

/// Runs sessions, and keeps them published to one relay.
pub struct Host {
    config: Config,
    drivers: Drivers,
    dial: Arc<dyn Dial>,
    /// The journal, if there is one and it can be used.
    journal: Option<Arc<Journal>>,
    painters: Arc<Semaphore>,
    dials: Semaphore,
    files: FileFinder,
    /// Turns of previews of operations and searches for files, and of lists of operations to execute.
    previews: Semaphore,
    executions: Semaphore,
    /// The folders that are in sync with workspaces.
    workspaces: HostWorkspaces,
    /// The rules about approvals.
    book: Arc<RuleBook>,
    /// The socket on which programs ask; `None` if it cannot be opened.
    ask_socket: Option<AskSocket>,
    state: Mutex<HostState>,
    /// The number of sessions that exist or are being started.
    count: watch::Sender<usize>,
    link_state: watch::Sender<LinkState>,
    /// Notified when the relay has welcomed the host: every pending wait before a dial ends.
    arrived: Notify,
    /// Notified when the relay must get a new hello.
    renewed: watch::Sender<()>,
    /// Notified when the relay must hear of sessions that were opened.
    news: Notify,
}

/// The part of a host that its lock guards.
#[derive(Default)]
struct HostState {
    sessions: BTreeMap<SessionId, SessionSlot>,
    /// Ids of sessions that are being started, with the bytes of each one's entry in the hello.
    busy: BTreeMap<SessionId, usize>,
    /// Sessions that were opened since the last hello, and that the relay has not heard of.
    opened: Vec<Hosted>,
    /// The task of the control link, which [`Host::stop`] aborts.
    control: Option<AbortHandle>,
    /// The task that serves the socket on which programs ask, which [`Host::stop`] aborts.
    asking: Option<AbortHandle>,
    stopping: bool,
}

struct SessionSlot {
    session: Arc<Session>,
    publishing: AbortHandle,
    /// Bytes of the session's entry in the hello.
    told_bytes: usize,
}

impl HostState {
    /// Returns the bytes that all sessions take up in the hello.
    fn told_bytes(&self) -> usize {
        let running = self.sessions.values().map(|slot| slot.told_bytes);
        running.chain(self.busy.values().copied()).sum()
    }
}

impl Host {
    /// Starts to dial the relay, and continues until [`Host::stop`]. Must be called within a tokio
    /// runtime.
    #[must_use]
    pub fn start(config: Config, dial: Arc<dyn Dial>) -> Arc<Self> {
        let kept = |folder: &Path| AgentKeeper {
            command: config.keeper.clone(),
            folder: folder.join(AGENTS),
        };
        let keeper = config.folder.as_deref().filter(|_| !config.keeper.is_empty()).map(kept);
        let pods = KubernetesConfig { folder: config.folder.clone(), ..config.kubernetes.clone() };
        let drivers = Drivers::built_in(
            config.integration.clone(),
            keeper,
            config.folder.as_deref(),
            config.pane_pipe.clone(),
            pods,
        );
        Self::with_drivers(config, drivers, dial)
    }

    /// Like [`Host::start`], but with the caller's drivers.
    #[must_use]
    pub fn with_drivers(config: Config, drivers: Drivers, dial: Arc<dyn Dial>) -> Arc<Self> {
        let folder = config.folder.as_deref();
        let book =
            folder.map_or_else(RuleBook::default, |folder| RuleBook::open(rules_path(folder)));
        let (ask_socket, listener) = folder.and_then(open_ask_socket).unzip();
        let painters = std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2);
        let journal = config.folder.as_deref().and_then(restore::open);
        let host = Arc::new(Self {
            config,
            drivers,
            dial,
            journal,
            painters: Arc::new(Semaphore::new(painters.max(1))),
            dials: Semaphore::new(DIALS),
            files: FileFinder::default(),
            previews: Semaphore::new(PREVIEWS),
            executions: Semaphore::new(1),
            workspaces: HostWorkspaces::default(),
            book: Arc::new(book),
            ask_socket,
            state: Mutex::default(),
            count: watch::Sender::new(0),
            link_state: watch::Sender::new(LinkState::Away(None)),
            arrived: Notify::new(),
            renewed: watch::Sender::new(()),
            news: Notify::new(),
        });
        let control = tokio::spawn({
            let host = Arc::clone(&host);
            async move {
                // The first hello lists them, and their programs may ask at once.
                host.restore_sessions().await;
                if let Some(listener) = listener {
                    host.serve_programs(listener);
                }
                tokio::join!(host.sweep(), control::keep_linked(Arc::clone(&host)));
            }
        });
        host.state().control = Some(control.abort_handle());
        host
    }

    /// Has drivers end what sessions have left behind, now and from time to time.
    async fn sweep(&self) {
        loop {
            let known = {
                let state = self.state();
                state.sessions.keys().chain(state.busy.keys()).cloned().collect()
            };
            self.drivers.sweep(&known).await;
            sleep(SWEEP_INTERVAL).await;
        }
    }

    /// Serves the socket on which programs ask.
    fn serve_programs(self: &Arc<Self>, listener: UnixListener) {
        let Some(socket) = &self.ask_socket else { return };
        let host = Arc::downgrade(self);
        let find = move |id: &SessionId| -> BoxFuture<'static, Option<Arc<Session>>> {
            let (host, id) = (Weak::clone(&host), id.clone());
            Box::pin(async move { host.upgrade()?.session_once_started(&id).await })
        };
        let server = AskServer::new(socket.secret(), Arc::clone(&self.book), Box::new(find));
        let mut state = self.state();
        if !state.stopping {
            state.asking = Some(tokio::spawn(server.serve(listener)).abort_handle());
        }
    }

    /// Returns what all sessions share.
    fn services(&self) -> SessionServices {
        let (painters, book) = (Arc::clone(&self.painters), Arc::clone(&self.book));
        SessionServices { painters, book, journal: self.journal.clone() }
    }

    /// Returns the variables with which programs of a session ask.
    fn variables(&self, id: &SessionId) -> BTreeMap<String, String> {
        let socket = self.ask_socket.as_ref();
        socket.map(|socket| socket.variables(id)).unwrap_or_default()
    }

    /// Keeps a session's folder in sync with its workspace, if it names one.
    async fn synced(
        &self,
        facts: &Facts,
        cwd: Option<&Path>,
    ) -> Result<Option<HeldFolder>, SyncFailure> {
        let Some(workspace) = &facts.workspace else { return Ok(None) };
        let Config { folder, name, .. } = &self.config;
        let held =
            self.workspaces.hold(workspace, cwd, folder.as_deref(), name, &self.dial).await?;
        Ok(Some(held))
    }

    /// Returns the workspace of a session whose driver keeps the folder in sync itself.
    fn session_workspace(&self, driver: &dyn Driver, facts: &Facts) -> Option<SessionWorkspace> {
        let id = facts.workspace.clone().filter(|_| driver.has_folders(facts))?;
        let remote = Arc::new(DialRemote::new(Arc::clone(&self.dial), &id));
        Some(SessionWorkspace { id, host: self.config.name.clone(), remote })
    }

    /// Returns what opens sessions beside this one.
    fn opener(self: &Arc<Self>, parent: &SessionId) -> Arc<dyn TerminalOpener> {
        Arc::new(HostOpener { host: Arc::downgrade(self), parent: parent.clone() })
    }

    /// Returns a session, once it is started if it is being started.
    async fn session_once_started(&self, id: &SessionId) -> Option<Arc<Session>> {
        let mut counts = self.count.subscribe();
        loop {
            {
                let state = self.state();
                if let Some(slot) = state.sessions.get(id) {
                    return Some(Arc::clone(&slot.session));
                }
                if !state.busy.contains_key(id) {
                    return None;
                }
            }
            // The count is sent whenever a session has come, or could not be started.
            counts.changed().await.ok()?;
        }
    }

    fn session(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.state().sessions.get(id).map(|slot| Arc::clone(&slot.session))
    }

    /// Returns the state of the link to the relay, with every change of it.
    #[must_use]
    pub fn link_state(&self) -> watch::Receiver<LinkState> {
        self.link_state.subscribe()
    }

    /// Returns the sessions that run, and ended ones that are not all durable at the relay.
    #[must_use]
    pub fn sessions(&self) -> Vec<Hosted> {
        self.state().sessions.values().map(|slot| slot.session.hosted().clone()).collect()
    }

    /// Ends all sessions and starts no more. Returns once the relay has made everything durable,
    /// has been away for two seconds, or `limit` is over; then all links are closed. Returns false
    /// if something is not durable.
    pub async fn stop(&self, limit: Duration) -> bool {
        let sessions: Vec<_> = {
            let mut state = self.state();
            state.stopping = true;
            // A later host shows these again, so neither journal nor relay hears of an end.
            let goes_on = |_: &SessionId, slot: &mut SessionSlot| {
                slot.session.survival() == Survival::Reopened
            };
            for (_, SessionSlot { session, publishing, .. }) in
                state.sessions.extract_if(.., goes_on)
            {
                publishing.abort();
                session.let_go();
            }
            state.sessions.values().map(|slot| Arc::clone(&slot.session)).collect()
        };
        self.count_anew();
        for session in sessions {
            session.close();
        }
        let mut count = self.count.subscribe();
        let done = tokio::select! {
            done = tokio::time::timeout(limit, count.wait_for(|count| *count == 0)) => done.is_ok(),
            () = self.relay_away() => false,
        };
        let book = Arc::clone(&self.book);
        // A rule may have been made just now, and not be stored yet.
        let saved = blocking(move || book.save()).await;
        if let Ok(Err(error)) = saved {
            tracing::error!(%error, "the rules cannot be stored: they end with this host");
        }
        let mut state = self.state();
        state.control.iter().chain(&state.asking).for_each(AbortHandle::abort);
        self.ask_socket.iter().for_each(AskSocket::remove);
        for (id, slot) in std::mem::take(&mut state.sessions) {
            tracing::warn!(session = %id, "not all of a session's log reached the relay in time");
            slot.publishing.abort();
            self.forget_journaled(&id);
        }
        done
    }

    /// Waits until the relay has been away for [`AWAY_LIMIT`].
    async fn relay_away(&self) {
        let mut link_state = self.link_state();
        let is_linked = |link_state: &LinkState| matches!(link_state, LinkState::Linked { .. });
        // The host owns the sender, so this never fails.
        while link_state.wait_for(|link_state| !is_linked(link_state)).await.is_ok() {
            let back = link_state.wait_for(is_linked);
            if tokio::time::timeout(AWAY_LIMIT, back).await.is_err() {
                tracing::warn!(
                    "the relay is away: it will not receive the last output of sessions"
                );
                return;
            }
        }
    }

    /// Ends a session, whatever it is doing, and forgets it.
    fn forget(&self, id: &SessionId) {
        let forgotten = self.state().sessions.remove(id);
        if let Some(SessionSlot { session, publishing, .. }) = forgotten {
            publishing.abort();
            session.abandon();
            self.forget_journaled(id);
            self.count_anew();
        }
    }

    /// Drops a session that needs no link any more.
    fn retire(&self, session: &Arc<Session>) {
        let mut state = self.state();
        let is_same = |slot: &SessionSlot| Arc::ptr_eq(&slot.session, session);
        if state.sessions.get(session.id()).is_some_and(is_same) {
            state.sessions.remove(session.id());
            self.forget_journaled(session.id());
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

/// Opens the socket on which programs ask. Without it, sessions run all the same.
fn open_ask_socket(folder: &Path) -> Option<(AskSocket, UnixListener)> {
    let opened = AskSocket::open(folder);
    opened.inspect_err(|error| tracing::warn!(%error, "programs cannot ask for approvals")).ok()
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { config, count, .. } = self;
        let (name, sessions) = (&config.name, *count.borrow());
        write!(f, "Host {{ name: {name:?}, sessions: {sessions} }}")
    }
}
