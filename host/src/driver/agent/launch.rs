//! From the spec of a session to the program that is started.

use std::collections::BTreeMap;
use std::sync::Arc;

use moorline_shared::agent::spec::AgentSpec;
use moorline_shared::id::SessionId;

use super::ask_records::AskRecords;
use super::catalogue;
use super::files::AgentFolders;
use super::history;
use super::machine::AgentSettings;
use super::process::AgentProgram;
use crate::clock::random_bits;
use crate::driver::pty::environment::Environment;
use crate::driver::pty::{self, Spawn};
use crate::driver::{DriverError, SessionSpec, TerminalOpener};

/// A session that is ready to run.
#[derive(Debug)]
pub(super) struct AgentLaunch {
    pub(super) session_id: SessionId,
    /// The agent's id in the catalogue; `None` if the session has a command of its own.
    pub(super) agent: Option<String>,
    pub(super) settings: AgentSettings,
    pub(super) program: AgentProgram,
    pub(super) folders: AgentFolders,
    /// Variables of the commands that it runs, beside those of the host.
    pub(super) env: BTreeMap<String, String>,
    pub(super) opener: Option<Arc<dyn TerminalOpener>>,
}

impl AgentLaunch {
    /// Finds the program and the folders of a session. May block.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(super) fn new(spec: SessionSpec, records: &AskRecords) -> Result<Self, DriverError> {
        let SessionSpec { session_id, facts, cwd, variables, fork, opener, workspace: _ } = spec;
        let is_known = facts.agent.as_ref().is_some_and(|agent| agent.agent.is_some());
        let agent = facts.agent.unwrap_or_default();
        let command = command(&agent, facts.command)?;
        let name = agent.agent.clone().unwrap_or_else(|| program_name(&command));
        let mut env = facts.env;
        if is_known {
            // Programs from npm need the `node` beside them.
            env.entry("PATH".to_owned())
                .or_insert_with(|| catalogue::search_path().to_string_lossy().into_owned());
        }
        let own = env.clone();
        env.extend(variables);
        let spawn = Spawn { command: Some(command.clone()), cwd, env, ..Spawn::default() };
        let environment = Environment::of_this_process();
        let cwd = pty::folder(&spawn, &environment)?;
        let program = pty::program(&spawn, &cwd, &environment)?;
        let AgentSpec { agent, mode, model, directories, .. } = agent;
        if let Some(relative) = directories.iter().find(|folder| !folder.starts_with('/')) {
            let message = format!("the folder {relative:?} of the agent is not an absolute path");
            return Err(DriverError::Refused(message.into()));
        }
        let mut folders = vec![cwd.clone()];
        folders.extend(directories.iter().map(Into::into));
        let program = AgentProgram {
            path: program.path,
            arguments: program.arguments,
            variables: program.variables,
            cwd: cwd.clone(),
        };
        let history = fork.as_ref().and_then(history::history);
        let inherited = fork.as_ref().map(history::turns).unwrap_or_default();
        let seen = |id: &str| records.get(id, || catalogue::version(id));
        let asks = agent.as_deref().and_then(|id| seen(id).or_else(|| catalogue::asks(id)));
        let id_suffix = fork.as_ref().map(|_| session_id.to_string()).unwrap_or_default();
        let settings = AgentSettings {
            name,
            cwd,
            directories,
            command,
            mode,
            model,
            asks,
            id_suffix,
            history,
            inherited,
        };
        let folders = AgentFolders(folders);
        Ok(Self { session_id, agent, settings, program, folders, env: own, opener })
    }

    /// Returns the name of the socket for the keeper of another process of the agent.
    pub(super) fn new_socket(&self) -> String {
        format!("{}.{:08x}.sock", self.session_id, random_bits() as u32)
    }
}

/// Returns the command that starts an agent.
fn command(agent: &AgentSpec, given: Vec<String>) -> Result<Vec<String>, DriverError> {
    match &agent.agent {
        Some(id) => catalogue::find(id).map_err(|missing| DriverError::Refused(missing.into())),
        None if given.is_empty() => Err(DriverError::Refused(
            "name an agent, or the command of a program that speaks the Agent Client Protocol"
                .into(),
        )),
        None => Ok(given),
    }
}

fn program_name(command: &[String]) -> String {
    let path = command.first().map(String::as_str).unwrap_or_default();
    path.rsplit('/').next().unwrap_or(path).to_owned()
}
