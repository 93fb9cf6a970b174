//! The agent of a planned session.

use moorline_shared::agent::spec::AgentSpec;
use moorline_shared::limits::{AGENT_DIRECTORIES, AGENT_DIRECTORY_BYTES, AGENT_ID_CHARACTERS};
use moorline_shared::name::clean;
use moorline_shared::rest::CreateSession;
use moorline_shared::session::{AGENT_DRIVER, DEFAULT_DRIVER};

use super::SHOWN_CHARS;

/// The reason why an agent cannot be started as a request describes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentRefused {
    /// The request has an agent, and another driver.
    #[error(
        "an agent needs the driver `{AGENT_DRIVER}`, not `{0}`: leave out the driver or the agent"
    )]
    OtherDriver(String),
    /// Neither an agent nor a command is named.
    #[error(
        "name an agent as `agent.agent`, from `GET /api/hosts/<id>/agents`, or give the command of \
         one that speaks the Agent Client Protocol"
    )]
    Nothing,
    /// Both an agent and a command are named.
    #[error("an agent has a command of its own: leave out either `command` or `agent.agent`")]
    Both,
    /// An id is empty, too long, or has characters that cannot be seen.
    #[error(
        "`agent.{field}` is not an id: use 1 to {AGENT_ID_CHARACTERS} visible characters, on one \
         line"
    )]
    Id {
        /// The field.
        field: &'static str,
    },
    /// There are too many folders.
    #[error("an agent can have at most {AGENT_DIRECTORIES} further directories")]
    TooManyDirectories,
    /// A folder is not an absolute path.
    #[error("{0:?} is not a directory for an agent: use an absolute path")]
    RelativeDirectory(String),
}

/// Returns true if a request has an agent, or names its driver.
pub(super) fn is_wanted(wanted: &CreateSession) -> bool {
    wanted.agent.is_some() || wanted.driver.as_deref() == Some(AGENT_DRIVER)
}

/// Returns the driver that a request selects, and its agent if that is `agent`.
pub(super) fn chosen(wanted: &CreateSession) -> Result<(String, Option<AgentSpec>), AgentRefused> {
    let driver = match (&wanted.driver, &wanted.agent) {
        (Some(driver), Some(_)) if driver != AGENT_DRIVER => {
            return Err(AgentRefused::OtherDriver(driver.chars().take(SHOWN_CHARS).collect()));
        }
        (Some(driver), _) => driver,
        (None, Some(_)) => AGENT_DRIVER,
        (None, None) => DEFAULT_DRIVER,
    };
    if driver != AGENT_DRIVER {
        return Ok((driver.to_owned(), None));
    }
    let spec = wanted.agent.clone().unwrap_or_default();
    match (&spec.agent, &wanted.command) {
        (None, None) => return Err(AgentRefused::Nothing),
        (Some(_), Some(_)) => return Err(AgentRefused::Both),
        _ => {}
    }
    check(&spec)?;
    Ok((driver.to_owned(), Some(spec)))
}

fn check(spec: &AgentSpec) -> Result<(), AgentRefused> {
    let AgentSpec { agent, mode, model, directories } = spec;
    for (field, id) in [("agent", agent), ("mode", mode), ("model", model)] {
        if id.as_deref().is_some_and(|id| !is_id(id)) {
            return Err(AgentRefused::Id { field });
        }
    }
    if directories.len() > AGENT_DIRECTORIES {
        return Err(AgentRefused::TooManyDirectories);
    }
    let is_absolute = |path: &&String| {
        path.starts_with('/') && path.len() <= AGENT_DIRECTORY_BYTES && !path.contains('\0')
    };
    match directories.iter().find(|path| !is_absolute(path)) {
        Some(path) => {
            Err(AgentRefused::RelativeDirectory(path.chars().take(SHOWN_CHARS).collect()))
        }
        None => Ok(()),
    }
}

fn is_id(text: &str) -> bool {
    (1..=AGENT_ID_CHARACTERS).contains(&text.chars().count()) && clean(text) == text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ApiError;
    use crate::plan::{PlanError, again, record, start};
    use crate::record::{SessionRecord, summary};

    fn spec(agent: &str) -> AgentSpec {
        AgentSpec { agent: Some(agent.to_owned()), ..AgentSpec::default() }
    }

    fn wanted(driver: Option<&str>, agent: Option<AgentSpec>, command: &[&str]) -> CreateSession {
        let command: Vec<_> = command.iter().map(|word| (*word).to_owned()).collect();
        CreateSession {
            driver: driver.map(str::to_owned),
            agent,
            command: (!command.is_empty()).then_some(command),
            ..CreateSession::default()
        }
    }

    fn planned(wanted: CreateSession) -> Result<SessionRecord, PlanError> {
        record(wanted, "abcdefgh".parse().unwrap(), 1)
    }

    #[test]
    fn an_agent_implies_its_driver() {
        for wanted in [
            wanted(None, Some(spec("claude-code")), &[]),
            wanted(Some("agent"), Some(spec("claude-code")), &[]),
        ] {
            let record = planned(wanted).unwrap();
            assert_eq!((&*record.driver, &record.agent), ("agent", &Some(spec("claude-code"))));
            assert_eq!(start(&record, None).facts.agent, record.agent);
            let overview = summary(&record, 0).agent.unwrap();
            assert_eq!(overview.id.as_deref(), Some("claude-code"));
        }
        for wanted in [
            wanted(Some("agent"), None, &["my-agent", "acp"]),
            wanted(None, Some(AgentSpec::default()), &["my-agent", "acp"]),
        ] {
            let record = planned(wanted).unwrap();
            assert_eq!((&*record.driver, &record.agent), ("agent", &Some(AgentSpec::default())));
            assert_eq!(summary(&record, 0).agent.unwrap().id, None);
        }
        let shell = planned(wanted(None, None, &["sh"])).unwrap();
        assert_eq!((&*shell.driver, shell.agent), ("pty", None));
    }

    #[test]
    fn an_agent_that_cannot_be_started_is_refused() {
        let refused = |wanted: CreateSession| {
            let error = ApiError::from(planned(wanted).unwrap_err());
            assert_eq!(error.status().as_u16(), 400);
            error.body().message.clone().unwrap()
        };
        let other = refused(wanted(Some("pty"), Some(spec("codex")), &[]));
        assert!(other.contains("not `pty`"), "{other}");
        for nothing in [
            wanted(Some("agent"), None, &[]),
            wanted(None, Some(AgentSpec::default()), &[]),
            wanted(None, Some(AgentSpec { mode: Some("plan".into()), ..spec("") }), &[]),
        ] {
            refused(nothing);
        }
        refused(wanted(None, Some(spec("codex")), &["codex-acp"]));
        let long = "x".repeat(AGENT_ID_CHARACTERS + 1);
        for bad in [&*long, "a\nb", "\u{202e}a", " a", "a\0"] {
            let text = Some(bad.to_owned());
            for (field, spec) in [
                ("agent", spec(bad)),
                ("mode", AgentSpec { mode: text.clone(), ..spec("codex") }),
                ("model", AgentSpec { model: text.clone(), ..spec("codex") }),
            ] {
                let message = refused(wanted(None, Some(spec), &[]));
                assert!(message.contains(&format!("`agent.{field}`")), "{message}");
            }
        }
        let inside = |directories: &[&str]| {
            let directories = directories.iter().map(|path| (*path).to_owned()).collect();
            wanted(None, Some(AgentSpec { directories, ..spec("codex") }), &[])
        };
        let deep = format!("/{}", "x".repeat(AGENT_DIRECTORY_BYTES));
        for bad in ["", "src", "./src", "~/src", "/a\0b", &deep] {
            refused(inside(&["/srv", bad]));
        }
        assert!(planned(inside(&["/a"; AGENT_DIRECTORIES])).is_ok());
        refused(inside(&["/a"; AGENT_DIRECTORIES + 1]));
    }

    #[test]
    fn a_copy_has_the_same_agent() {
        let agent = AgentSpec {
            mode: Some("plan".to_owned()),
            model: Some("large".to_owned()),
            directories: vec!["/srv".to_owned()],
            ..spec("codex")
        };
        let source = planned(wanted(None, Some(agent), &[])).unwrap();
        let again = again(&source, &summary(&source, 0), source.size, None, "copy");
        let copy = planned(again).unwrap();
        assert_eq!((copy.driver, copy.agent), (source.driver, source.agent));
        let source = planned(wanted(Some("agent"), None, &["my-agent"])).unwrap();
        let again = super::super::again(&source, &summary(&source, 0), source.size, None, "copy");
        let copy = planned(again).unwrap();
        assert_eq!((copy.command, copy.agent), (source.command, source.agent));
    }
}
