//! Requests to agents that cannot be carried out, and events that say what is missing.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::limits::AGENT_EVENT_BYTES;
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::sse::Told;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{Agent, turn_is};

#[tokio::test]
async fn what_is_not_there_is_told_by_its_code() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    let ran = agent.prompt("hang").await?;
    turn_is(&mut events, &ran, "running").await?;
    let queued = agent.prompt("say second").await?;
    turn_is(&mut events, &queued, "queued").await?;
    let path = agent.path(&format!("prompts/{queued}"));
    for (change, status, code) in [
        (json!({ "before": "turn_that_is_not" }), 404, "turn_not_found"),
        (json!({ "before": ran }), 409, "not_queued"),
        (json!({}), 400, "bad_request"),
    ] {
        let refused = agent.api.expect(status, Method::PATCH, &path, change).await?;
        ensure!(refused["code"] == code, "{refused}");
    }
    let shell = agent.api.run(vec!["cat".to_owned()]).await?;
    let turn = "prompts/turn_0001";
    for (method, rest, body) in [
        (Method::GET, "prompts", Value::Null),
        (Method::PATCH, turn, json!({ "command": "go" })),
        (Method::DELETE, turn, Value::Null),
        (Method::POST, "prompts/turn_0001/retry", json!({})),
        (Method::POST, "stop", json!({})),
        (Method::POST, "config", json!({ "option": "mode", "value": "plan" })),
        (Method::POST, "login", json!({ "method": "key" })),
        (Method::GET, "changes", Value::Null),
        (Method::POST, "changes", json!({})),
    ] {
        let path = format!("/api/session/{shell}/{rest}");
        let refused = agent.api.expect(409, method, &path, body).await?;
        ensure!(refused["code"] == "not_an_agent", "{rest}: {refused}");
    }
    Ok(())
}

#[tokio::test]
async fn what_the_relay_has_forgotten_is_not_missing_while_the_host_is_away() -> Result<()> {
    let mut relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    relay.kill_host().await?;
    let path = agent.path("approvals/approval_unknown");
    for (method, body) in [(Method::GET, Value::Null), (Method::POST, json!({ "approved": false }))]
    {
        let refused = agent.api.expect(503, method, &path, body).await?;
        ensure!(refused["code"] == "host_offline", "{refused}");
    }
    relay.launch_host().await?;
    let known = async || {
        let refused = agent.api.expect(404, Method::GET, &path, Value::Null).await.ok()?;
        (refused["code"] == "approval_not_found").then_some(())
    };
    moorline_tests::wait::wait_for("the host to say that there is none", known).await
}

#[tokio::test]
async fn each_event_has_its_size_and_says_what_is_missing() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    // The agent says what it was told, so that it is known to have had all of it.
    let prompt = format!("x{}", "\u{e4}".repeat(95_000));
    let turn = agent.prompt(&prompt).await?;
    let mut cut = Vec::new();
    loop {
        let Told { kind, data, .. } = events.event().await?.context("the stream ended")?;
        let bytes = data.to_string().len();
        ensure!(bytes <= AGENT_EVENT_BYTES, "{kind} has {bytes} bytes");
        if data["truncated"] == true {
            cut.push(kind.clone());
        }
        if kind == "agent-turn" && data["turnId"] == turn && data["state"] == "done" {
            break;
        }
    }
    ensure!(cut == ["agent-turn", "agent-message"], "{cut:?}");
    let heard = agent.heard()?;
    let sent = heard.iter().find(|line| line["method"] == "session/prompt").context("no prompt")?;
    ensure!(sent["params"]["prompt"].to_string().contains(&prompt), "the agent got a part only");
    Ok(())
}

#[tokio::test]
async fn a_question_does_not_repeat_its_tool_call() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    agent.prompt("edit notes.txt \"new\\n\"").await?;
    let mut tools = Vec::new();
    loop {
        let Told { kind, data, .. } = events.event().await?.context("the stream ended")?;
        match &*kind {
            "agent-tool" => tools.push(data),
            "agent-info" => ensure!(data["phase"] != "", "{data}"),
            "approval-request" => break,
            _ => {}
        }
    }
    ensure!(tools.len() == 1, "{tools:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_an_agent_s_session_opens_its_page() -> Result<()> {
    let relay = Relay::start_as(Kind::Native, Setup::default()).await?;
    let agent = Agent::start(&relay).await?;
    let shell = agent.api.run(vec!["cat".to_owned()]).await?;
    for (id, page) in [(&agent.id, "session"), (&shell, "terminal")] {
        let mut command = Command::new(relay.program());
        command.args(["token", "new", "--scope", &format!("session:{id}:read")]);
        command.env("MOORLINE_DATA_DIR", relay.data_dir()).env_remove("MOORLINE_URL");
        let made = command.kill_on_drop(true).output().await?;
        let address = String::from_utf8(made.stdout)?;
        ensure!(address.contains(&format!("/{page}/{id}#token=")), "{address}");
    }
    Ok(())
}
