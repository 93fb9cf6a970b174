//! One agent, tried from its start to its end: it works, asks, is answered, and everything around it
//! is killed.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use moorline_shared::agent::content::{KnownToolContent, ToolContent, ToolStatus};
use moorline_shared::fold::ConversationItem;
use moorline_shared::id::SessionId;
use moorline_tests::api::Api;
use moorline_tests::sse::Told;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};

use super::model::Task;
use super::processes::SessionProcesses;
use super::recorder::Recording;
use super::report::Findings;
use super::roster::{Asking, RealAgent};
use super::stage::AgentStage;
use super::watch::EventWatch;

/// Time allowed for all of a trial.
const LIMIT: Duration = Duration::from_secs(600);

/// What is killed while an agent waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Relay,
    Host,
}

/// A session of an agent that is tried.
struct Trial<'a> {
    stage: &'a mut AgentStage,
    id: SessionId,
    watch: EventWatch,
    /// The API with another token than the one that prompts.
    decider: Api,
    /// False if the agent is known not to ask.
    may_ask: bool,
    /// True if it is made to ask.
    is_special: bool,
}

/// What an agent does before its tool runs.
enum Pause {
    /// It asks, by this event.
    Asked(Value),
    /// It waits for its model, which is held.
    Held,
    /// Nothing: its turn is done.
    Done,
}

/// Tries an agent.
///
/// # Errors
/// What it did not do, with what happened instead.
pub(crate) async fn run(
    agent: &RealAgent,
    packages: &Path,
    recording: Option<&Recording>,
) -> Result<Findings> {
    let mut findings = Findings::of(agent, packages)?;
    let mut stage = AgentStage::new(agent, packages, recording).await?;
    let trial = async {
        match recording {
            Some(_) => asked(&mut stage, agent, &mut findings, true).await,
            None => {
                stage.listed(agent).await?;
                as_installed(&mut stage, agent, &mut findings).await?;
                asked(&mut stage, agent, &mut findings, false).await
            }
        }
    };
    let done = tokio::time::timeout(LIMIT, trial).await;
    if let Some(recording) = recording {
        recording.finish(stage.scrubber())?;
    }
    done.with_context(|| format!("it takes longer than {LIMIT:?}"))??;
    Ok(findings)
}

/// Tries the agent as it is, without any settings.
async fn as_installed(
    stage: &mut AgentStage,
    agent: &RealAgent,
    findings: &mut Findings,
) -> Result<()> {
    let started = Instant::now();
    let mut trial = Trial::start(stage, agent, None).await.context("as it is installed")?;
    findings.ready_in = started.elapsed();
    findings.introduce(&trial.watch.shown);
    let started = Instant::now();
    findings.asks_by_default = trial.round("default.txt", None).await?;
    findings.turn_in = started.elapsed();
    trial.end().await
}

/// Tries the agent with settings that make it ask, and kills the relay, the host and the agent.
async fn asked(
    stage: &mut AgentStage,
    agent: &RealAgent,
    findings: &mut Findings,
    is_short: bool,
) -> Result<()> {
    let mut trial = Trial::start(stage, agent, Some(agent.asking)).await?;
    if is_short {
        trial.round("first.txt", None).await?;
    } else {
        findings.asks = trial.round("first.txt", None).await.context("the first turn")?;
        let should_ask = agent.asking != Asking::Never;
        ensure!(findings.asks == should_ask, "it asked: {}", findings.asks);
        findings.has_diff = trial.has_diff();
        trial.round("relay.txt", Some(Victim::Relay)).await.context("the relay is killed")?;
        trial.round("host.txt", Some(Victim::Host)).await.context("the host is killed")?;
    }
    trial.agent_dies().await.context("the agent is killed")?;
    if agent.keeps_by_minute {
        next_minute().await?;
    }
    let started = Instant::now();
    trial.round("after.txt", None).await.context("after the agent was killed")?;
    findings.back_in = started.elapsed();
    let [first, after] = ["first.txt", "after.txt"].map(|name| trial.task(name));
    ensure!(trial.tools_of(&first) == 1, "the history was told again");
    let is_lost = trial.watch.errors.iter().any(|error| error.contains("history_lost"));
    findings.resumes = trial.stage.model.was_told_of(&first, &after);
    findings.errors.clone_from(&trial.watch.errors);
    ensure!(findings.resumes != is_lost, "history_lost was told: {is_lost}");
    trial.end().await
}

impl<'a> Trial<'a> {
    /// Starts a session, and waits until the agent is ready.
    async fn start(
        stage: &'a mut AgentStage,
        agent: &RealAgent,
        asking: Option<Asking>,
    ) -> Result<Self> {
        let id = stage.open(agent, asking).await?;
        let api = stage.api();
        let decider = api.with_token(Some(&api.token(&format!("session:{id}:write")).await?));
        let mut watch = EventWatch::start(api, id.clone()).await?;
        let ready =
            watch.until("the agent to be ready", |told| match told.data["phase"].as_str() {
                Some("ready") if told.kind == "agent-info" => Ok(Some(())),
                Some("failed" | "exited" | "needs-login") => bail!("{}", told.data),
                _ => Ok(None),
            });
        ready.await?;
        let may_ask = agent.asking != Asking::Never;
        Ok(Self { stage, id, watch, decider, may_ask, is_special: asking.is_some() })
    }

    fn task(&self, name: &str) -> Task {
        let task = Task::new(&self.stage.folder.path().join(name));
        if self.is_special { task.special() } else { task }
    }

    /// Prompts the agent to write a file, kills something while it waits, and sees it through.
    /// Returns true if it asked.
    async fn round(&mut self, name: &str, victim: Option<Victim>) -> Result<bool> {
        let task = self.task(name);
        let (turn, pause) = self.prompt(&task, victim.is_some()).await?;
        match victim {
            Some(Victim::Relay) => {
                self.stage.relay.kill().await?;
                self.stage.relay.launch().await?;
                self.watch.reconnect().await?;
                // What was not stored yet is told again by the host.
                let is_known = async || self.has_open(&pause).await.unwrap_or(false);
                wait_until("the relay to know the question", is_known).await?;
            }
            Some(Victim::Host) => {
                self.stage.relay.kill_host().await?;
                self.stage.relay.launch_host().await?;
            }
            None => {}
        }
        self.stage.model.release();
        let has_asked = match &pause {
            Pause::Asked(approval) => {
                ensure!(!task.is_done(), "it has written the file unasked");
                self.allow(approval).await?;
                true
            }
            Pause::Held | Pause::Done => false,
        };
        if !matches!(pause, Pause::Done) {
            self.until_turn(&turn, "done").await?;
        }
        ensure!(task.is_done(), "the file is not there");
        self.check_tool(&turn)?;
        Ok(has_asked)
    }

    /// Prompts the agent. Returns the turn, and what the agent waits for. If it is not known to
    /// ask, `waits` makes it wait for its model.
    async fn prompt(&mut self, task: &Task, waits: bool) -> Result<(String, Pause)> {
        let is_held = waits && !self.may_ask;
        if is_held {
            self.stage.model.hold(task);
        }
        let path = format!("/api/session/{}/prompt", self.id);
        let body = json!({ "command": task.prompt() });
        let answer = self.stage.api().expect(200, Method::POST, &path, body).await?;
        let turn = answer["turnId"].as_str().context("no turn")?.to_owned();
        if is_held {
            let model = &self.stage.model;
            wait_until("the model to be asked", async || model.was_asked(task)).await?;
            return Ok((turn, Pause::Held));
        }
        let pause = self.watch.until("a question, or the end of the turn", |told| {
            if told.kind == "approval-request" {
                return Ok(Some(Pause::Asked(told.data.clone())));
            }
            Ok(turn_state(told, &turn, "done")?.then_some(Pause::Done))
        });
        let pause = pause.await?;
        Ok((turn, pause))
    }

    /// Returns true if the relay knows what the agent waits for.
    async fn has_open(&self, pause: &Pause) -> Result<bool> {
        let Pause::Asked(approval) = pause else { return Ok(true) };
        let open = self.open_approvals().await?;
        Ok(open.iter().any(|it| it["approvalId"] == approval["approvalId"]))
    }

    async fn open_approvals(&self) -> Result<Vec<Value>> {
        let path = format!("/api/session/{}/approvals?state=open", self.id);
        let open = self.stage.api().expect(200, Method::GET, &path, Value::Null).await?;
        Ok(open["approvals"].as_array().context("no approvals")?.clone())
    }

    /// Allows what was asked, with another token than the one that prompts.
    async fn allow(&mut self, approval: &Value) -> Result<()> {
        let id = approval["approvalId"].as_str().context("no approval")?;
        let path = format!("/api/session/{}/approvals/{id}", self.id);
        let body = json!({ "approved": true, "digest": approval["digest"] });
        self.decider.expect(200, Method::POST, &path, body).await?;
        let confirmed = self.watch.until("the confirmation", |told| {
            Ok((told.kind == "approval-confirmed").then(|| told.data["approved"].clone()))
        });
        ensure!(confirmed.await? == true, "the approval was turned round");
        Ok(())
    }

    async fn until_turn(&mut self, turn: &str, state: &str) -> Result<()> {
        let what = format!("the turn to be {state}");
        let reached = |told: &Told| Ok(turn_state(told, turn, state)?.then_some(()));
        self.watch.until(&what, reached).await
    }

    /// Checks that the conversation shows a tool of this turn that is done.
    fn check_tool(&self, turn: &str) -> Result<()> {
        let items = &self.watch.shown.items;
        let of_turn = items.iter().filter_map(|item| match item {
            ConversationItem::Tool(tool) => Some(tool),
            _ => None,
        });
        let tools: Vec<_> = of_turn
            .filter(|tool| tool.turn_id.as_ref().is_some_and(|id| id.as_str() == turn))
            .collect();
        let is_done = tools.iter().any(|tool| tool.status == ToolStatus::Completed);
        ensure!(is_done, "no tool of the turn is done: {tools:?}");
        let is_open = tools.iter().any(|tool| !tool.status.is_over());
        ensure!(!is_open, "a tool of a turn that is over is not: {tools:?}");
        Ok(())
    }

    /// Returns the number of tool calls that the conversation shows for a task.
    fn tools_of(&self, task: &Task) -> usize {
        let of_task = |item: &&ConversationItem| match item {
            ConversationItem::Tool(tool) => {
                serde_json::to_string(tool).is_ok_and(|json| json.contains(task.name()))
            }
            _ => false,
        };
        self.watch.shown.items.iter().filter(of_task).count()
    }

    /// Returns true if a question or a tool call shows a change of a file.
    fn has_diff(&self) -> bool {
        let is_diff = |content: &KnownToolContent| matches!(content, KnownToolContent::Diff { .. });
        let of_tools = self.watch.shown.items.iter().any(|item| match item {
            ConversationItem::Tool(tool) => tool.content.iter().any(|content| match content {
                ToolContent::Known(content) => is_diff(content),
                ToolContent::Other(_) => false,
            }),
            _ => false,
        });
        let asked = self.watch.shown.summary.approvals.entries();
        of_tools || asked.iter().any(|entry| entry.request.subject.content.iter().any(is_diff))
    }

    /// Kills the agent while it waits: its turn fails, and its question is withdrawn.
    async fn agent_dies(&mut self) -> Result<()> {
        let task = self.task("killed.txt");
        let (turn, pause) = self.prompt(&task, true).await?;
        ensure!(!matches!(pause, Pause::Done), "it did not wait");
        SessionProcesses::of(&self.id).kill_agent()?;
        let failed = self.watch.until("the turn to fail", |told| {
            let is_ours = told.kind == "agent-turn" && told.data["turnId"] == turn.as_str();
            Ok((is_ours && told.data["state"] == "failed").then(|| told.data["error"].clone()))
        });
        let error = failed.await?;
        ensure!(error["code"] == "agent_exited", "{error}");
        self.stage.model.release();
        let open = self.open_approvals().await?;
        ensure!(open.is_empty(), "still open: {open:?}");
        let gone = async || SessionProcesses::of(&self.id).is_empty();
        wait_until("the killed agent's processes to end", gone).await?;
        ensure!(!task.is_done(), "it has written the file");
        Ok(())
    }

    async fn end(self) -> Result<()> {
        self.stage.close(&self.id).await
    }
}

impl Drop for Trial<'_> {
    /// Leaves the conversation for whoever looks into a failure.
    fn drop(&mut self) {
        let shown = serde_json::to_string_pretty(&self.watch.shown).unwrap_or_default();
        _ = std::fs::write(&self.stage.shown, shown);
    }
}

/// Waits for the end of the minute, for an agent whose files have names by the minute.
async fn next_minute() -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let rest = Duration::from_mins(1).as_millis() as u64 - now.as_millis() as u64 % 60_000;
    tokio::time::sleep(Duration::from_millis(rest)).await;
    Ok(())
}

/// Returns true if an event says that a turn is in this state.
///
/// # Errors
/// If it has ended in another one.
fn turn_state(told: &Told, turn: &str, state: &str) -> Result<bool> {
    if told.kind != "agent-turn" || told.data["turnId"] != turn {
        return Ok(false);
    }
    let is_over = ["done", "failed", "cancelled"].iter().any(|word| told.data["state"] == *word);
    let is_reached = told.data["state"] == state;
    ensure!(is_reached || !is_over, "{}", told.data);
    Ok(is_reached)
}
