//! Agents: a scripted agent that speaks the Agent Client Protocol is prompted, asks, is answered and
//! dies.

mod decisions;
mod ends;
mod requests;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::api::Api;
use moorline_tests::relay::Relay;
use moorline_tests::sse::{Sse, Told};
use moorline_tests::wait::wait_for;
use reqwest::Method;
use serde_json::{Value, json};

/// The folder and the session of a scripted agent.
pub(super) struct Agent {
    pub(super) api: Api,
    pub(super) id: SessionId,
    pub(super) folder: tempfile::TempDir,
}

impl Agent {
    /// Starts the agent. What it hears is written to `agent.log` in its folder.
    pub(super) async fn start(relay: &Relay) -> Result<Self> {
        Self::start_with(relay, &[]).await
    }

    async fn start_with(relay: &Relay, arguments: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let program = env!("CARGO_BIN_EXE_moorline-acp-peer");
        let mut command = vec![program.to_owned(), "agent".to_owned()];
        command.extend(["--log".to_owned(), at("agent.log"), "--state".to_owned(), at("state")]);
        command.extend(arguments.iter().map(|&argument| argument.to_owned()));
        let wish = json!({
            "driver": "agent", "command": command, "cwd": folder.path(), "name": "peer",
        });
        let api = relay.api();
        let created = api.expect(201, Method::POST, "/api/sessions", wish).await?;
        let id = created["sessionId"].as_str().context("no id")?.parse()?;
        Ok(Self { api, id, folder })
    }

    pub(super) fn path(&self, rest: &str) -> String {
        format!("/api/session/{}/{rest}", self.id)
    }

    /// Sends a prompt, and returns the id of its turn.
    pub(super) async fn prompt(&self, script: &str) -> Result<String> {
        let body = json!({ "command": script });
        let answer = self.api.expect(200, Method::POST, &self.path("prompt"), body).await?;
        ensure!(answer["success"] == true && answer["sessionId"] == json!(self.id), "{answer}");
        Ok(answer["turnId"].as_str().context("no turn")?.to_owned())
    }

    pub(super) async fn events(&self) -> Result<Sse> {
        Sse::replay(&self.api, &self.id, "").await
    }

    /// Returns the open approvals.
    pub(super) async fn approvals(&self) -> Result<Vec<Value>> {
        let path = self.path("approvals?state=open");
        let answer = self.api.expect(200, Method::GET, &path, Value::Null).await?;
        Ok(answer["approvals"].as_array().context("no approvals")?.clone())
    }

    /// Returns the lines that the agent has got from its client.
    fn heard(&self) -> Result<Vec<Value>> {
        let log = std::fs::read_to_string(self.folder.path().join("agent.log"))?;
        let lines = log.lines().filter_map(|line| line.strip_prefix("in "));
        lines.map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Returns how many prompts the agent has got.
    pub(super) fn heard_prompts(&self) -> Result<usize> {
        let heard = self.heard()?;
        Ok(heard.iter().filter(|line| line["method"] == "session/prompt").count())
    }

    pub(super) fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join(name)).ok()
    }
}

/// Skips to the event that a turn is in this state.
pub(super) async fn turn_is(events: &mut Sse, turn: &str, state: &str) -> Result<Value> {
    loop {
        let event = events.skip_to("agent-turn").await?.data;
        if event["turnId"] == turn && event["state"] == state {
            return Ok(event);
        }
    }
}

/// Returns true if an event says that a turn is over.
fn is_over(event: &Value, turn: &str) -> bool {
    let states = ["done", "cancelled", "failed"];
    event["turnId"] == turn && states.iter().any(|state| event["state"] == *state)
}

/// Returns all that the agent has said until a turn was done.
async fn said_until_done(events: &mut Sse, turn: &str) -> Result<String> {
    let mut said = String::new();
    loop {
        let Told { kind, data, .. } = events.event().await?.context("the stream ended")?;
        match &*kind {
            "agent-message" if data["role"] == "agent" || data["role"].is_null() => {
                said.push_str(data["delta"].as_str().unwrap_or_default());
            }
            "agent-turn" if data["turnId"] == turn && data["state"] == "done" => return Ok(said),
            "agent-turn" => {
                ensure!(data["state"] != "failed" && data["state"] != "cancelled", "{data}");
            }
            _ => {}
        }
    }
}

pub(super) async fn decide(
    agent: &Agent,
    approval: &Value,
    approved: bool,
    status: u16,
) -> Result<Value> {
    let id = approval["approvalId"].as_str().context("no approval")?;
    let body = json!({ "approved": approved, "digest": approval["digest"] });
    agent.api.expect(status, Method::POST, &agent.path(&format!("approvals/{id}")), body).await
}

#[tokio::test]
async fn an_agent_is_prompted_and_its_words_are_events_and_a_transcript() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    let turn = agent.prompt("think hmm\nsay Hello, world.\nplan [\"one\"]\nsay Done.").await?;
    // The host reports it, so it is told even of a prompt that was sent while the host was away.
    let sent = events.skip_to("command-sent").await?.data;
    ensure!(sent["command"].as_str().is_some_and(|text| text.starts_with("think")), "{sent}");
    let running = turn_is(&mut events, &turn, "running").await?;
    ensure!(running["timestamp"].is_u64(), "{running}");
    let said = said_until_done(&mut events, &turn).await?;
    ensure!(said.contains("Hello, world.") && said.contains("Done."), "{said}");
    let status = agent.api.expect(200, Method::GET, &agent.path("status"), Value::Null).await?;
    ensure!(status["mode"] == "agent", "{status}");
    // A client that only knows output reads a conversation.
    let mut output = agent.events().await?;
    let mut text = String::new();
    while !text.contains("Done.") {
        let event = output.skip_to("session-output").await?.data;
        text.push_str(event["content"].as_str().unwrap_or_default());
    }
    ensure!(text.contains("Hello, world."), "{text}");
    Ok(())
}

#[tokio::test]
async fn an_approval_is_asked_decided_once_and_done() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    let turn = agent.prompt("edit notes.txt \"new\\n\"").await?;
    let asked = events.skip_to("approval-request").await?.data;
    ensure!(asked["approvalId"].is_string() && asked["digest"].is_string(), "{asked}");
    ensure!(asked.get("command").is_some() && asked.get("expiresAt").is_some(), "{asked}");
    let open = agent.approvals().await?;
    ensure!(open.len() == 1 && open[0]["approvalId"] == asked["approvalId"], "{open:?}");
    ensure!(agent.file("notes.txt").is_none(), "it was written unasked");

    // A decision about something else, then two at once.
    let other = json!({ "approvalId": asked["approvalId"], "digest": "0000" });
    let refused = decide(&agent, &other, true, 409).await?;
    ensure!(refused["code"] == "digest_mismatch", "{refused}");
    let decided = decide(&agent, &asked, true, 200).await?;
    ensure!(decided["decision"]["approved"] == true, "{decided}");
    let late = decide(&agent, &asked, false, 409).await?;
    ensure!(late["code"] == "already_decided", "{late}");

    let confirmed = events.skip_to("approval-confirmed").await?.data;
    ensure!(confirmed["approved"] == true && confirmed["customCommand"].is_null(), "{confirmed}");
    turn_is(&mut events, &turn, "done").await?;
    ensure!(agent.file("notes.txt").as_deref() == Some("new\n"));
    ensure!(agent.approvals().await?.is_empty());
    let answers = agent.heard()?;
    let answers: Vec<_> = answers.iter().filter(|it| it["result"]["outcome"].is_object()).collect();
    ensure!(answers.len() == 1, "{answers:?}");
    Ok(())
}

#[tokio::test]
async fn a_decision_survives_the_relay_and_the_host() -> Result<()> {
    let mut relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    let turn = agent.prompt("edit notes.txt \"new\\n\"").await?;
    let asked = events.skip_to("approval-request").await?.data;
    // The host dies and comes back: the agent lives on, and still waits.
    relay.kill_host().await?;
    relay.launch_host().await?;
    relay.kill().await?;
    relay.launch().await?;
    let writer = agent.api.token(&format!("session:{}:write", agent.id)).await?;
    let elsewhere = Agent { api: agent.api.with_token(Some(&writer)), ..agent };
    decide(&elsewhere, &asked, true, 200).await?;
    let mut events = elsewhere.events().await?;
    turn_is(&mut events, &turn, "done").await?;
    ensure!(elsewhere.file("notes.txt").as_deref() == Some("new\n"));
    let heard = elsewhere.heard()?;
    let outcomes = heard.iter().filter(|line| line["result"]["outcome"].is_object()).count();
    ensure!(outcomes == 1, "the agent was answered {outcomes} times");
    let prompts = elsewhere.heard_prompts()?;
    ensure!(prompts == 1, "the agent was prompted {prompts} times");
    Ok(())
}

#[tokio::test]
async fn prompts_queue_while_the_host_is_away_and_can_be_changed() -> Result<()> {
    let mut relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let go = agent.folder.path().join("go");
    let first = agent.prompt(&format!("wait {}", go.display())).await?;
    let mut events = agent.events().await?;
    turn_is(&mut events, &first, "running").await?;
    let second = agent.prompt("say second").await?;
    let third = agent.prompt("say third").await?;
    let fourth = agent.prompt("say fourth").await?;
    let edit = agent.path(&format!("prompts/{second}"));
    agent.api.expect(200, Method::PATCH, &edit, json!({ "command": "say changed" })).await?;
    let withdraw = agent.path(&format!("prompts/{third}"));
    agent.api.expect(200, Method::DELETE, &withdraw, Value::Null).await?;
    let queue = agent.api.expect(200, Method::GET, &agent.path("prompts"), Value::Null).await?;
    let queued: Vec<_> = queue["turns"].as_array().context("no turns")?.iter().collect();
    let states: Vec<_> = queued.iter().map(|turn| (&turn["turnId"], &turn["state"])).collect();
    let expected = [(&first, "running"), (&second, "queued"), (&fourth, "queued")];
    for (turn, state) in expected {
        ensure!(states.contains(&(&json!(turn), &json!(state))), "{queue}");
    }
    relay.kill().await?;
    relay.launch().await?;
    std::fs::write(&go, "")?;
    let mut events = agent.events().await?;
    let said = said_until_done(&mut events, &fourth).await?;
    ensure!(said.contains("changed") && said.contains("fourth"), "{said}");
    ensure!(!said.contains("second") && !said.contains("third"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_turn_is_stopped() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    let turn = agent.prompt("ask {\"title\":\"Go on?\"}").await?;
    let asked = events.skip_to("approval-request").await?.data;
    agent.api.expect(200, Method::POST, &agent.path("stop"), json!({})).await?;
    turn_is(&mut events, &turn, "cancelled").await?;
    let refused = decide(&agent, &asked, true, 410).await?;
    ensure!(refused["code"] == "approval_withdrawn", "{refused}");
    // One that does not stop is stopped by force, and comes back for the next prompt.
    let turn = agent.prompt("hang").await?;
    turn_is(&mut events, &turn, "running").await?;
    agent.api.expect(200, Method::POST, &agent.path("stop"), json!({ "force": true })).await?;
    turn_is(&mut events, &turn, "cancelled").await?;
    let turn = agent.prompt("say back").await?;
    let said = said_until_done(&mut events, &turn).await?;
    ensure!(said.contains("back"), "{said}");
    Ok(())
}

#[tokio::test]
async fn an_agent_that_dies_in_a_turn_is_told_and_can_be_asked_again() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    let turn = agent.prompt("say before\nask! {\"title\":\"Go on?\"}\nexit 3").await?;
    let failed = turn_is(&mut events, &turn, "failed").await?;
    ensure!(failed["error"]["code"] == "agent_exited", "{failed}");
    ensure!(agent.approvals().await?.is_empty(), "a dead agent still asks");
    let turn = agent.prompt("say after").await?;
    let said = said_until_done(&mut events, &turn).await?;
    ensure!(said == "after", "its history was told again: {said}");
    Ok(())
}

#[tokio::test]
async fn an_agent_reads_and_writes_in_its_folder_only() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let outside = tempfile::tempdir()?;
    std::fs::write(outside.path().join("secret"), "secret")?;
    std::os::unix::fs::symlink(outside.path(), agent.folder.path().join("link"))?;
    let script = format!(
        "write a.txt hello\nread a.txt\nread link/secret\nread {}\nwrite link/new x",
        outside.path().join("secret").display()
    );
    let mut events = agent.events().await?;
    let turn = agent.prompt(&script).await?;
    let said = said_until_done(&mut events, &turn).await?;
    ensure!(said.contains("a.txt: hello"), "{said}");
    ensure!(said.contains("link/secret: error") && !said.contains(": secret"), "{said}");
    ensure!(!Path::new(&outside.path().join("new")).exists(), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_terminal_of_an_agent_is_a_session() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    let turn = agent.prompt("run echo hello; read line; echo \"got $line\"; exit 3").await?;
    let created = events.skip_to("terminal-created").await?.data;
    ensure!(created["mode"] == "pty", "{created}");
    let terminal: SessionId = created["terminalId"].as_str().context("no terminal")?.parse()?;
    // Anyone who may can see it run, and type into it.
    let mut shown = Sse::replay(&agent.api, &terminal, "").await?;
    let mut text = String::new();
    while !text.contains("hello") {
        let event = shown.skip_to("session-output").await?.data;
        text.push_str(event["content"].as_str().unwrap_or_default());
    }
    let path = format!("/api/terminal/{terminal}/input");
    agent.api.expect(200, Method::POST, &path, json!({ "data": "it\r" })).await?;
    let said = said_until_done(&mut events, &turn).await?;
    ensure!(said.contains("got it") && said.contains("exit: 3"), "{said}");
    while shown.skip_to("session-status").await?.data["status"] != "exited" {}
    // The list follows the session's last event.
    let listed = async || {
        let list = agent.api.expect(200, Method::GET, "/api/sessions", Value::Null).await.ok()?;
        let mut sessions = list["sessions"].as_array()?.iter();
        let found = sessions.find(|it| it["sessionId"] == json!(terminal))?;
        (found["lifecycle"] == "exited").then(|| found.clone())
    };
    let found = wait_for("the terminal among the sessions that are over", listed).await?;
    ensure!(found["driver"] == "pty", "{found}");
    ensure!(found["exitCode"] == 3 && found["command"][0] == "sh", "{found}");
    // The agent's tool call names it.
    let mut tools = agent.events().await?;
    loop {
        let tool = tools.skip_to("agent-tool").await?.data;
        if tool["content"] == json!([{ "type": "terminal", "sessionId": terminal }]) {
            break;
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_agent_hears_that_a_command_has_ended_with_its_host() -> Result<()> {
    let mut relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    let turn = agent.prompt("run echo hello; read line").await?;
    // The agent has the terminal once its tool call shows it, and then waits for its end.
    while !events.skip_to("agent-tool").await?.data["content"].to_string().contains("terminal") {}
    relay.kill_host().await?;
    relay.launch_host().await?;
    let said = said_until_done(&mut agent.events().await?, &turn).await?;
    ensure!(said.contains("exit: SIGHUP"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_is_told_the_conversation_up_to_its_point() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    agent.prompt("say first-answer").await?;
    let seq = loop {
        let Told { kind, data, id, .. } = events.event().await?.context("the stream ended")?;
        if kind == "agent-message"
            && data.to_string().contains("first-answer")
            && data["role"] == "agent"
        {
            break id.context("no id")?.seq.0;
        }
    };
    let second = agent.prompt("say second-answer").await?;
    turn_is(&mut events, &second, "done").await?;
    let path = format!("/api/sessions/{}/fork", agent.id);
    let made = agent.api.expect(201, Method::POST, &path, json!({ "seq": seq })).await?;
    let id = made["sessionId"].as_str().context("no id")?.parse()?;
    ensure!(made["forkedFrom"]["seq"] == seq, "{made}");
    let fork = Agent { api: agent.api.clone(), id, folder: agent.folder };
    let mut events = fork.events().await?;
    let turn = fork.prompt("say third-answer").await?;
    turn_is(&mut events, &turn, "done").await?;
    // Both agents write to the same file; the last prompt is the fork's.
    let heard = fork.heard()?;
    let mut prompts = heard.iter().filter(|line| line["method"] == "session/prompt");
    let told = prompts.next_back().context("no prompt")?["params"]["prompt"].to_string();
    ensure!(told.contains("first-answer") && told.contains("third-answer"), "{told}");
    ensure!(!told.contains("second-answer"), "{told}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_before_the_first_prompt_begins_anew() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    let first = agent.prompt("say first-answer").await?;
    let asked = loop {
        let Told { kind, data, id, .. } = events.event().await?.context("the stream ended")?;
        if kind == "agent-message" && data["role"] == "user" {
            break id.context("no id")?.seq.0;
        }
    };
    turn_is(&mut events, &first, "done").await?;
    let path = format!("/api/sessions/{}/fork", agent.id);
    let made = agent.api.expect(201, Method::POST, &path, json!({ "seq": asked - 1 })).await?;
    let id = made["sessionId"].as_str().context("no id")?.parse()?;
    let fork = Agent { api: agent.api.clone(), id, folder: agent.folder };
    let mut events = fork.events().await?;
    let turn = fork.prompt("say other-answer").await?;
    turn_is(&mut events, &turn, "done").await?;
    let heard = fork.heard()?;
    let mut prompts = heard.iter().filter(|line| line["method"] == "session/prompt");
    let told = prompts.next_back().context("no prompt")?["params"]["prompt"].to_string();
    ensure!(told.contains("other-answer") && !told.contains("first-answer"), "{told}");
    Ok(())
}
