//! Plans a session before a host starts it.

mod agent;
mod pod;
mod tmux;

use std::time::Duration;

use moorline_shared::control::{Facts, Fork, Hosted, Start, local_host};
use moorline_shared::id::{Epoch, HostId, Seq, SessionId};
use moorline_shared::limits::NAME_CHARACTERS;
use moorline_shared::name::bounded;
use moorline_shared::rest::{CreateSession, SessionSummary};
use moorline_shared::session::{KUBERNETES_DRIVER, Lifecycle, Size, TMUX_DRIVER};

use super::api::ApiError;
use super::record::{HostRecord, SessionRecord};
pub use agent::AgentRefused;
pub use pod::PodRefused;
pub use tmux::TmuxRefused;

/// Time allowed for a host to answer a request.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// Time allowed for a host to start a session whose files it has to load first.
const LOADING_PATIENCE: Duration = Duration::from_mins(2);
/// Time allowed for a host to preview or execute operations.
pub const OPERATIONS_PATIENCE: Duration = Duration::from_secs(30);
/// Time allowed for a host to publish a session that it has started.
pub const PUBLISH_PATIENCE: Duration = Duration::from_secs(5);
/// Time that a request waits for a session with its id to be started or removed.
pub const ENSURE_PATIENCE: Duration = Duration::from_secs(20);

/// The number of characters of a refused text that an error shows.
const SHOWN_CHARS: usize = 80;

/// A fault of a request that does not depend on which hosts are connected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The host does not have the driver.
    #[error("the host does not have the driver `{driver}`: it has `{has}`")]
    UnknownDriver {
        /// The requested driver.
        driver: String,
        /// The drivers of the host.
        has: String,
    },
    /// The host supports the driver, but it cannot start sessions there now.
    #[error("the driver `{driver}` cannot be used on this host: {reason}")]
    MissingDriver {
        /// The requested driver.
        driver: String,
        /// The host's reason, which says what to do.
        reason: String,
    },
    /// The command does not name a program.
    #[error("the command is empty: name a program, or leave the command out for a login shell")]
    EmptyCommand,
    /// The folder's path is neither absolute nor in a home.
    #[error("{0:?} is not a folder: use an absolute path, or one that begins with ~ for the home")]
    RelativeFolder(String),
    /// A text has a NUL character, which no program can receive.
    #[error("{what} must not contain a NUL character")]
    Nul {
        /// The kind of text.
        what: &'static str,
    },
    /// A variable's name is empty or contains `=`.
    #[error("{0:?} is not the name of a variable: a name must not be empty or contain =")]
    VariableName(String),
    /// The agent cannot be started as it is described.
    #[error(transparent)]
    Agent(#[from] AgentRefused),
    /// The pane cannot be opened as it is described.
    #[error(transparent)]
    Tmux(#[from] TmuxRefused),
    /// The pod cannot be started as it is described.
    #[error(transparent)]
    Pod(#[from] PodRefused),
}

/// The reason why no host does what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// No host has this id.
    #[error("the host `{0}` does not exist: `GET /api/hosts` lists them")]
    Unknown(HostId),
    /// The host is not connected.
    #[error("the host `{0}` is offline: start `moorline host` there, or wait until it is back")]
    Away(HostId),
    /// No host is connected.
    #[error("no host is connected: start `moorline host --relay …` on a machine")]
    NoneHere,
    /// Several hosts are connected, and the request names none.
    #[error("several hosts are connected: name one as `host`, from `GET /api/hosts`")]
    Several,
    /// The host was asked, and left or did not answer. It may have acted.
    #[error("the host `{0}` did not answer")]
    Silent(HostId),
}

impl From<PlanError> for ApiError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::MissingDriver { .. } => Self::driver_missing(error),
            _ => Self::bad_request(error),
        }
    }
}

impl From<HostError> for ApiError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Unknown(_) => Self::no_host(error),
            HostError::Several => Self::bad_request(error),
            HostError::Away(_) | HostError::NoneHere | HostError::Silent(_) => {
                Self::host_offline(error)
            }
        }
    }
}

/// Chooses the host that starts a session: the one that the caller names, else the relay's own,
/// else the only one that is connected. `hosts` are the known hosts, each with true if it is
/// connected. With `has_own` the relay runs a host of its own, known yet or not.
///
/// # Errors
/// [`HostError`].
pub fn choose<'a>(
    hosts: impl Iterator<Item = (&'a HostId, bool)> + Clone,
    wanted: Option<&HostId>,
    has_own: bool,
) -> Result<HostId, HostError> {
    let own = local_host();
    let is_here = |id: &HostId| hosts.clone().any(|(host, is_here)| host == id && is_here);
    let is_known = |id: &HostId| hosts.clone().any(|(host, _)| host == id);
    match wanted {
        Some(id) if is_here(id) => Ok(id.clone()),
        Some(id) if is_known(id) || (has_own && *id == own) => Err(HostError::Away(id.clone())),
        Some(id) => Err(HostError::Unknown(id.clone())),
        None if is_here(&own) => Ok(own),
        None if has_own => Err(HostError::Away(own)),
        None => {
            let mut here = hosts.filter(|(_, is_here)| *is_here);
            match (here.next(), here.next()) {
                (Some((id, _)), None) => Ok(id.clone()),
                (Some(_), Some(_)) => Err(HostError::Several),
                (None, _) => Err(HostError::NoneHere),
            }
        }
    }
}

/// Checks that a driver can start sessions on a host. `host` is `None` if nothing is known of the
/// host.
///
/// # Errors
/// [`PlanError::UnknownDriver`] or [`PlanError::MissingDriver`].
pub fn check_driver(driver: &str, host: Option<&HostRecord>) -> Result<(), PlanError> {
    let has = host.map_or(&[][..], |host| &host.drivers);
    if has.iter().any(|has| has == driver) {
        return Ok(());
    }
    let driver = driver.to_owned();
    let missing = host.and_then(|host| host.missing.iter().find(|it| it.driver == driver));
    Err(match missing {
        Some(missing) => PlanError::MissingDriver { driver, reason: missing.reason.clone() },
        None => PlanError::UnknownDriver { driver, has: has.join("`, `") },
    })
}

/// Checks that a path names a folder wherever the host runs: it is absolute, or begins in a home.
///
/// # Errors
/// [`PlanError::RelativeFolder`] or [`PlanError::Nul`].
pub fn check_folder(folder: &str) -> Result<(), PlanError> {
    if folder.contains('\0') {
        return Err(PlanError::Nul { what: "a folder" });
    }
    if folder.is_empty() || folder.starts_with(['/', '~']) {
        return Ok(());
    }
    Err(PlanError::RelativeFolder(folder.chars().take(SHOWN_CHARS).collect()))
}

/// Checks the command and the variables that a program is to receive.
fn check_texts(wanted: &CreateSession) -> Result<(), PlanError> {
    let command = wanted.command.as_deref();
    // A command without a program is an error; no command starts a shell.
    if command.is_some_and(|words| words.first().is_none_or(String::is_empty)) {
        return Err(PlanError::EmptyCommand);
    }
    if command.unwrap_or_default().iter().any(|word| word.contains('\0')) {
        return Err(PlanError::Nul { what: "a command" });
    }
    for (name, value) in &wanted.env {
        if name.contains('\0') || value.contains('\0') {
            return Err(PlanError::Nul { what: "a variable" });
        }
        if name.is_empty() || name.contains('=') {
            return Err(PlanError::VariableName(name.chars().take(SHOWN_CHARS).collect()));
        }
    }
    Ok(())
}

/// Returns the row of a planned session. `id` is used if the request names none; `now` is in
/// milliseconds since 1970.
///
/// # Errors
/// [`PlanError`], for every fault that does not depend on the host.
pub fn record(wanted: CreateSession, id: SessionId, now: u64) -> Result<SessionRecord, PlanError> {
    let default = Size::default();
    let size = Size {
        cols: wanted.cols.unwrap_or(default.cols),
        rows: wanted.rows.unwrap_or(default.rows),
    };
    let tmux = tmux::chosen(&wanted)?;
    let pod = pod::chosen(&wanted)?;
    let (driver, agent) = match (&tmux, &pod) {
        (Some(_), _) => (TMUX_DRIVER.to_owned(), None),
        (None, Some(_)) if !agent::is_wanted(&wanted) => (KUBERNETES_DRIVER.to_owned(), None),
        (None, _) => agent::chosen(&wanted)?,
    };
    check_texts(&wanted)?;
    check_folder(wanted.cwd.as_deref().unwrap_or_default())?;
    Ok(SessionRecord {
        id: wanted.session_id.unwrap_or(id),
        // The host sets the epoch.
        epoch: Epoch(0),
        name: wanted.name.filter(|name| !name.is_empty()),
        project: wanted.project,
        driver,
        command: wanted.command.unwrap_or_default(),
        cwd: wanted.cwd.filter(|cwd| !cwd.is_empty()),
        env: wanted.env,
        size: size.clamped(),
        created_at_ms: now,
        last_activity_ms: now,
        lifecycle: Lifecycle::Detached,
        exit: None,
        head: Seq::ZERO,
        host: wanted.host,
        agent,
        tmux,
        workspace: wanted.workspace,
        pod,
        pod_status: None,
    })
}

/// Returns the row of a session that only its host knows. `now` is in milliseconds since 1970.
#[must_use]
pub fn adopted(host: &HostId, hosted: &Hosted, now: u64) -> SessionRecord {
    let facts = &hosted.facts;
    SessionRecord {
        id: hosted.session_id.clone(),
        // The log takes the host's epoch.
        epoch: Epoch(0),
        name: facts.name.clone(),
        project: facts.project.clone(),
        driver: facts.driver.clone(),
        command: facts.command.clone(),
        cwd: Some(hosted.cwd.clone()),
        env: facts.env.clone(),
        size: facts.size,
        created_at_ms: hosted.created_at,
        last_activity_ms: now,
        lifecycle: Lifecycle::Detached,
        exit: None,
        head: Seq::ZERO,
        host: Some(host.clone()),
        agent: facts.agent.clone(),
        tmux: facts.tmux.clone(),
        workspace: facts.workspace.clone(),
        pod: facts.pod.clone(),
        pod_status: None,
    }
}

/// Returns the time allowed for a host to start a session.
#[must_use]
pub const fn start_patience(record: &SessionRecord) -> Duration {
    if record.workspace.is_some() { LOADING_PATIENCE } else { ANSWER_PATIENCE }
}

/// Returns the request that asks a host to start a session.
#[must_use]
pub fn start(record: &SessionRecord, fork: Option<Fork>) -> Start {
    Start {
        session_id: record.id.clone(),
        facts: Facts {
            name: record.name.clone(),
            project: record.project.clone(),
            driver: record.driver.clone(),
            command: record.command.clone(),
            env: record.env.clone(),
            size: record.size,
            agent: record.agent.clone(),
            tmux: record.tmux.clone(),
            workspace: record.workspace.clone(),
            pod: record.pod.clone(),
            beside: None,
        },
        cwd: record.cwd.clone(),
        fork,
    }
}

/// Returns a terminal beside another session: on its host, in its current folder and its project,
/// unless `wanted` names others.
#[must_use]
pub fn beside(parent: &SessionSummary, wanted: CreateSession) -> CreateSession {
    CreateSession {
        host: wanted.host.or_else(|| parent.host.clone()),
        cwd: wanted.cwd.or_else(|| parent.cwd.clone()),
        project: wanted.project.or_else(|| parent.project.clone()),
        ..wanted
    }
}

/// Returns the request that starts an identical session, in the current folder of `source`. A copy
/// without a name of its own gets the name of `source` with `suffix`, if that was named.
#[must_use]
pub fn again(
    source: &SessionRecord,
    now: &SessionSummary,
    size: Size,
    name: Option<String>,
    suffix: &str,
) -> CreateSession {
    CreateSession {
        session_id: None,
        command: (!source.command.is_empty()).then(|| source.command.clone()),
        cwd: now.cwd.clone().or_else(|| source.cwd.clone()),
        env: source.env.clone(),
        // An unnamed session stays unnamed: lists make its name from its command and folder.
        name: name.or_else(|| now.named.then(|| name_after(&now.name, suffix))),
        project: source.project.clone(),
        driver: Some(source.driver.clone()),
        agent: source.agent.clone(),
        tmux: source.tmux.as_ref().map(tmux::again),
        pod: source.pod.clone(),
        cols: Some(size.cols),
        rows: Some(size.rows),
        host: source.host.clone(),
        // It works in a folder of the session that is in sync, which may be a part of the workspace.
        workspace: None,
    }
}

/// Returns the same request with another size, as far as one is given.
#[must_use]
pub fn sized(wanted: CreateSession, cols: Option<u16>, rows: Option<u16>) -> CreateSession {
    CreateSession { cols: cols.or(wanted.cols), rows: rows.or(wanted.rows), ..wanted }
}

/// Returns a name such as `build (copy)`. The copy of a copy has the same name.
fn name_after(name: &str, suffix: &str) -> String {
    let suffix = format!(" ({suffix})");
    let room = NAME_CHARACTERS.saturating_sub(suffix.chars().count());
    let name = bounded(name.strip_suffix(&suffix).unwrap_or(name), room);
    format!("{name}{suffix}")
}

#[cfg(test)]
mod tests {
    use moorline_shared::rest::MissingDriver;

    use super::*;

    fn chosen(hosts: &[(&str, bool)], wanted: Option<&str>) -> Result<String, u16> {
        let hosts: Vec<(HostId, bool)> =
            hosts.iter().map(|(id, is_here)| (id.parse().unwrap(), *is_here)).collect();
        let wanted = wanted.map(|id| id.parse().unwrap());
        let hosts = hosts.iter().map(|(id, is_here)| (id, *is_here));
        let chosen = choose(hosts, wanted.as_ref(), false);
        let status = |error| ApiError::from(error).status().as_u16();
        chosen.map(|id| id.to_string()).map_err(status)
    }

    #[test]
    fn the_named_the_own_or_the_only_host_is_chosen() {
        let two = [("machine1", true), ("machine2", true)];
        assert_eq!(chosen(&[], None), Err(503));
        assert_eq!(chosen(&two, None), Err(400));
        assert_eq!(chosen(&two, Some("machine2")), Ok("machine2".into()));
        assert_eq!(chosen(&two, Some("machine3")), Err(404));
        assert_eq!(chosen(&[("machine1", false)], Some("machine1")), Err(503));
        assert_eq!(chosen(&[("machine1", false), ("machine2", true)], None), Ok("machine2".into()));
        assert_eq!(
            chosen(&[("localhost", true), ("machine2", true)], None),
            Ok("localhost".into())
        );
    }

    #[test]
    fn a_relays_own_host_is_waited_for() {
        let (own, none) = (local_host(), std::iter::empty());
        assert_eq!(choose(none.clone(), None, true), Err(HostError::Away(own.clone())));
        assert_eq!(choose(none.clone(), Some(&own), true), Err(HostError::Away(own.clone())));
        assert_eq!(choose(none, Some(&own), false), Err(HostError::Unknown(own)));
    }

    #[test]
    fn a_driver_that_the_host_lacks_is_refused_with_its_reason() {
        let reason = "tmux is not installed: install it with your package manager";
        let host = HostRecord {
            id: local_host(),
            name: "machine".to_owned(),
            version: "1".to_owned(),
            drivers: vec!["pty".to_owned()],
            missing: vec![MissingDriver { driver: "tmux".to_owned(), reason: reason.to_owned() }],
            last_seen_ms: 0,
        };
        assert!(check_driver("pty", Some(&host)).is_ok());
        let refused = |driver: &str, host: Option<&HostRecord>| {
            let refused = ApiError::from(check_driver(driver, host).unwrap_err());
            let body = refused.body();
            (refused.status().as_u16(), body.code.clone(), body.message.clone().unwrap())
        };
        let (status, code, message) = refused("tmux", Some(&host));
        assert_eq!((status, code.as_str()), (503, "driver_missing"));
        assert!(message.contains(reason), "{message}");
        for host in [Some(&host), None] {
            let (status, code, _) = refused("no-such", host);
            assert_eq!((status, code.as_str()), (400, "bad_request"));
        }
    }

    #[test]
    fn a_copy_of_a_copy_is_a_copy() {
        assert_eq!(name_after("build", "copy"), "build (copy)");
        assert_eq!(name_after("build (copy)", "copy"), "build (copy)");
        assert_eq!(name_after("build (copy)", "fork"), "build (copy) (fork)");
    }

    #[test]
    fn what_no_host_could_start_is_refused() {
        let id = || "abcdefgh".parse().unwrap();
        let shell = record(CreateSession::default(), id(), 1).unwrap();
        assert_eq!((shell.driver.as_str(), shell.command.len()), ("pty", 0));
        let command = |words: &[&str]| CreateSession {
            command: Some(words.iter().map(|word| (*word).to_owned()).collect()),
            ..CreateSession::default()
        };
        let cwd =
            |cwd: &str| CreateSession { cwd: Some(cwd.to_owned()), ..CreateSession::default() };
        let env = |name: &str, value: &str| CreateSession {
            env: [(name.to_owned(), value.to_owned())].into(),
            ..CreateSession::default()
        };
        let refused = [
            command(&[]),
            command(&[""]),
            command(&["a", "b\0"]),
            cwd("relative"),
            cwd("./x"),
            cwd("/a\0b"),
            env("", "x"),
            env("A=B", "x"),
            env("A", "\0"),
        ];
        for wanted in refused {
            let refused = ApiError::from(record(wanted, id(), 1).unwrap_err());
            assert_eq!(
                (refused.status().as_u16(), refused.body().code.as_str()),
                (400, "bad_request")
            );
        }
        for taken in [command(&["a", ""]), cwd("/"), cwd("~"), cwd("~/x"), cwd(""), env("A", "")] {
            assert!(record(taken, id(), 1).is_ok());
        }
    }
}
