//! `moorline serve`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use moorline_host::daemon::StateDir;
use moorline_host::dial::Address;
use moorline_host::limits;
use moorline_shared::control::local_host;

use super::host::detached_arguments;
use super::pods::PodOptions;
use super::reach::ReachOptions;
use super::{DataDir, address_to_open, listen};
use crate::config::Config;
use crate::console;
use crate::data_folder::DataFolder;
use crate::listen::TAKE_DEADLINE;
use crate::log;
use crate::own_host::{Kind, SOCKET_NAME};
use crate::serve::Relay;
use crate::tls::TlsSource;
use moorline_core::api::csp::{DEFAULT_FRAME_ANCESTORS, FrameAncestors};
use moorline_core::auth::fixed_token;

/// Run a relay on this machine, and the sessions that it starts.
///
/// At the first start an admin token is made and the address to open is printed, with the token
/// in it. Everything but `/healthz` and the page itself needs a token.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moorline serve
  moorline serve --listen 127.0.0.1:4000 --data-dir /srv/moorline
  moorline serve --listen 0.0.0.0:3010 --tls-self-signed
  moorline serve --allow-origin https://notes.example.org --frame-ancestor https://notes.example.org
  MOORLINE_TOKEN=… moorline serve          an admin token of your own, for automation")]
pub(super) struct ServeOptions {
    #[command(flatten)]
    reach: ReachOptions,

    #[command(flatten)]
    data_dir: DataDir,

    /// A fixed admin token. Give it by the environment: every user can see options.
    #[arg(long, env = "MOORLINE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// Trust pages of this origin too, as `https://example.org`. May be repeated.
    #[arg(
        long = "allow-origin",
        env = "MOORLINE_ALLOW_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ',',
        value_parser = listen::origin
    )]
    allow_origins: Vec<String>,

    /// A name of this relay, as a proxy in front of it passes on in `Host`: moor.example.org. Its
    /// addresses, localhost and the names of trusted origins need none of this; * allows any.
    /// May be repeated.
    #[arg(
        long = "allow-host",
        env = "MOORLINE_ALLOW_HOST",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = listen::name
    )]
    allow_hosts: Vec<String>,

    /// Let pages of this origin show sessions in frames (/embed/…). May be repeated, and replaces
    /// the default. No other site can frame the relay's other pages.
    #[arg(long = "frame-ancestor", env = "MOORLINE_FRAME_ANCESTOR", value_name = "SOURCE", value_delimiter = ',', default_values = DEFAULT_FRAME_ANCESTORS)]
    frame_ancestors: Vec<String>,

    /// Let Obsidian on Android show sessions in notes. Its origin is http://localhost, so this also
    /// lets in every page that any program or app serves on port 80 of the device that looks. Such
    /// a page still needs a token.
    #[arg(long, env = "MOORLINE_OBSIDIAN_ANDROID", value_parser = clap::builder::FalseyValueParser::new())]
    obsidian_android: bool,

    /// Send notices to this push service too, as `https://push.example.org`. Those of Chrome,
    /// Firefox, Safari and Edge need none of this. May be repeated.
    #[arg(
        long = "push-service",
        env = "MOORLINE_PUSH_SERVICE",
        value_name = "ORIGIN",
        value_delimiter = ',',
        value_parser = listen::origin
    )]
    push_services: Vec<String>,

    /// The driver of the sessions that /api/terminal/ws/ID starts, as `kubernetes` [default: a shell].
    #[arg(long, env = "MOORLINE_TERMINAL_DRIVER", value_name = "NAME")]
    terminal_driver: Option<String>,

    /// Serve the browser's client from this folder instead of the one in the binary.
    #[arg(long, env = "MOORLINE_DIST", value_name = "DIR")]
    dist: Option<PathBuf>,

    /// Run the sessions in the relay's own process: they end with it. Otherwise a host, which is a
    /// process of its own, runs them and outlives the relay; `moorline host stop` ends it.
    #[arg(long, env = "MOORLINE_IN_PROCESS", value_parser = clap::builder::FalseyValueParser::new())]
    in_process: bool,

    #[command(flatten)]
    pods: PodOptions,

    /// Do not serve the deprecated routes under /claude/api/claude.
    #[arg(long, env = "MOORLINE_NO_LEGACY", value_parser = clap::builder::FalseyValueParser::new())]
    no_legacy: bool,

    /// The log on stderr: a level, or levels by module, as info,moorline_relay=debug.
    #[arg(long, env = "MOORLINE_LOG", value_name = "FILTER", default_value = "info")]
    log: String,
}

pub(super) fn run(options: ServeOptions) -> anyhow::Result<()> {
    let _log = log::start(&options.log, None)?;
    let config = config(options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let relay = Relay::open(config.clone()).await?;
        announce(&relay, &config)?;
        relay.serve().await
    })
}

fn config(options: ServeOptions) -> anyhow::Result<Config> {
    options.reach.check()?;
    for source in &options.frame_ancestors {
        if source.contains([';', ',', '\r', '\n']) || !source.is_ascii() {
            bail!("--frame-ancestor {source:?} is not a CSP source, such as https://example.org");
        }
    }
    let token = options.token.as_deref().map(fixed_token).transpose();
    let token = token.context("MOORLINE_TOKEN is not a valid token")?.map(str::to_owned);
    if token.as_ref().is_some_and(|token| token.contains(['/', '='])) {
        tracing::warn!(
            "MOORLINE_TOKEN has `/` or `=`, which browsers cannot send when they open a terminal: \
             only programs can use it; `openssl rand -hex 32` makes one for both"
        );
    }
    if let Some(dist) = &options.dist
        && !dist.join("index.html").is_file()
    {
        let dist = dist.display();
        bail!(
            "--dist {dist} has no index.html: build the client with `trunk build --release`, or \
             leave the option out"
        );
    }
    // Opened here, so that the host gets an absolute path.
    let data_dir = DataFolder::open(&options.data_dir.path()?)?.path().to_owned();
    let open_files = limits::raise(None);
    let host = match options.in_process {
        true => Kind::InProcess,
        false => process(&data_dir, open_files, &options.pods)?,
    };
    Ok(Config {
        listen: options.reach.listen,
        tls: options.reach.tls(),
        proxies: options.reach.proxies(),
        data_dir,
        token,
        allow_origins: options.allow_origins,
        allow_hosts: options.allow_hosts.into_iter().filter(|name| !name.is_empty()).collect(),
        frame_ancestors: FrameAncestors::new(&options.frame_ancestors, options.obsidian_android),
        dist: options.dist,
        terminal_driver: options.terminal_driver.filter(|driver| !driver.is_empty()),
        push_services: options.push_services,
        legacy: !options.no_legacy,
        take_deadline: TAKE_DEADLINE,
        host,
        kubernetes: options.pods.config(),
    })
}

/// Describes a host process that dials this relay's socket. Programs of its sessions get
/// `open_files`, if that differs from this process's limit.
fn process(data_dir: &Path, open_files: Option<u64>, pods: &PodOptions) -> anyhow::Result<Kind> {
    let state = StateDir::new(data_dir)?;
    let relay = Address::Unix(state.path().join(SOCKET_NAME));
    let mut arguments = detached_arguments(&relay, &local_host(), &state, open_files);
    arguments.extend(pods.arguments());
    let program = std::env::current_exe().context("the path of this program is not known")?;
    Ok(Kind::Process { program, arguments })
}

/// Prints where the relay is and how to get in. A new token is shown only here.
fn announce(relay: &Relay, config: &Config) -> anyhow::Result<()> {
    let address = relay.address()?;
    let tls = relay.tls();
    if tls.is_none() && !address.ip().is_loopback() {
        tracing::warn!(
            "listening on {address} without TLS: unless a proxy in front adds it, tokens and all that \
             you type cross the network unencrypted"
        );
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let base = format!("{scheme}://{}", reachable(address));
    // Without the option, commands look in the default folder.
    let is_default = DataDir { data_dir: None }.path().is_ok_and(|path| path == config.data_dir);
    let folder = match is_default {
        true => String::new(),
        false => format!(" --data-dir '{}'", config.data_dir.display()),
    };
    let text = match (relay.first_token(), &config.token) {
        (Some(token), _) => format!(
            "Moorline is ready. Open this address; it is shown only once:\n\n    {}\n\n\
             Later, and for other browsers: moorline open{folder}\n",
            address_to_open(&base, token)
        ),
        (None, Some(_)) => format!(
            "Moorline is ready: {base} (the token is MOORLINE_TOKEN).\n\
             To let a browser in: moorline open{folder}\n"
        ),
        (None, None) => {
            format!("Moorline is ready: {base}\nTo let a browser in: moorline open{folder}\n")
        }
    };
    let text = match tls.filter(|_| config.tls == Some(TlsSource::SelfSigned)) {
        Some(tls) => format!(
            "{text}\nIts certificate has the SHA-256 fingerprint below. Compare it with what the browser shows, and \
             give it to other commands as --tls-fingerprint:\n\n    {}\n",
            tls.fingerprint()
        ),
        None => text,
    };
    console::announce(text, "`moorline open` makes an address to open");
    Ok(())
}

/// Returns an address that a browser on this machine can open.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port());
    }
    address
}
