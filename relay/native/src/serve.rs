//! The relay as a process: opens, serves, and shuts down in order.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use moorline_host::daemon::StateDir;
use moorline_host::lock::Lock;
use moorline_shared::time::Time;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::auth::Tokens;
use super::clock::{Clock, wall_ms};
use super::command_socket;
use super::config::Config;
use super::data_folder::{DataFolder, RelayLock};
use super::http::{App, Client, Slowing, local_router, router};
use super::listen::{self, Port};
use super::local_socket;
use super::metrics::Metrics;
use super::own_host::{Kind, OwnHost, SOCKET_NAME, lock_for_this_process};
use super::registry::Registry;
use super::session::Services;
use super::signals::Signals;
use super::store::Writer;
use moorline_core::auth::{Access, HostPolicy, OriginPolicy, Tickets};

/// What the sessions of a host in this process get to end after the hang-up, and their output to
/// be stored.
const SESSIONS_LIMIT: Duration = Duration::from_secs(5);
/// What that, and clients and hosts that are told to go, may take.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(7);
/// What open connections get to end after that.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// A relay that is ready to serve.
#[derive(Debug)]
pub struct Relay {
    port: Port,
    /// For its own host, where that is another process.
    local: Option<UnixListener>,
    /// For commands of its own user. `None` if the folder's disk has no sockets.
    commands: Option<UnixListener>,
    app: Arc<App>,
    first_token: Option<String>,
    state: StateDir,
    host: Kind,
    locks: Locks,
}

/// What nobody else may have while this relay serves.
#[derive(Debug)]
struct Locks {
    relay: RelayLock,
    /// Of a host in this process.
    _host: Option<Lock>,
}

impl Relay {
    /// Opens the data folder and the port.
    ///
    /// # Errors
    /// Where either cannot be used; the message says what to do.
    pub async fn open(config: Config) -> anyhow::Result<Self> {
        let folder = DataFolder::open(&config.data_dir)?;
        let state = StateDir::new(folder.path())?;
        let locks = Locks::take(&folder, &state, &config.host)?;
        let listener = listen(config.listen).await?;
        locks.relay.tell(listener.local_addr().ok());
        let in_folder = || {
            let folder = folder.path().display();
            format!("cannot open the database in {folder} (`--data-dir`)")
        };
        let (database, store) = folder.database().with_context(in_folder)?;
        let local = match config.host {
            Kind::InProcess => None,
            Kind::Process { .. } => {
                Some(local_socket::listen(&folder.path().join(SOCKET_NAME)).await?)
            }
        };
        let commands = listen_for_commands(&folder).await;
        let tokens = Tokens::new(store, config.token.as_deref());
        let first_token = first_token(&tokens, config.token.is_some())?;
        let painters = std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2);
        let metrics = Metrics::default();
        let connect = || database.connect().with_context(in_folder);
        let writer = Writer::start(connect()?, metrics.store.clone());
        let services = Arc::new(Services {
            clock: Clock::start(),
            writer: writer.context("cannot start a thread")?,
            painters: Semaphore::new(painters.max(1)),
            history: Mutex::new(connect()?),
            listing: watch::Sender::new(()),
            metrics,
            runtime: Handle::current(),
        });
        let registry = Registry::open(services, true).context("cannot read the sessions")?;
        let app = App {
            registry,
            tokens,
            tickets: Tickets::default(),
            slowing: Slowing::default(),
            hosts: HostPolicy::new(config.allow_hosts, &config.allow_origins),
            origins: OriginPolicy::new(config.allow_origins),
            client: Client::new(config.dist),
            frame_ancestors: config.frame_ancestors,
            legacy: config.legacy,
        };
        let (app, host) = (Arc::new(app), config.host);
        let port = Port { listener, take_deadline: config.take_deadline };
        Ok(Self { port, local, commands, app, first_token, state, host, locks })
    }

    /// Where it listens: with the port that the system chose, where 0 was asked for.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.port.listener.local_addr()
    }

    /// The admin token that was made because there was none.
    #[must_use]
    pub fn first_token(&self) -> Option<&str> {
        self.first_token.as_deref()
    }

    /// Serves until `SIGINT`, `SIGTERM` or `SIGHUP`; a second one does not wait for the sessions to
    /// end.
    ///
    /// # Errors
    /// The system takes no signal handlers.
    pub async fn serve(self) -> anyhow::Result<()> {
        let mut signals = Signals::new(false)?;
        let mut signalled = async || {
            let name = signals.next().await;
            tracing::info!("{name}: shutting down");
        };
        let running = self.start();
        signalled().await;
        running.stop(signalled()).await.map(drop)
    }

    /// Serves in the background, and starts its own host.
    #[must_use]
    pub fn start(self) -> Running {
        let Self { port, local, commands, app, state, host, locks, .. } = self;
        let registry = Arc::clone(&app.registry);
        let mut servers = JoinSet::new();
        if let Some(local) = local {
            let router = local_router(Arc::clone(&app));
            servers.spawn(listen::serve(local, router, registry.parting()));
        }
        if let Some(commands) = commands {
            let closing = registry.closing();
            servers.spawn(command_socket::serve(commands, Arc::clone(&app), closing));
        }
        servers.spawn(listen::serve(port, router(app), registry.closing()));
        let own_host = OwnHost::start(&host, state, &registry);
        Running { registry, servers, own_host, locks }
    }
}

/// A relay that serves.
#[derive(Debug)]
pub struct Running {
    registry: Arc<Registry>,
    servers: JoinSet<()>,
    own_host: OwnHost,
    locks: Locks,
}

impl Locks {
    fn take(folder: &DataFolder, state: &StateDir, host: &Kind) -> anyhow::Result<Self> {
        let relay = folder.lock()?;
        let host = match host {
            Kind::InProcess => {
                let locked = lock_for_this_process(state);
                Some(locked.context("`--in-process` needs a data folder without a host")?)
            }
            // It takes its own.
            Kind::Process { .. } => None,
        };
        Ok(Self { relay, _host: host })
    }
}

impl Running {
    /// Tells clients to go, ends the sessions of a host in this process, tells other hosts to come
    /// back later, and returns when everything is stored, within seconds, or soon after `hurry`.
    /// False if some of them did not go and were cut off.
    ///
    /// # Errors
    /// Where the store's thread has panicked.
    pub async fn stop(self, hurry: impl Future<Output = ()>) -> anyhow::Result<bool> {
        let Self { registry, mut servers, own_host, locks } = self;
        let shut_down = registry.shut_down(own_host.leave(SESSIONS_LIMIT), SHUTDOWN_LIMIT);
        let all_went = tokio::select! {
            all_went = shut_down => all_went,
            () = hurry => {
                tracing::warn!("not waiting for clients and sessions to end");
                false
            }
        };
        let services = Arc::clone(registry.services());
        let closed = tokio::task::spawn_blocking(move || services.writer.close());
        closed.await.context("the store did not close")?;
        // Requests that came before.
        let drained = async { while servers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(DRAIN_LIMIT, drained).await;
        drop(locks);
        tracing::info!("everything is stored");
        Ok(all_went)
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: name another address or port with `--listen`")
    })
}

async fn listen_for_commands(folder: &DataFolder) -> Option<UnixListener> {
    let path = folder.path().join(command_socket::SOCKET_NAME);
    let listening = local_socket::listen(&path).await;
    listening
        .inspect_err(|error| {
            tracing::warn!("commands on this machine store a token each: {error:#}");
        })
        .ok()
}

/// Makes an admin token at the first start, where none was given.
fn first_token(tokens: &Tokens, is_fixed: bool) -> anyhow::Result<Option<String>> {
    if is_fixed || !tokens.list()?.is_empty() {
        return Ok(None);
    }
    let label = Some("made at the first start".to_owned());
    let minted = tokens.mint(&Access::Admin, label, Time::from_ms(wall_ms()), None);
    Ok(Some(minted.context("cannot make the first token: nobody could get in")?.token))
}
