//! Clients of the Agent Client Protocol: agent sessions from an editor, over stdio and WebSockets.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::limits::ACP_MESSAGE_BYTES;
use moorline_tests::acp::{AcpClient, LibraryClient};
use moorline_tests::relay::{Relay, TOKEN};
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};

use super::agents::{Agent, turn_is};

/// Returns the query that binds a connection to an agent's session.
fn bound(agent: &Agent) -> String {
    format!("session={}", agent.id)
}

/// Attaches by the library, sees what was said before, prompts, is asked, decides and is done.
async fn a_whole_conversation(mut client: LibraryClient, agent: &Agent, file: &str) -> Result<()> {
    let id = agent.id.as_str();
    let list = client.call(json!({ "call": "list_sessions" })).await?;
    ensure!(list["sessions"][0]["sessionId"] == id, "{list}");
    let load = json!({ "call": "load_session", "cwd": "/", "session_id": id });
    let answer = client.call(load).await?;
    ensure!(answer["configOptions"].is_array() && answer["modes"].is_object(), "{answer}");
    let (said, kinds) = client.said("from the page").await?;
    ensure!(kinds[0] == "user_message_chunk", "{kinds:?}: {said}");
    let text = format!("think hmm\nplan [\"one\"]\nedit {file} \"new\\n\"\nsay {file} is done");
    client.send(&json!({ "call": "prompt", "session_id": id, "text": text })).await?;
    let question = client.next("question").await?;
    ensure!(question["options"].as_array().is_some_and(|all| all.len() > 1), "{question}");
    let allows = |it: &&Value| it["kind"] == "allow_once";
    let option = question["options"].as_array().context("no options")?.iter().find(allows);
    let option = option.context("nothing allows it")?["optionId"].clone();
    client.send(&json!({ "decide": option })).await?;
    let answer = client.next("answer").await?;
    ensure!(answer["stopReason"] == "end_turn", "{answer}");
    ensure!(agent.file(file).as_deref() == Some("new\n"), "it was not written");
    let (said, kinds) = client.said(&format!("{file} is done")).await?;
    ensure!(!said.contains(&format!("edit {file}")), "its own prompt was repeated: {said}");
    for kind in ["agent_thought_chunk", "plan", "tool_call", "tool_call_update"] {
        ensure!(kinds.iter().any(|it| it == kind), "no {kind} in {kinds:?}");
    }
    Ok(())
}

async fn prompted() -> Result<(Relay, Agent)> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    let turn = agent.prompt("say from the page").await?;
    turn_is(&mut events, &turn, "done").await?;
    Ok((relay, agent))
}

#[tokio::test]
async fn an_editor_goes_on_with_a_session_over_stdio() -> Result<()> {
    let (relay, agent) = prompted().await?;
    let client = LibraryClient::stdio(&relay, &[agent.id.as_str()]).await?;
    a_whole_conversation(client, &agent, "notes.txt").await
}

#[tokio::test]
async fn an_editor_goes_on_with_a_session_over_a_websocket() -> Result<()> {
    let (relay, agent) = prompted().await?;
    let client = LibraryClient::socket(&relay, &bound(&agent)).await?;
    a_whole_conversation(client, &agent, "one.txt").await?;
    // Without a session, the token is for all.
    let client = LibraryClient::socket(&relay, "").await?;
    a_whole_conversation(client, &agent, "two.txt").await
}

#[tokio::test]
async fn two_editors_are_asked_and_one_decides() -> Result<()> {
    let (relay, agent) = prompted().await?;
    let mut one = AcpClient::socket(&relay, &bound(&agent), TOKEN).await?;
    let mut two = AcpClient::stdio(&relay, &[agent.id.as_str()]).await?;
    // A new session is the one that the connection is for; its history follows.
    let new = json!({ "cwd": "/elsewhere", "mcpServers": [] });
    let answer = one.ask("session/new", new).await?;
    ensure!(answer["sessionId"] == json!(agent.id), "{answer}");
    one.said("a: from the page").await?;
    two.open("session/load", &agent.id, json!({})).await?;
    two.said("a: from the page").await?;
    let prompt = one.prompt(&agent.id, "edit notes.txt \"new\\n\"\nsay done").await?;
    let of_one = one.next("session/request_permission").await?;
    let of_two = two.next("session/request_permission").await?;
    ensure!(of_two["params"]["toolCall"]["content"][0]["type"] == "diff", "{of_two}");
    two.decide(&of_two, "allow_once").await?;
    let cancelled = one.next("$/cancel_request").await?;
    ensure!(cancelled["params"]["requestId"] == of_one["id"], "{cancelled}");
    one.decide(&of_one, "reject_once").await?;
    let answer = one.answer(prompt).await?;
    ensure!(answer["stopReason"] == "end_turn", "{answer}");
    ensure!(agent.file("notes.txt").as_deref() == Some("new\n"), "it was not written");
    let (said, _) = two.said("a: done").await?;
    ensure!(said.iter().any(|it| it.starts_with("u: edit")), "{said:?}");
    ensure!(two.arrived("$/cancel_request").is_empty());
    Ok(())
}

#[tokio::test]
async fn an_editor_survives_the_relay_in_the_middle_of_a_turn() -> Result<()> {
    let (mut relay, agent) = prompted().await?;
    let mut client = AcpClient::stdio(&relay, &[agent.id.as_str()]).await?;
    client.open("session/load", &agent.id, json!({})).await?;
    client.said("a: from the page").await?;
    let go = agent.folder.path().join("go");
    let script = format!("say before\nwait {}\nedit notes.txt \"new\\n\"\nsay after", go.display());
    let prompt = client.prompt(&agent.id, &script).await?;
    client.said("a: before").await?;
    relay.kill().await?;
    // What is sent meanwhile arrives once.
    let second = client.prompt(&agent.id, "say second").await?;
    std::fs::write(&go, "")?;
    relay.launch().await?;
    let question = client.next("session/request_permission").await?;
    relay.kill().await?;
    client.decide(&question, "allow_once").await?;
    relay.launch().await?;
    let answer = client.answer(prompt).await?;
    ensure!(answer["stopReason"] == "end_turn", "{answer}");
    let answer = client.answer(second).await?;
    ensure!(answer["stopReason"] == "end_turn", "{answer}");
    let (said, _) = client.said("a: second").await?;
    ensure!(said == ["a: answer: allow_once", "a: after", "a: second"], "{said:?}");
    let prompts = agent.heard_prompts()?;
    ensure!(prompts == 3, "the agent was prompted {prompts} times");
    Ok(())
}

#[tokio::test]
async fn an_editor_resumes_at_its_cursor() -> Result<()> {
    let (relay, agent) = prompted().await?;
    let query = bound(&agent);
    let mut client = AcpClient::socket(&relay, &query, TOKEN).await?;
    client.open("session/load", &agent.id, json!({})).await?;
    let prompt = client.prompt(&agent.id, "say seen").await?;
    client.answer(prompt).await?;
    let (_, cursor) = client.said("a: seen").await?;
    ensure!(cursor["seq"].is_u64(), "{cursor}");
    drop(client);
    let mut events = agent.events().await?;
    let turn = agent.prompt("say missed").await?;
    turn_is(&mut events, &turn, "done").await?;
    for method in ["session/resume", "session/load"] {
        let mut client = AcpClient::socket(&relay, &query, TOKEN).await?;
        let answer = client.open(method, &agent.id, json!({ "cursor": cursor })).await?;
        ensure!(answer["_meta"]["moorline"]["history"] == "continued", "{answer}");
        let (said, _) = client.said("a: missed").await?;
        let said: Vec<_> = said.iter().map(|it| it.trim()).collect();
        ensure!(said.last() == Some(&"a: missed") && !said.contains(&"a: seen"), "{said:?}");
        // A cursor of another life of the log is void.
        let void = json!({ "cursor": { "epoch": 1, "seq": cursor["seq"] } });
        let answer = client.open(method, &agent.id, void).await?;
        ensure!(answer["_meta"]["moorline"]["history"] == "replayed", "{answer}");
        let (said, _) = client.said("a: missed").await?;
        ensure!(said.iter().any(|it| it == "a: from the page"), "{said:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_editor_stops_its_own_turn_only() -> Result<()> {
    let (relay, agent) = prompted().await?;
    let mut one = AcpClient::socket(&relay, &bound(&agent), TOKEN).await?;
    let mut two = AcpClient::socket(&relay, &bound(&agent), TOKEN).await?;
    for client in [&mut one, &mut two] {
        client.open("session/resume", &agent.id, json!({})).await?;
    }
    let asks = one.prompt(&agent.id, "ask {\"title\":\"Go on?\"}").await?;
    one.next("session/request_permission").await?;
    let queued = two.prompt(&agent.id, "say never").await?;
    let cancel = json!({ "method": "session/cancel", "params": { "sessionId": agent.id } });
    two.say(&cancel).await?;
    ensure!(two.answer(queued).await?["stopReason"] == "cancelled");
    one.say(&cancel).await?;
    ensure!(one.answer(asks).await?["stopReason"] == "cancelled");
    one.next("$/cancel_request").await?;
    Ok(())
}

#[tokio::test]
async fn a_reader_sees_and_changes_nothing() -> Result<()> {
    let (relay, agent) = prompted().await?;
    let reader = agent.api.token(&format!("session:{}:read", agent.id)).await?;
    // A token for one session needs no query.
    let mut client = AcpClient::socket(&relay, "", &reader).await?;
    client.open("session/load", &agent.id, json!({})).await?;
    client.said("a: from the page").await?;
    let prompt = client.prompt(&agent.id, "say no").await?;
    let refused = client.answer(prompt).await?;
    ensure!(refused["error"]["data"]["code"] == "read_only", "{refused}");
    let turn = agent.prompt("ask {\"title\":\"Go on?\"}").await?;
    wait_until("a question", async || {
        agent.approvals().await.is_ok_and(|approvals| approvals.len() == 1)
    })
    .await?;
    let stop = agent.path("stop");
    agent.api.expect(200, Method::POST, &stop, json!({ "turnId": turn })).await?;
    agent.prompt("say after it").await?;
    client.said("a: after it").await?;
    ensure!(client.arrived("session/request_permission").is_empty(), "a reader was asked");
    Ok(())
}

#[tokio::test]
async fn a_connection_without_access_is_refused() -> Result<()> {
    let (relay, agent) = prompted().await?;
    let host = agent.api.token("host").await?;
    let other = agent.api.token("session:not-this-one:write").await?;
    let own = bound(&agent);
    for (query, token, status) in [
        (own.as_str(), "wrong", "401"),
        (&own, host.as_str(), "403"),
        (&own, other.as_str(), "403"),
        ("session=no-such-session", TOKEN, "404"),
        ("session=%3F", TOKEN, "400"),
    ] {
        let refused = AcpClient::socket(&relay, query, token).await;
        let refused = refused.err().context(format!("{query} was let in"))?.to_string();
        ensure!(refused.contains(status), "{query}: {refused}");
    }
    let plain = agent.api.expect(400, Method::GET, "/acp", Value::Null).await;
    ensure!(plain.is_ok_and(|body| body["code"].is_string()), "a request without a WebSocket");
    Ok(())
}

#[tokio::test]
async fn a_mode_is_set_and_told() -> Result<()> {
    let (relay, agent) = prompted().await?;
    let mut one = AcpClient::socket(&relay, &bound(&agent), TOKEN).await?;
    let mut two = AcpClient::stdio(&relay, &[agent.id.as_str()]).await?;
    let answer = one.open("session/load", &agent.id, json!({})).await?;
    ensure!(answer["modes"]["currentModeId"] == "ask", "{answer}");
    two.open("session/resume", &agent.id, json!({})).await?;
    two.arrived("session/update");
    let mode = json!({ "sessionId": agent.id, "modeId": "code" });
    let answer = two.ask("session/set_mode", mode).await?;
    ensure!(answer == json!({}), "{answer}");
    loop {
        let update = one.next("session/update").await?["params"]["update"].take();
        if update["currentModeId"] == "code" {
            break;
        }
    }
    let option = json!({ "sessionId": agent.id, "configId": "model", "value": "large" });
    let answer = one.ask("session/set_config_option", option).await?;
    let options = answer["configOptions"].as_array().context("no options")?;
    let model = options.iter().find(|it| it["id"] == "model").context("no model")?;
    ensure!(model["currentValue"] == "large", "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_too_large_closes_with_the_reason() -> Result<()> {
    let (relay, agent) = prompted().await?;
    let mut client = AcpClient::socket(&relay, &bound(&agent), TOKEN).await?;
    let text = "x".repeat(ACP_MESSAGE_BYTES + 1024);
    client.send("session/prompt", json!({ "prompt": [{ "type": "text", "text": text }] })).await?;
    let end = client.ask("session/list", json!({})).await;
    let end = format!("{:#}", end.err().context("it was answered")?);
    ensure!(end.contains("closed with 1009"), "{end}");
    Ok(())
}
