//! The relay as a process: it opens, serves, and shuts down in order.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use moorline_host::daemon::StateDir;
use moorline_host::driver::kubernetes::KubernetesConfig;
use moorline_host::lock::Lock;
use moorline_shared::time::Time;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::audit::Audit;
use super::auth::Tokens;
use super::clock::{Clock, wall_ms};
use super::command_socket;
use super::config::Config;
use super::data_folder::{DataFolder, RelayLock};
use super::http::{App, ClientFiles, Slowing, local_router, router};
use super::listen::{self, AddressConnections, Port, begun};
use super::local_socket;
use super::metrics::Metrics;
use super::own_host::{Kind, OwnHost, SOCKET_NAME, lock_for_this_process};
use super::push::Push;
use super::registry::Registry;
use super::session::Services;
use super::signals::Signals;
use super::store::Writer;
use super::tls::{TlsServer, TlsSource};
use super::workspace_notices::WorkspaceNotices;
use moorline_core::auth::{Access, HostPolicy, OriginPolicy, RequestRates, Tickets};
use moorline_core::push::PushServices;

/// Time allowed for the sessions of a host in this process to end after the hang-up, and for their
/// output to be stored.
const SESSIONS_LIMIT: Duration = Duration::from_secs(5);
/// Time allowed for that, and for clients and hosts to leave when they are asked to.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(7);
/// Time allowed after that for open connections to end.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// A relay that is ready to serve.
#[derive(Debug)]
pub struct Relay {
    port: Port,
    /// The socket for the relay's own host, if that is another process.
    local: Option<UnixListener>,
    /// The socket for commands of the relay's own user. `None` if it could not be opened.
    commands: Option<UnixListener>,
    app: Arc<App>,
    first_token: Option<String>,
    state: StateDir,
    host: (Kind, KubernetesConfig),
    locks: Locks,
}

/// Locks that keep others away while this relay serves.
#[derive(Debug)]
struct Locks {
    relay: RelayLock,
    /// The lock of a host in this process.
    _host: Option<Lock>,
}

impl Relay {
    /// Opens the data folder and the port.
    ///
    /// # Errors
    /// The folder or the port cannot be used. The message says what to do.
    pub async fn open(config: Config) -> anyhow::Result<Self> {
        let folder = DataFolder::open(&config.data_dir)?;
        let state = StateDir::new(folder.path())?;
        let locks = Locks::take(&folder, &state, &config.host)?;
        let tls = config.tls.as_ref().map(|source| TlsServer::open(source, folder.path()));
        let tls = tls.transpose()?.map(Arc::new);
        let listener = listen(config.listen).await?;
        locks.relay.tell(listener.local_addr().ok(), tls.is_some());
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
        let tokens = Arc::new(Tokens::new(store, config.token.as_deref()));
        let first_token = first_token(&tokens, config.token.is_some())?;
        let metrics = Metrics::default();
        let connect = || database.connect().with_context(in_folder);
        let writer = Writer::start(connect()?, metrics.store.clone());
        let services = Arc::new(Services {
            clock: Clock::start(),
            writer: writer.context("cannot start a thread")?,
            history: Mutex::new(connect()?),
            listing: watch::Sender::new(()),
            metrics,
            workspaces: WorkspaceNotices::default(),
            audit: Audit::default(),
            runtime: Handle::current(),
        });
        let registry = Registry::open(services, true).context("cannot read the sessions")?;
        let services = PushServices::new(config.push_services);
        let push = Push::new(folder.path(), connect()?, Arc::clone(&tokens), services);
        let app = App {
            registry,
            push: Arc::new(push),
            tokens,
            leases: Arc::default(),
            tickets: Tickets::default(),
            slowing: Slowing::default(),
            rates: RequestRates::default(),
            hosts: HostPolicy::new(config.allow_hosts, &config.allow_origins),
            origins: OriginPolicy::new(config.allow_origins),
            proxies: config.proxies.clone(),
            is_always_tls: matches!(config.tls, Some(TlsSource::Files { .. })),
            client: ClientFiles::new(config.dist),
            frame_ancestors: config.frame_ancestors,
            legacy: config.legacy,
            terminal_driver: config.terminal_driver,
        };
        let (app, host) = (Arc::new(app), (config.host, config.kubernetes));
        let connections = Arc::new(AddressConnections::new(config.proxies));
        let port = Port { listener, tls, connections, take_deadline: config.take_deadline };
        Ok(Self { port, local, commands, app, first_token, state, host, locks })
    }

    /// Returns the address that the relay listens on. If port 0 was asked for, it has the port that
    /// the system chose.
    ///
    /// # Errors
    /// The system's error.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.port.listener.local_addr()
    }

    /// The relay's TLS, if it serves HTTPS.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsServer> {
        self.port.tls.as_deref()
    }

    /// The admin token that was made because no token existed.
    #[must_use]
    pub fn first_token(&self) -> Option<&str> {
        self.first_token.as_deref()
    }

    /// Serves until `SIGINT`, `SIGTERM` or `SIGHUP`. After a second signal it does not wait for
    /// sessions to end.
    ///
    /// # Errors
    /// The system does not accept signal handlers.
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

    /// Serves in the background, and starts the relay's own host.
    #[must_use]
    pub fn start(self) -> RunningRelay {
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
        let notices = Arc::clone(&app.push).run(Arc::clone(&registry), registry.closing());
        servers.spawn(notices);
        let (watching, mut closing) = (Arc::clone(&app), registry.closing());
        servers.spawn(async move {
            tokio::select! {
                () = watching.watch_access() => {}
                () = begun(&mut closing) => {}
            }
        });
        let (services, closing) = (Arc::clone(registry.services()), registry.closing());
        servers.spawn(async move { services.audit.run(&services.writer, closing).await });
        servers.spawn(listen::serve(port, router(app), registry.closing()));
        let (kind, kubernetes) = host;
        let own_host = OwnHost::start(&kind, kubernetes, state, &registry);
        RunningRelay { registry, servers, own_host, locks }
    }
}

/// A relay that serves in the background.
#[derive(Debug)]
pub struct RunningRelay {
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
            // The host process takes its own lock.
            Kind::Process { .. } => None,
        };
        Ok(Self { relay, _host: host })
    }
}

impl RunningRelay {
    /// Asks clients to leave, ends the sessions of a host in this process, asks other hosts to come
    /// back later, and returns when everything is stored: within seconds, or soon after `hurry`
    /// resolves. Returns false if some clients or hosts did not leave in time and were
    /// disconnected.
    ///
    /// # Errors
    /// The store's thread has panicked.
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
        // Requests that arrived earlier may still be running.
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
            tracing::warn!(
                "commands on this machine cannot use the local socket; each stores a token: \
                 {error:#}"
            );
        })
        .ok()
}

/// Makes an admin token if no token is stored or configured.
fn first_token(tokens: &Tokens, is_fixed: bool) -> anyhow::Result<Option<String>> {
    if is_fixed || !tokens.list()?.is_empty() {
        return Ok(None);
    }
    let label = Some("made at the first start".to_owned());
    let minted = tokens.mint(&Access::Admin, label, Time::from_ms(wall_ms()), None);
    Ok(Some(minted.context("cannot make the first token: nobody could get in")?.text))
}
