//! Turns without faults: what is reported, and what the client and the machine do for them.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::pipes::PeerOnPipes;

#[tokio::test]
async fn a_prompt_is_a_script_of_updates() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let turn = peer
        .prompt(
            "think hm\nchunks 2\nsay abcd\nmore ef\nchunks 1\nsay \"g\\nh\"\n\
             tool {\"toolCallId\":\"t\",\"title\":\"T\",\"status\":\"pending\"}\n\
             update {\"status\":\"completed\"}\n\
             plan [{\"content\":\"a\",\"priority\":\"low\",\"status\":\"pending\"}]\n\
             commands [\"go\"]\nusage {\"used\":1,\"size\":2}\ntitle New\n\
             update-unknown {\"a\":1}\nstop max_tokens",
        )
        .await?;
    ensure!(turn.said() == ["abcdef", "g\nh"], "{turn:#?}");
    ensure!(turn.updates_of("agent_message_chunk").count() == 5, "{turn:#?}");
    ensure!(turn.stop_reason() == "max_tokens", "{turn:#?}");
    let rest: Vec<&Value> =
        turn.updates.iter().filter(|update| update.get("messageId").is_none()).collect();
    let entry = json!({"content": "a", "priority": "low", "status": "pending"});
    let tool = |kind: &str, status: &str| json!({"sessionUpdate": kind, "toolCallId": "t", "status": status});
    let mut first = tool("tool_call", "pending");
    first["title"] = "T".into();
    let commands = json!([{"name": "go", "description": "go"}]);
    let expected = [
        first,
        tool("tool_call_update", "completed"),
        json!({"sessionUpdate": "plan", "entries": [entry]}),
        json!({"sessionUpdate": "available_commands_update", "availableCommands": commands}),
        json!({"sessionUpdate": "usage_update", "used": 1, "size": 2}),
        json!({"sessionUpdate": "session_info_update", "title": "New"}),
        json!({"sessionUpdate": "peer_unknown", "a": 1}),
    ];
    ensure!(rest == expected.iter().collect::<Vec<_>>(), "{rest:#?}");
    Ok(())
}

#[tokio::test]
async fn plain_text_is_echoed_and_wrong_arguments_are_refused() -> Result<()> {
    let mut peer = PeerOnPipes::start(&["--without", "message-ids"]).await?;
    let turn = peer.prompt("Hello\nsay nothing").await?;
    ensure!(turn.said() == ["echo: Hello\nsay nothing"], "{turn:#?}");
    ensure!(turn.stop_reason() == "end_turn", "{turn:#?}");
    ensure!(turn.updates[0].get("messageId").is_none(), "{turn:#?}");
    let turn = peer.prompt("say a\nsleep soon").await?;
    ensure!(turn.answer["error"]["code"] == -32602 && turn.updates.is_empty(), "{turn:#?}");
    ensure!(turn.answer.to_string().contains("line 2"), "{turn:#?}");
    Ok(())
}

#[tokio::test]
async fn settings_change_from_both_sides() -> Result<()> {
    let mut peer = PeerOnPipes::bare(&[])?;
    let capabilities = json!({"session": {"configOptions": {"boolean": {}}}});
    let params = json!({"protocolVersion": 1, "clientCapabilities": capabilities});
    peer.call("initialize", params).await?;
    let made = peer.create(Path::new("/")).await?;
    ensure!(made["modes"]["currentModeId"] == "ask", "{made}");
    ensure!(made["configOptions"][2]["type"] == "boolean", "{made}");

    let turn = peer.prompt("mode code\nconfig brave true").await?;
    let mode = turn.updates_of("current_mode_update").next().context("no mode")?;
    ensure!(mode["currentModeId"] == "code", "{turn:#?}");
    let options = turn.updates_of("config_option_update").last().context("no options")?;
    ensure!(options["configOptions"][0]["currentValue"] == "code", "{options}");
    ensure!(options["configOptions"][2]["currentValue"] == true, "{options}");

    let session = peer.session.clone();
    let value =
        |id: &str, value: Value| json!({"sessionId": session, "configId": id, "value": value});
    let set = peer.call("session/set_config_option", value("model", "large".into())).await?;
    ensure!(set["configOptions"][1]["currentValue"] == "large", "{set}");
    let id = peer.ask("session/set_mode", json!({"sessionId": session, "modeId": "ask"})).await?;
    let set = peer.until_answer(id).await?;
    ensure!(set.updates.len() == 1 && set.answer["result"] == json!({}), "{set:#?}");
    ensure!(set.updates[0]["configOptions"][0]["currentValue"] == "ask", "{set:#?}");
    for wrong in [value("model", "none".into()), value("none", true.into())] {
        ensure!(peer.refused("session/set_config_option", wrong).await? == -32602);
    }
    Ok(())
}

#[tokio::test]
async fn prompts_bring_images_and_resources() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let prompt = json!([
        {"type": "text", "text": "images"},
        {"type": "image", "data": "QUJD", "mimeType": "image/png"},
        {"type": "resource_link", "name": "n", "uri": "file:///n"},
        {"type": "text", "text": "resources"},
    ]);
    let params = json!({"sessionId": peer.session, "prompt": prompt});
    let id = peer.ask("session/prompt", params.clone()).await?;
    let said = peer.until_answer(id).await?.said();
    ensure!(said == ["images: 1: image/png 3 bytes", "resources: 1: link n file:///n"], "{said:?}");

    let mut peer = PeerOnPipes::start(&["--without", "images"]).await?;
    let params = json!({"sessionId": peer.session, "prompt": params["prompt"]});
    ensure!(peer.refused("session/prompt", params).await? == -32602);
    Ok(())
}

#[tokio::test]
async fn files_and_terminals_are_the_clients() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let id = peer
        .begin("read a\nwrite \"b c\" \"d\\n\"\nread e\nrun echo hi\nrequest _x/y {\"z\":1}")
        .await?;
    let request = peer.request("fs/read_text_file").await?;
    ensure!(request["params"] == json!({"sessionId": peer.session, "path": "/a"}), "{request}");
    peer.reply(&request, json!({"content": "text"})).await?;
    let request = peer.request("fs/write_text_file").await?;
    let expected = json!({"sessionId": peer.session, "path": "/b c", "content": "d\n"});
    ensure!(request["params"] == expected, "{request}");
    peer.reply(&request, json!({})).await?;
    let request = peer.request("fs/read_text_file").await?;
    peer.refuse(&request).await?;

    let request = peer.request("terminal/create").await?;
    ensure!(request["params"]["args"] == json!(["-c", "echo hi"]), "{request}");
    peer.reply(&request, json!({"terminalId": "t1"})).await?;
    for (method, result) in [
        ("terminal/wait_for_exit", json!({"exitCode": 3, "signal": null})),
        ("terminal/output", json!({"output": "hi\n", "truncated": false})),
        ("terminal/release", json!({})),
    ] {
        let request = peer.request(method).await?;
        ensure!(request["params"]["terminalId"] == "t1", "{request}");
        peer.reply(&request, result).await?;
    }
    let request = peer.request("_x/y").await?;
    ensure!(request["params"] == json!({"z": 1}), "{request}");
    peer.refuse(&request).await?;
    let turn = peer.until_answer(id).await?;
    let said = [
        "read /a: text",
        "write /b c: done",
        "read /e: error -32601 Method not found",
        "output: hi\n",
        "exit: 3",
        "_x/y: error -32601 Method not found",
    ];
    ensure!(turn.said() == said, "{turn:#?}");
    let shown = json!([{"type": "terminal", "terminalId": "t1"}]);
    ensure!(turn.updates_of("tool_call_update").any(|it| it["content"] == shown), "{turn:#?}");
    Ok(())
}

#[tokio::test]
async fn a_client_without_files_and_terminals_is_told_so() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let id = peer.begin("read a\nwrite b c\nrun d").await?;
    for method in ["fs/read_text_file", "fs/write_text_file", "terminal/create"] {
        let request = peer.request(method).await?;
        peer.refuse(&request).await?;
    }
    let turn = peer.until_answer(id).await?;
    let error = "error -32601 Method not found";
    let said = [format!("read /a: {error}"), format!("write /b: {error}"), format!("run: {error}")];
    ensure!(turn.said() == said, "{turn:#?}");
    let last = turn.updates_of("tool_call_update").last();
    ensure!(last.is_some_and(|update| update["status"] == "failed"), "{turn:#?}");
    Ok(())
}

#[tokio::test]
async fn a_cancel_ends_a_command_in_its_terminal() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let id = peer.begin("run sleep 600").await?;
    let request = peer.request("terminal/create").await?;
    peer.reply(&request, json!({"terminalId": "t1"})).await?;
    peer.request("terminal/wait_for_exit").await?;
    peer.cancel().await?;
    peer.request("terminal/kill").await?;
    peer.request("terminal/release").await?;
    ensure!(peer.until_answer(id).await?.stop_reason() == "cancelled");
    Ok(())
}

#[tokio::test]
async fn the_machine_is_seen_from_the_agent() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    let mut peer = PeerOnPipes::bare(&[])?;
    peer.initialize(1).await?;
    peer.create(folder.path()).await?;
    let path = file.to_string_lossy();
    let turn = peer.prompt(&format!("touch {path}\nwait {path}\nenv PATH\nenv _NOT\ncwd")).await?;
    let said = turn.said();
    ensure!(file.exists());
    ensure!(said[0] == format!("PATH={}", std::env::var("PATH")?), "{said:?}");
    ensure!(said[1] == "_NOT is not set", "{said:?}");
    let session = format!("session: {}", folder.path().display());
    ensure!(said[2].starts_with("cwd: /") && said[2].ends_with(&session), "{said:?}");
    Ok(())
}
