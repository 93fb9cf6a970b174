//! Sessions that outlive the process, and what a peer can be without.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::pipes::PeerOnPipes;

#[tokio::test]
async fn a_killed_peers_session_is_loaded_and_resumed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (state, log) = (folder.path().join("state"), folder.path().join("log"));
    let (state, log_path) = (state.to_string_lossy(), log.to_string_lossy());
    let arguments = ["--state", &*state, "--log", &*log_path];
    let mut peer = PeerOnPipes::start(&arguments).await?;
    let before = peer.prompt("say one\ntool {\"title\":\"T\"}\ntitle Named\nmode code").await?;
    peer.begin("say two\nkill").await?;
    let last = peer.update().await?;
    ensure!(peer.line().await?.is_none());
    ensure!(!peer.ended().await?.success());
    let session = peer.session.clone();

    let mut peer = PeerOnPipes::bare(&arguments)?;
    peer.initialize(1).await?;
    let listed = peer.call("session/list", json!({"cwd": "/"})).await?;
    let expected = json!({"sessionId": session, "cwd": "/", "title": "Named"});
    ensure!(listed["sessions"] == json!([expected]), "{listed}");
    let params = json!({"sessionId": session, "cwd": "/", "mcpServers": []});
    let id = peer.ask("session/resume", params.clone()).await?;
    ensure!(peer.until_answer(id).await?.updates.is_empty());
    let id = peer.ask("session/load", params.clone()).await?;
    let loaded = peer.until_answer(id).await?;
    let kinds: Vec<&str> =
        loaded.updates.iter().filter_map(|update| update["sessionUpdate"].as_str()).collect();
    let expected = [
        "user_message_chunk",
        "agent_message_chunk",
        "tool_call",
        "session_info_update",
        "user_message_chunk",
        "agent_message_chunk",
    ];
    ensure!(kinds == expected, "{loaded:#?}");
    ensure!(loaded.updates[1] == before.updates[0] && loaded.updates[5] == last, "{loaded:#?}");
    ensure!(loaded.answer["result"]["modes"]["currentModeId"] == "code", "{loaded:#?}");
    peer.session = session;
    let turn = peer.prompt("say three").await?;
    let ids = |updates: &[Value]| -> Vec<String> {
        updates.iter().map(|update| update["messageId"].to_string()).collect()
    };
    ensure!(!ids(&loaded.updates).contains(&ids(&turn.updates)[0]), "an id came twice");

    let unknown = json!({"sessionId": "peer-0", "cwd": "/", "mcpServers": []});
    ensure!(peer.refused("session/load", unknown).await? == -32002);
    assert_log(&std::fs::read_to_string(&log)?)
}

/// Each prompt reached the agent once, and each process is noted.
fn assert_log(log: &str) -> Result<()> {
    let count = |mark: &str, text: &str| {
        log.lines().filter(|line| line.starts_with(mark) && line.contains(text)).count()
    };
    ensure!(count("pid ", "") == 2 && count("in ", "session/prompt") == 3, "{log}");
    ensure!(count("in ", "say two") == 1 && count("out ", "\"two\"") == 2, "{log}");
    Ok(())
}

#[tokio::test]
async fn a_fork_has_the_history_and_a_deleted_session_none() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    peer.prompt("say one").await?;
    let source = peer.session.clone();
    let params = json!({"sessionId": source, "cwd": "/", "mcpServers": []});
    let forked = peer.call("session/fork", params.clone()).await?;
    let fork = forked["sessionId"].as_str().context("no id")?.to_owned();
    ensure!(fork != source, "{fork}");
    let of_fork = json!({"sessionId": fork, "cwd": "/", "mcpServers": []});
    let id = peer.ask("session/load", of_fork).await?;
    ensure!(peer.until_answer(id).await?.said() == ["one"]);
    peer.call("session/delete", json!({"sessionId": source})).await?;
    ensure!(peer.refused("session/load", params).await? == -32002);
    let listed = peer.call("session/list", json!({})).await?;
    ensure!(listed["sessions"].as_array().map(Vec::len) == Some(1), "{listed}");
    Ok(())
}

#[tokio::test]
async fn a_peer_offers_only_what_it_was_started_with() -> Result<()> {
    let mut peer = PeerOnPipes::bare(&[])?;
    let all = peer.initialize(7).await?;
    ensure!(all["protocolVersion"] == 1, "{all}");
    ensure!(all["agentInfo"]["name"] == "moorline-acp-peer", "{all}");
    let capabilities = &all["agentCapabilities"];
    ensure!(capabilities["loadSession"] == true, "{all}");
    let prompt = json!({"image": true, "audio": false, "embeddedContext": true});
    ensure!(capabilities["promptCapabilities"] == prompt, "{all}");
    let session = json!({"resume": {}, "list": {}, "close": {}, "delete": {}, "fork": {}});
    ensure!(capabilities["sessionCapabilities"] == session, "{all}");
    ensure!(all["authMethods"][0]["id"] == "peer-login", "{all}");

    let without = "load,resume,list,close,delete,fork,images,modes,config,auth";
    let mut peer = PeerOnPipes::bare(&["--without", without, "--legacy-models"])?;
    let none = peer.initialize(1).await?;
    ensure!(none["agentCapabilities"]["loadSession"] == false, "{none}");
    ensure!(none["agentCapabilities"]["sessionCapabilities"] == json!({}), "{none}");
    ensure!(none["authMethods"] == json!([]), "{none}");
    let made = peer.create(Path::new("/")).await?;
    ensure!(made.get("modes").is_none() && made.get("configOptions").is_none(), "{made}");
    ensure!(made["models"]["currentModelId"] == "small", "{made}");
    let params = json!({"sessionId": peer.session, "modelId": "large"});
    peer.call("session/set_model", params).await?;
    for method in ["load", "resume", "list", "close", "delete", "fork", "set_mode"] {
        let code = peer.refused(&format!("session/{method}"), json!({})).await?;
        ensure!(code == -32601, "{method}: {code}");
    }
    ensure!(peer.refused("authenticate", json!({})).await? == -32601);
    Ok(())
}
