//! What a session is to be before a host has started it.

use moorline_relay::core::api::ApiError;
use moorline_relay::core::record::SessionRecord;
use moorline_shared::control::{Facts, Fork, Hosted, Start, local_host};
use moorline_shared::id::{Epoch, HostId, Seq, SessionId};
use moorline_shared::rest::{CreateSession, SessionSummary};
use moorline_shared::session::{Lifecycle, Size};

/// What is started where nothing else is asked for.
const DRIVER: &str = "pty";

/// A host, as it is when one is chosen.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its id.
    pub id: &'a HostId,
    /// The drivers that it has.
    pub drivers: &'a [String],
    /// Whether it can be asked.
    pub is_here: bool,
}

/// Chooses who is to start a session: whom the caller named, else the relay's own host, else the
/// only one that is here.
///
/// # Errors
/// Why nobody can.
pub fn choose<'a>(
    hosts: &[Candidate<'a>],
    wanted: Option<&HostId>,
    driver: &str,
) -> Result<&'a HostId, ApiError> {
    let chosen = match wanted {
        Some(wanted) => named(hosts, wanted)?,
        None => only(hosts)?,
    };
    if chosen.drivers.iter().any(|has| has == driver) {
        return Ok(chosen.id);
    }
    let has = chosen.drivers.join("`, `");
    Err(ApiError::bad_request(format!("no driver `{driver}` here: the host has `{has}`")))
}

fn named<'a, 'b>(
    hosts: &'b [Candidate<'a>],
    wanted: &HostId,
) -> Result<&'b Candidate<'a>, ApiError> {
    match hosts.iter().find(|host| host.id == wanted) {
        Some(host) if host.is_here => Ok(host),
        Some(_) => Err(ApiError::host_offline(format!(
            "the host `{wanted}` is away: start `moorline host` there, or wait until it is back"
        ))),
        None => Err(ApiError::no_host(format!(
            "there is no host `{wanted}`: `GET /api/hosts` lists them"
        ))),
    }
}

fn only<'a, 'b>(hosts: &'b [Candidate<'a>]) -> Result<&'b Candidate<'a>, ApiError> {
    let local = local_host();
    let mut here = hosts.iter().filter(|host| host.is_here);
    if let Some(own) = here.clone().find(|host| *host.id == local) {
        return Ok(own);
    }
    match (here.next(), here.next()) {
        (Some(host), None) => Ok(host),
        _ => Err(ApiError::host_offline(
            "no host is connected: start `moorline host --relay …` on a machine, or name one",
        )),
    }
}

/// The row of a session that is to be. `id` is for one whose caller has not chosen; `now` is in
/// milliseconds since 1970.
///
/// # Errors
/// What is wrong with the wish.
pub fn record(wanted: CreateSession, id: SessionId, now: u64) -> Result<SessionRecord, ApiError> {
    let default = Size::default();
    let size = Size {
        cols: wanted.cols.unwrap_or(default.cols),
        rows: wanted.rows.unwrap_or(default.rows),
    };
    // A command without a program is an error; no command is a shell.
    if wanted.command.as_ref().is_some_and(Vec::is_empty) {
        return Err(ApiError::bad_request(
            "the command is empty: name a program, or leave the command out for a login shell",
        ));
    }
    Ok(SessionRecord {
        id: wanted.session_id.unwrap_or(id),
        // Its host begins the log.
        epoch: Epoch(0),
        name: wanted.name.filter(|name| !name.is_empty()),
        project: wanted.project,
        driver: wanted.driver.unwrap_or_else(|| DRIVER.to_owned()),
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
    })
}

/// The row of a session that only its host knows.
#[must_use]
pub fn adopted(host: &HostId, hosted: &Hosted, now: u64) -> SessionRecord {
    let facts = &hosted.facts;
    SessionRecord {
        id: hosted.session_id.clone(),
        // The log begins where the host's does.
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
    }
}

/// What a host is asked for.
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
        },
        cwd: record.cwd.clone(),
        fork,
    }
}

/// What starts the same again, in the folder that the session is in now. `suffix` tells what the
/// new one is where it is given no name.
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
        name: name.or_else(|| Some(name_after(&now.name, suffix))),
        project: source.project.clone(),
        driver: Some(source.driver.clone()),
        cols: Some(size.cols),
        rows: Some(size.rows),
        host: source.host.clone(),
    }
}

/// `build (copy)`, of that one too.
fn name_after(name: &str, suffix: &str) -> String {
    let suffix = format!(" ({suffix})");
    format!("{}{suffix}", name.strip_suffix(&suffix).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(hosts: &[(&str, bool)], wanted: Option<&str>) -> Result<String, u16> {
        let ids: Vec<HostId> = hosts.iter().map(|(id, _)| id.parse().unwrap()).collect();
        let drivers = ["pty".to_owned()];
        let candidates: Vec<_> = ids
            .iter()
            .zip(hosts)
            .map(|(id, (_, is_here))| Candidate { id, drivers: &drivers, is_here: *is_here })
            .collect();
        let wanted = wanted.map(|id| id.parse().unwrap());
        let chosen = choose(&candidates, wanted.as_ref(), "pty");
        chosen.map(ToString::to_string).map_err(|error| error.status().as_u16())
    }

    #[test]
    fn the_named_the_own_or_the_only_host_is_chosen() {
        let two = [("machine1", true), ("machine2", true)];
        assert_eq!(chosen(&[], None), Err(503));
        assert_eq!(chosen(&two, None), Err(503));
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
    fn a_driver_that_the_host_lacks_is_refused() {
        let id = "machine1".parse().unwrap();
        let drivers = ["pty".to_owned()];
        let host = [Candidate { id: &id, drivers: &drivers, is_here: true }];
        assert!(choose(&host, None, "pty").is_ok());
        assert_eq!(choose(&host, None, "tmux").unwrap_err().status(), 400);
    }

    #[test]
    fn a_copy_of_a_copy_is_a_copy() {
        assert_eq!(name_after("build", "copy"), "build (copy)");
        assert_eq!(name_after("build (copy)", "copy"), "build (copy)");
        assert_eq!(name_after("build (copy)", "fork"), "build (copy) (fork)");
    }

    #[test]
    fn a_command_without_a_program_is_refused() {
        let id = || "abcdefgh".parse().unwrap();
        let wanted = CreateSession { command: Some(vec![]), ..CreateSession::default() };
        assert!(record(wanted, id(), 1).is_err());
        let shell = record(CreateSession::default(), id(), 1).unwrap();
        assert_eq!((shell.driver.as_str(), shell.command.len()), ("pty", 0));
    }
}
