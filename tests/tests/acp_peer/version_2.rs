//! The second version of the protocol, in which a prompt is answered before its turn.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::pipes::PeerOnPipes;

async fn start(arguments: &[&str]) -> Result<PeerOnPipes> {
    let mut peer = PeerOnPipes::bare(&[&["--protocol", "2"], arguments].concat())?;
    let info = json!({"name": "test", "version": "0"});
    let params = json!({"protocolVersion": 2, "info": info, "capabilities": {}});
    let result = peer.call("initialize", params).await?;
    ensure!(result["protocolVersion"] == 2, "{result}");
    ensure!(result["capabilities"]["session"]["prompt"]["image"] == json!({}), "{result}");
    ensure!(result["authMethods"][0]["methodId"] == "peer-login", "{result}");
    let made = peer.call("session/new", json!({"cwd": "/"})).await?;
    ensure!(made["configOptions"][0]["configId"] == "mode", "{made}");
    ensure!(made.get("modes").is_none(), "{made}");
    peer.session = made["sessionId"].as_str().unwrap_or_default().to_owned();
    Ok(peer)
}

/// Sends a prompt, and returns its message and the updates up to the end of its turn.
async fn turn(peer: &mut PeerOnPipes, script: &str) -> Result<(Value, Vec<Value>)> {
    let accepted = peer.prompt(script).await?;
    ensure!(accepted.updates.is_empty(), "{accepted:#?}");
    Ok((accepted.answer["result"]["messageId"].clone(), until_idle(peer).await?))
}

async fn until_idle(peer: &mut PeerOnPipes) -> Result<Vec<Value>> {
    let mut updates = Vec::new();
    loop {
        let update = peer.update().await?;
        let is_idle = update["state"] == "idle";
        updates.push(update);
        if is_idle {
            return Ok(updates);
        }
    }
}

#[tokio::test]
async fn a_turn_begins_after_the_answer_and_ends_idle() -> Result<()> {
    let mut peer = start(&[]).await?;
    let (message, updates) =
        turn(&mut peer, "say a\ntool {\"toolCallId\":\"t\"}\nplan []\nrun echo hi; exit 3").await?;
    let content = &updates[0]["content"][0]["text"];
    ensure!(message.is_string() && updates[0]["messageId"] == message, "{updates:#?}");
    ensure!(content.as_str().is_some_and(|text| text.starts_with("say a")), "{updates:#?}");
    let kinds: Vec<&str> = updates
        .iter()
        .filter_map(|update| update["state"].as_str().or(update["sessionUpdate"].as_str()))
        .collect();
    let expected = [
        "user_message",
        "running",
        "agent_message_chunk",
        "tool_call_update",
        "plan_update",
        "tool_call_update",
        "terminal_update",
        "tool_call_update",
        "terminal_output_chunk",
        "terminal_update",
        "tool_call_update",
        "agent_message_chunk",
        "agent_message_chunk",
        "idle",
    ];
    ensure!(kinds == expected, "{updates:#?}");
    ensure!(updates[8]["data"] == "aGkK" && updates[9]["exitStatus"]["exitCode"] == 3);
    ensure!(updates[13]["stopReason"] == "end_turn", "{updates:#?}");
    Ok(())
}

#[tokio::test]
async fn a_question_is_a_state_and_a_cancel_is_idle() -> Result<()> {
    let mut peer = start(&[]).await?;
    peer.prompt("ask {\"title\":\"Run it\",\"description\":\"Now\"}").await?;
    let request = peer.request("session/request_permission").await?;
    ensure!(request["params"]["title"] == "Run it", "{request}");
    ensure!(request["params"]["description"] == "Now", "{request}");
    ensure!(request["params"]["subject"]["type"] == "tool_call", "{request}");
    ensure!(peer.update().await?["state"] == "requires_action");
    peer.cancel().await?;
    peer.reply(&request, json!({"outcome": {"outcome": "cancelled"}})).await?;
    let updates = until_idle(&mut peer).await?;
    let last = updates.last().map(|update| &update["stopReason"]);
    ensure!(last == Some(&"cancelled".into()), "{updates:#?}");
    Ok(())
}

#[tokio::test]
async fn an_error_refuses_the_prompt_or_ends_its_turn() -> Result<()> {
    let mut peer = start(&[]).await?;
    let refused = peer.prompt("error -32603 no").await?;
    ensure!(refused.answer["error"]["message"] == "no", "{refused:#?}");
    let (_, updates) = turn(&mut peer, "say a\nerror -32603 no").await?;
    let idle = json!({
        "sessionUpdate": "state_update",
        "state": "idle",
        "stopReason": "error",
        "error": {"code": -32603, "message": "no"},
    });
    ensure!(updates.last() == Some(&idle), "{updates:#?}");
    Ok(())
}

#[tokio::test]
async fn a_key_inserts_a_prompt_once_and_a_replay_has_an_end() -> Result<()> {
    let mut peer = start(&[]).await?;
    let prompt = json!([{"type": "text", "text": "say a"}]);
    let params = json!({"sessionId": peer.session, "prompt": prompt, "idempotencyKey": "k"});
    let first = peer.call("session/prompt", params.clone()).await?;
    until_idle(&mut peer).await?;
    ensure!(peer.call("session/prompt", params).await? == first);

    let mut params = json!({"sessionId": peer.session, "cwd": "/"});
    let id = peer.ask("session/resume", params.clone()).await?;
    ensure!(peer.until_answer(id).await?.updates.is_empty());
    params["replayFrom"] = json!({"type": "start"});
    let id = peer.ask("session/resume", params.clone()).await?;
    let replayed = peer.until_answer(id).await?;
    let kinds: Vec<&Value> =
        replayed.updates.iter().map(|update| &update["sessionUpdate"]).collect();
    ensure!(kinds == ["user_message", "agent_message_chunk", "replay_complete"], "{replayed:#?}");
    ensure!(peer.refused("session/load", params).await? == -32601);
    Ok(())
}
