//! A relay with its host, a home for one agent, and the stand-in for its model.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::api::Api;
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::model::ModelStub;
use super::processes::SessionProcesses;
use super::recorder::Recording;
use super::roster::{Asking, RealAgent};
use super::scrub::Scrubber;

/// Everything around an agent.
#[derive(Debug)]
pub(crate) struct AgentStage {
    pub(crate) relay: Relay,
    pub(crate) model: ModelStub,
    /// The folder that the agent works in.
    pub(crate) folder: TempDir,
    /// The file for the conversation that was shown last.
    pub(crate) shown: PathBuf,
    /// The sessions that were started.
    sessions: Vec<SessionId>,
    home: TempDir,
    /// The folder of the agent's packages.
    packages: PathBuf,
}

impl AgentStage {
    /// Prepares everything. The packages of the agent are in the folder `packages`, and a log of
    /// what its model was asked is written there. `recording` is put between the host and the
    /// agent.
    ///
    /// # Errors
    /// If a program is missing or does not start.
    pub(crate) async fn new(
        agent: &RealAgent,
        packages: &Path,
        recording: Option<&Recording>,
    ) -> Result<Self> {
        let home = TempDir::with_prefix("moorline-home-")?;
        let folder = TempDir::with_prefix("moorline-work-")?;
        let model = ModelStub::start(&packages.join("model.jsonl")).await?;
        for (name, content) in (agent.files)(&model.url()) {
            let file = home.path().join(name);
            std::fs::create_dir_all(file.parent().context("a file is in a folder")?)?;
            std::fs::write(file, content)?;
        }
        let mut folders = program_folders(agent, packages);
        if let Some(recording) = recording {
            let program = find(&folders, agent.program)
                .with_context(|| format!("npm did not install {}", agent.program))?;
            let wrappers = home.path().join("wrappers");
            recording.wrap(&program, &wrappers.join(agent.program))?;
            folders.insert(0, wrappers);
        }
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let path = folders.into_iter().chain(std::env::split_paths(&inherited));
        let path = std::env::join_paths(path)?.into_string();
        let path = path.ok().context("a folder of PATH is not UTF-8")?;
        let mut variables = vec![
            ("HOME".to_owned(), home.path().to_string_lossy().into_owned()),
            ("PATH".to_owned(), path),
            ("NO_PROXY".to_owned(), "127.0.0.1,localhost".to_owned()),
        ];
        let own = (agent.variables)(&model.url()).into_iter();
        variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let setup = Setup { variables, ..Setup::default() };
        let relay = Relay::start_as(Kind::Native, setup).await?;
        let (shown, packages) = (packages.join("conversation.json"), packages.to_owned());
        Ok(Self { relay, model, folder, shown, sessions: Vec::new(), home, packages })
    }

    /// Starts a session of the agent, which asks before it acts if `asking` is given.
    ///
    /// # Errors
    /// If the relay refuses it.
    pub(crate) async fn open(
        &mut self,
        agent: &RealAgent,
        asking: Option<Asking>,
    ) -> Result<SessionId> {
        let mut wish = json!({
            "agent": { "agent": agent.id }, "cwd": self.folder.path(), "name": agent.id,
        });
        match asking {
            Some(Asking::Variable { name, value }) => wish["env"] = json!({ name: value }),
            Some(Asking::Option { option: "mode", value }) => wish["agent"]["mode"] = value.into(),
            _ => {}
        }
        let created = self.api().expect(201, Method::POST, "/api/sessions", wish).await?;
        let id: SessionId = created["sessionId"].as_str().context("no id")?.parse()?;
        self.sessions.push(id.clone());
        Ok(id)
    }

    /// The API for administrators.
    pub(crate) fn api(&self) -> Api {
        self.relay.api()
    }

    /// Returns a scrubber that knows the folders of this stage.
    pub(crate) fn scrubber(&self) -> Scrubber {
        let mut scrubber = Scrubber::default();
        let folder = self.folder.path().to_string_lossy();
        scrubber.replace(&folder, "/work");
        // OpenCode leaves out the first slash.
        scrubber.replace(folder.trim_start_matches('/'), "work");
        scrubber.replace(&self.home.path().to_string_lossy(), "/home/me");
        scrubber.replace(&self.packages.to_string_lossy(), "/agents");
        scrubber.replace(&self.model.url(), "http://127.0.0.1:1");
        scrubber
    }

    /// Ends a session, and checks that nothing of it is left.
    ///
    /// # Errors
    /// If a process of it still runs.
    pub(crate) async fn close(&self, id: &SessionId) -> Result<()> {
        self.api().call(Method::DELETE, &format!("/api/session/{id}"), Value::Null).await?;
        let gone = async || SessionProcesses::of(id).is_empty();
        wait_until("the processes of the session to end", gone).await
    }

    /// Returns the agent as the host's catalogue lists it.
    ///
    /// # Errors
    /// If it is not installed.
    pub(crate) async fn listed(&self, agent: &RealAgent) -> Result<Value> {
        let hosts: Value = self.api().get("/api/hosts").await?;
        let host = hosts["hosts"][0]["hostId"].as_str().context("no host")?.to_owned();
        let list: Value = self.api().get(&format!("/api/hosts/{host}/agents")).await?;
        let agents = list["agents"].as_array().context("no agents")?;
        let entry = agents.iter().find(|entry| entry["id"] == agent.id).context("not listed")?;
        ensure!(entry["command"].is_array(), "the catalogue does not find it: {entry}");
        Ok(entry.clone())
    }
}

impl Drop for AgentStage {
    fn drop(&mut self) {
        // Only after a failure something is left.
        for session in &self.sessions {
            SessionProcesses::of(session).kill_all();
        }
    }
}

/// Returns the folders with programs of an agent's packages.
fn program_folders(agent: &RealAgent, packages: &Path) -> Vec<PathBuf> {
    let modules = packages.join("node_modules");
    let own = agent.folders.iter().map(|folder| modules.join(folder));
    own.filter(|folder| folder.is_dir()).chain([modules.join(".bin")]).collect()
}

fn find(folders: &[PathBuf], program: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}
