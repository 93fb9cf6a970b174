//! Requests to agents that cannot be carried out, and events that say what is missing.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::limits::{AGENT_EVENT_BYTES, QUEUED_PROMPTS};
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::sse::Told;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{Agent, decide, turn_is};

/// The first bytes of a PNG, which are enough to tell.
const PNG: &str = "iVBORw0KGgo=";

fn image(data: &str) -> Value {
    json!({ "mimeType": "image/png", "data": data })
}

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
        (json!({ "before": "no/id" }), 404, "turn_not_found"),
        (json!({ "before": ran }), 409, "not_queued"),
        (json!({}), 400, "bad_request"),
    ] {
        let refused = agent.api.expect(status, Method::PATCH, &path, change).await?;
        ensure!(refused["code"] == code, "{refused}");
    }
    for (turn, status, code) in [
        ("turn_that_is_not", 404, "turn_not_found"),
        ("no/id", 404, "turn_not_found"),
        (&*queued, 409, "not_running"),
    ] {
        let stop = json!({ "turnId": turn });
        let refused = agent.api.expect(status, Method::POST, &agent.path("stop"), stop).await?;
        ensure!(refused["code"] == code, "{refused}");
    }
    let shell = agent.api.run(vec!["cat".to_owned()]).await?;
    let turn = "prompts/turn_0001";
    for (method, rest, body) in [
        (Method::GET, "prompts", Value::Null),
        (Method::PATCH, turn, json!({ "command": "go" })),
        (Method::DELETE, turn, Value::Null),
        (Method::POST, "prompts/turn_0001/retry", json!({})),
        (Method::POST, "prompt", json!({ "command": "ls", "steer": true })),
        (Method::POST, "prompt", json!({ "command": "ls", "images": [image(PNG)] })),
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
async fn a_prompt_that_no_agent_takes_begins_no_turn() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let path = agent.path("prompt");
    for (prompt, code) in [
        (json!({ "command": " \n" }), "bad_request"),
        (json!({ "command": "see", "images": [image(PNG), image("")] }), "bad_image"),
        (json!({ "command": "see", "images": [image(PNG), image("%")] }), "bad_image"),
        (json!({ "command": "see", "images": [image(PNG), image("R0lGODlh")] }), "bad_image"),
    ] {
        let refused = agent.api.expect(400, Method::POST, &path, prompt.clone()).await?;
        ensure!(refused["code"] == code, "{prompt}: {refused}");
        if code == "bad_image" {
            ensure!(refused["message"].as_str().unwrap_or_default().contains("images[1]"));
        }
    }
    let list = agent.api.expect(200, Method::GET, &agent.path("prompts"), Value::Null).await?;
    ensure!(list["turns"] == json!([]), "{list}");
    let mut events = agent.events().await?;
    let shown = json!({ "command": "images", "images": [image(PNG)] });
    let shown = agent.api.expect(200, Method::POST, &path, shown).await?;
    turn_is(&mut events, shown["turnId"].as_str().context("no turn")?, "done").await?;
    Ok(())
}

#[tokio::test]
async fn a_file_behind_a_link_is_not_passed_on() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let outside = tempfile::tempdir()?;
    std::fs::write(outside.path().join("secret"), "key")?;
    std::os::unix::fs::symlink(outside.path(), agent.folder.path().join("folder"))?;
    std::os::unix::fs::symlink(outside.path().join("secret"), agent.folder.path().join("link"))?;
    let mut events = agent.events().await?;
    for file in ["link", "folder/secret"] {
        let prompt = json!({ "command": "say seen", "context": [file] });
        let sent = agent.api.expect(200, Method::POST, &agent.path("prompt"), prompt).await?;
        let turn = sent["turnId"].as_str().context("no turn")?;
        let failed = turn_is(&mut events, turn, "failed").await?;
        ensure!(failed["error"]["code"] == "bad_file", "{failed}");
        let retry = agent.path(&format!("prompts/{turn}/retry"));
        let again = agent.api.expect(200, Method::POST, &retry, json!({})).await?;
        let again = again["turnId"].as_str().context("no turn")?;
        let failed = turn_is(&mut events, again, "failed").await?;
        ensure!(failed["error"]["code"] == "bad_file", "{failed}");
    }
    ensure!(agent.heard_prompts()? == 0, "the agent has got a prompt");
    Ok(())
}

#[tokio::test]
async fn prompts_that_wait_for_the_host_do_not_block_decisions_and_stops() -> Result<()> {
    let mut relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    agent.prompt("ask {\"title\":\"Go on?\"}\nsay went on").await?;
    let asked = events.skip_to("approval-request").await?.data;
    let queued = agent.prompt("say never").await?;
    turn_is(&mut events, &queued, "queued").await?;
    relay.kill_host().await?;
    let prompt = json!({ "command": "say later" });
    let path = agent.path("prompt");
    for _ in 1..QUEUED_PROMPTS {
        agent.api.expect(200, Method::POST, &path, prompt.clone()).await?;
    }
    let config = json!({ "option": "mode", "value": "plan" });
    agent.api.expect(200, Method::POST, &agent.path("config"), config.clone()).await?;
    let refused = agent.api.expect(429, Method::POST, &agent.path("config"), config).await?;
    ensure!(refused["code"] == "overloaded", "{refused}");
    agent.api.expect(429, Method::POST, &path, prompt).await?;
    let withdrawn = agent.path(&format!("prompts/{queued}"));
    agent.api.expect(200, Method::DELETE, &withdrawn, Value::Null).await?;
    decide(&agent, &asked, true, 200).await?;
    agent.api.expect(200, Method::POST, &agent.path("stop"), json!({})).await?;
    relay.launch_host().await?;
    turn_is(&mut events, &queued, "withdrawn").await?;
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
