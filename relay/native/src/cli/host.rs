//! `moorline host`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use moorline_host::daemon::{self, RunningHost, StateDir};
use moorline_host::dial::{Address, Token, WebSocketDial};
use moorline_host::host::{Config, Host, LinkState, SessionThreads};
use moorline_host::limits;
use moorline_host::lock::Lock;
use moorline_host::marks::this_host;
use moorline_shared::control::{Facts, Start};
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::limits::NAME_CHARACTERS;
use moorline_shared::name::bounded;
use moorline_shared::session::DEFAULT_DRIVER;

use super::DataDir;
use super::pods::PodOptions;
use super::rules::RulesOptions;
use super::trust::TrustOptions;
use crate::console::{self, note, print};
use crate::log;
use crate::signals::Signals;

/// Time allowed for terminals to end after the hang-up, and for their output to reach the relay.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Time that `moorline host stop` waits, which is longer than [`STOP_LIMIT`].
const STOPPED_LIMIT: Duration = Duration::from_secs(15);

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Run sessions on this machine and publish them to a relay, here or elsewhere.
///
/// The host dials the relay again whenever it loses it. Sessions keep running while the relay or
/// the network is away, and nothing of them is lost. New ones are started from the relay's page.
/// The host ends by SIGTERM, SIGINT or `moorline host stop`, and its sessions with it.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  moorline host --relay https://relay.example.org --token-file ~/.config/moorline-token
  moorline host --relay http://127.0.0.1:3010 --token-file token -- htop
  moorline host status
  moorline host rules --revoke ID          ask again instead of following this rule
  moorline host stop                       ends the sessions of this machine's host, on purpose

A token for hosts is made where the relay runs: moorline token new --scope host."
)]
pub(super) struct HostOptions {
    #[command(subcommand)]
    action: Option<HostAction>,

    #[command(flatten)]
    run: RunOptions,
}

#[derive(Debug, Subcommand)]
enum HostAction {
    /// End the host that runs here, and its sessions.
    Stop(HostFolder),
    /// Show the host that runs here.
    Status(HostFolder),
    /// List the rules that decide approvals on the host that runs here, or revoke one.
    Rules {
        #[command(flatten)]
        place: HostFolder,
        #[command(flatten)]
        rules: RulesOptions,
    },
}

#[derive(Debug, clap::Args)]
struct RunOptions {
    /// The relay: its http:// or https:// address, or unix:/PATH of a socket.
    #[arg(
        long,
        env = "MOORLINE_RELAY",
        value_name = "URL",
        required = true,
        value_parser = OsStringValueParser::new().try_map(|text| Address::try_from(&*text))
    )]
    relay: Option<Address>,

    #[command(flatten)]
    trust: TrustOptions,

    /// A file with a token of scope host. It is read again for each connection, so that it can be
    /// replaced.
    #[arg(long, env = "MOORLINE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The token itself, from the environment: every user can see options.
    #[arg(long, env = "MOORLINE_TOKEN", value_name = "TOKEN", hide_env_values = true, hide = true)]
    token: Option<String>,

    /// The name that the page shows for this machine [default: its host name].
    #[arg(long, env = "MOORLINE_HOST_NAME", value_name = "NAME")]
    name: Option<String>,

    /// The host's id at the relay [default: one that is made once and kept in the state folder].
    #[arg(long, env = "MOORLINE_HOST_ID", value_name = "ID")]
    id: Option<HostId>,

    /// The folder that keeps the host's id; one host at a time has it [default: the user's data
    /// folder, as ~/.local/share/moorline-host].
    #[arg(long, env = "MOORLINE_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,

    #[command(flatten)]
    pods: PodOptions,

    /// Start a login shell at once.
    #[arg(long, conflicts_with = "command")]
    shell: bool,

    /// Keep running without the terminal that this was started from.
    #[arg(long, hide = true)]
    detached: bool,

    /// The limit of open files for its sessions' programs.
    #[arg(long, hide = true, value_name = "NUMBER")]
    open_files: Option<u64>,

    /// The log on stderr: a level, or levels by module, as info,moorline_host=debug.
    #[arg(long, env = "MOORLINE_LOG", value_name = "FILTER", default_value = "info")]
    log: String,

    /// Start this at once, in the current folder, and print the session's id.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// HostOptions that tell where to look for a host.
#[derive(Debug, clap::Args)]
struct HostFolder {
    /// The host's state folder [default: that of `moorline host`, or of `moorline serve`].
    #[arg(long, env = "MOORLINE_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,

    /// The data folder of the relay that started it.
    #[arg(long, env = "MOORLINE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(super) fn run(options: HostOptions) -> anyhow::Result<()> {
    match options.action {
        None => host(options.run),
        Some(HostAction::Stop(place)) => {
            let state = place.find()?;
            let stopped = state.stop(STOPPED_LIMIT, still_ending)?;
            let stopped = stopped.context("the host has just ended")?;
            print(&format!("The host (process {}) has ended, and its sessions.\n", stopped.pid))
        }
        Some(HostAction::Rules { place, rules }) => super::rules::run(&place.find()?, &rules),
        Some(HostAction::Status(place)) => {
            let state = place.find()?;
            let RunningHost { pid, host_id, version, relay, .. } =
                state.running()?.context("the host has just ended")?;
            let state = state.path().display();
            print(&format!(
                "pid      {pid}\nhost     {host_id}\nversion  {version}\nrelay    {relay}\n\
                 state    {state}\n"
            ))
        }
    }
}

/// Tells the user why `moorline host stop` takes a while.
fn still_ending(running: &RunningHost) {
    let (pid, seconds) = (running.pid, STOP_LIMIT.as_secs());
    note(&format!(
        "The host (process {pid}) ends its sessions, and waits for its relay to store their last \
         output: up to {seconds} seconds.\n"
    ));
}

/// Returns the arguments of a host that outlives the relay which starts it; see
/// [`StateDir::spawn`].
pub(super) fn detached_arguments(
    relay: &Address,
    id: &HostId,
    state: &StateDir,
    open_files: Option<u64>,
) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["host".into(), "--detached".into()];
    words.extend(["--relay".into(), relay.argument(), "--id".into(), id.as_str().into()]);
    words.extend(["--state-dir".into(), state.path().into()]);
    if let Some(open_files) = open_files {
        words.extend(["--open-files".into(), open_files.to_string().into()]);
    }
    words
}

fn host(options: RunOptions) -> anyhow::Result<()> {
    let state = StateDir::new(&match &options.state_dir {
        Some(folder) => folder.clone(),
        None => data_home("moorline-host")?,
    })?;
    let _log = log::start(&options.log, options.detached.then(|| state.clone()))?;
    limits::raise(options.open_files);
    if options.detached {
        daemon::detach().context("cannot leave the terminal")?;
    }
    let relay = options.relay.clone().context("--relay is needed")?;
    let id = match options.id.clone() {
        Some(id) => id,
        None => state.host_id(HostId::from_random(random()?))?,
    };
    let lock = state.lock(&RunningHost {
        pid: std::process::id(),
        host_id: id.clone(),
        version: VERSION.to_owned(),
        relay: relay.to_string(),
        in_process: false,
    })?;
    let token = match (&options.token_file, &options.token) {
        (Some(file), _) => Token::File(file.clone()),
        (None, Some(token)) => Token::Fixed(token.trim().to_owned()),
        (None, None) => Token::None,
    };
    let dial = WebSocketDial::new(relay, &options.trust.trust(), id, token)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(options, &state, dial, lock))
}

/// Cleans a given name of a host; `None` if nothing visible is left of it.
fn host_name(given: &str) -> Option<String> {
    Some(bounded(given, NAME_CHARACTERS)).filter(|name| !name.is_empty())
}

/// Runs sessions until a signal arrives. The lock is held until then.
async fn serve(
    options: RunOptions,
    state: &StateDir,
    dial: WebSocketDial,
    _lock: Lock,
) -> anyhow::Result<()> {
    let mut signals = Signals::new(options.detached)?;
    let config = Config {
        name: options.name.as_deref().and_then(host_name).unwrap_or_else(this_host),
        version: VERSION.to_owned(),
        integration: Some(state.integration()),
        folder: Some(state.path().to_owned()),
        keeper: crate::own_host::keeper_command(),
        pane_pipe: crate::own_host::pane_pipe_command(),
        kubernetes: options.pods.config(),
        threads: SessionThreads::start().context("cannot start the threads of sessions")?,
        // The seed needs only part of the random bits.
        seed: random()? as u64,
    };
    let host = Host::start(config, Arc::new(dial));
    if options.shell || !options.command.is_empty() {
        let session = host.create(wanted(&options)?).await?;
        let id = format!("{}\n", session.session_id);
        console::announce(id, "the relay lists the session");
    }
    // If the relay refuses a host that a person has just started, the host ends with the reason.
    let refused = async {
        match first_answer(&host).await {
            LinkState::Refused { message } if !options.detached => message,
            _ => std::future::pending().await,
        }
    };
    let refusal = tokio::select! {
        name = signals.next() => {
            tracing::info!("{name}: ending all sessions");
            None
        }
        message = refused => Some(message),
    };
    tokio::select! {
        _ = host.stop(STOP_LIMIT) => {}
        _ = signals.next() => tracing::warn!("not waiting for the sessions to end"),
    }
    match refusal {
        Some(message) => bail!("{message}"),
        None => Ok(()),
    }
}

/// Waits for the relay's first answer and returns the state of the link.
async fn first_answer(host: &Host) -> LinkState {
    let mut link_state = host.link_state();
    let answered =
        link_state.wait_for(|link_state| !matches!(link_state, LinkState::Away(_))).await;
    answered.map_or(LinkState::Away(None), |link_state| link_state.clone())
}

fn wanted(options: &RunOptions) -> anyhow::Result<Start> {
    let facts = Facts {
        driver: DEFAULT_DRIVER.to_owned(),
        command: options.command.clone(),
        ..Facts::default()
    };
    let here = std::env::current_dir().context("the current folder is gone")?;
    let cwd = Some(here.to_string_lossy().into_owned());
    Ok(Start { session_id: SessionId::from_random(random()?), facts, cwd, fork: None })
}

impl HostFolder {
    /// Finds the folder of the host that runs.
    fn find(&self) -> anyhow::Result<StateDir> {
        let folders = match (&self.state_dir, &self.data_dir) {
            (Some(folder), _) | (None, Some(folder)) => vec![folder.clone()],
            (None, None) => {
                vec![data_home("moorline-host")?, DataDir { data_dir: None }.path()?]
            }
        };
        let mut found = Vec::new();
        for folder in &folders {
            let state = StateDir::new(folder)?;
            if state.running()?.is_some() {
                found.push(state);
            }
        }
        match (found.pop(), found.pop()) {
            (Some(state), None) => Ok(state),
            (Some(one), Some(other)) => bail!(
                "two hosts are running: choose one with --state-dir {} or {}",
                other.path().display(),
                one.path().display()
            ),
            _ => {
                let places: Vec<_> =
                    folders.iter().map(|folder| folder.display().to_string()).collect();
                bail!("no host is running in {}", places.join(" or "))
            }
        }
    }
}

/// Returns a folder for the user's data, by the XDG rules.
fn data_home(name: &str) -> anyhow::Result<PathBuf> {
    let serve = DataDir { data_dir: None }.path();
    let serve = serve.context("HOME is not set: name a folder with --state-dir")?;
    Ok(serve.with_file_name(name))
}

fn random() -> anyhow::Result<u128> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)?;
    Ok(u128::from_ne_bytes(bits))
}
