//! From the spec of a session to the program that is started.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use moorline_shared::agent::spec::AgentSpec;
use moorline_shared::fold::Conversation;
use moorline_shared::id::SessionId;

use super::ask_records::AskRecords;
use super::catalogue;
use super::files::AgentFolders;
use super::history;
use super::machine::AgentSettings;
use super::process::AgentProgram;
use crate::clock::random_bits;
use crate::driver::kubernetes::PodAgent;
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
    pub(super) place: AgentPlace,
    pub(super) folders: AgentFolders,
    /// Variables of the commands that it runs, beside those of the host.
    pub(super) env: BTreeMap<String, String>,
    pub(super) opener: Option<Arc<dyn TerminalOpener>>,
}

/// The place where an agent runs.
#[derive(Debug, Clone)]
pub(super) enum AgentPlace {
    /// A process on this machine.
    Here(AgentProgram),
    /// A pod of a Kubernetes cluster.
    Pod(Arc<PodAgent>),
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
        let name = name_of(&agent, &command);
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
        let place = AgentPlace::Here(AgentProgram {
            path: program.path,
            arguments: program.arguments,
            variables: program.variables,
            cwd: cwd.clone(),
        });
        let seen = |id: &str| records.get(id, || catalogue::version(id));
        let asks = agent.agent.as_deref().and_then(|id| seen(id).or_else(|| catalogue::asks(id)));
        let mut folders = vec![cwd.clone()];
        folders.extend(agent.directories.iter().map(Into::into));
        let settings = AgentSettings { name, cwd, command, asks, ..AgentSettings::default() };
        let settings = settings_of(settings, &session_id, &agent, fork.as_ref())?;
        let folders = AgentFolders(folders);
        let agent = agent.agent;
        Ok(Self { session_id, agent, settings, place, folders, env: own, opener })
    }

    /// Returns the launch of an agent in a pod. None of its folders is on this machine.
    pub(super) fn in_pod(spec: SessionSpec, pod: PodAgent, settings: AgentSettings) -> Self {
        Self {
            session_id: spec.session_id,
            // What is known of the agent that is installed here says nothing of the image's.
            agent: None,
            settings,
            place: AgentPlace::Pod(Arc::new(pod)),
            folders: AgentFolders(Vec::new()),
            env: BTreeMap::new(),
            opener: None,
        }
    }

    /// Returns the name of the socket for the keeper of another process of the agent.
    pub(super) fn new_socket(&self) -> String {
        format!("{}.{:08x}.sock", self.session_id, random_bits() as u32)
    }
}

/// Returns the settings of an agent that this command starts in a pod, where it works in the folder
/// `cwd`.
///
/// # Errors
/// [`DriverError`].
pub(super) fn settings_in_pod(
    spec: &SessionSpec,
    command: Vec<String>,
    cwd: PathBuf,
) -> Result<AgentSettings, DriverError> {
    let agent = spec.facts.agent.clone().unwrap_or_default();
    let name = name_of(&agent, &command);
    let settings = AgentSettings { name, cwd, command, in_pod: true, ..AgentSettings::default() };
    settings_of(settings, &spec.session_id, &agent, spec.fork.as_ref())
}

/// Returns the command that starts an agent in a pod, whose image has it.
///
/// # Errors
/// [`DriverError`].
pub(super) fn command_in_pod(spec: &SessionSpec) -> Result<Vec<String>, DriverError> {
    let agent = spec.facts.agent.clone().unwrap_or_default();
    match &agent.agent {
        Some(id) => {
            catalogue::command_elsewhere(id).map_err(|error| DriverError::Refused(error.into()))
        }
        None => command(&agent, spec.facts.command.clone()),
    }
}

/// Adds to the settings what does not depend on where an agent runs.
fn settings_of(
    settings: AgentSettings,
    session: &SessionId,
    agent: &AgentSpec,
    fork: Option<&Conversation>,
) -> Result<AgentSettings, DriverError> {
    let AgentSpec { mode, model, directories, .. } = agent.clone();
    if let Some(relative) = directories.iter().find(|folder| !folder.starts_with('/')) {
        let message = format!("the folder {relative:?} of the agent is not an absolute path");
        return Err(DriverError::Refused(message.into()));
    }
    let id_suffix = fork.map(|_| session.to_string()).unwrap_or_default();
    let (history, inherited) =
        (fork.and_then(history::history), fork.map(history::turns).unwrap_or_default());
    Ok(AgentSettings { directories, mode, model, id_suffix, history, inherited, ..settings })
}

/// Returns the name of an agent until it introduces itself.
fn name_of(agent: &AgentSpec, command: &[String]) -> String {
    agent.agent.clone().unwrap_or_else(|| program_name(command))
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
