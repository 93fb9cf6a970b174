//! What no agent should do.

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, getpgid, kill_process};
use serde_json::json;

use crate::pipes::PeerOnPipes;

#[tokio::test]
async fn lines_can_be_anything() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let id = peer
        .begin("garbage hello you\nraw {\"of\":\"$SESSION\",\"to\":$REQUEST}\nnotify _x/y")
        .await?;
    ensure!(peer.line().await?.as_deref() == Some("hello you"));
    let raw = format!("{{\"of\":\"{}\",\"to\":{id}}}", peer.session);
    ensure!(peer.line().await? == Some(raw));
    let expected = json!({"jsonrpc": "2.0", "method": "_x/y", "params": {}});
    ensure!(peer.message().await? == expected);
    ensure!(peer.until_answer(id).await?.stop_reason() == "end_turn");

    peer.begin("half").await?;
    let half = peer.line().await?.unwrap_or_default();
    ensure!(half.starts_with("{\"jsonrpc\"") && !half.ends_with('}'), "{half}");
    ensure!(peer.line().await?.is_none());
    ensure!(peer.ended().await?.code() == Some(1));
    Ok(())
}

#[tokio::test]
async fn much_is_sent_in_one_line_or_in_many() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let turn = peer.prompt("hugeline 3000001\nflood 100001").await?;
    ensure!(turn.updates[0]["content"]["text"].as_str().map(str::len) == Some(3_000_001));
    ensure!(turn.updates.len() == 1 + 98);
    ensure!(turn.said().iter().map(String::len).collect::<Vec<_>>() == [3_000_001, 100_001]);
    Ok(())
}

#[tokio::test]
async fn answers_come_twice_early_or_never() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let id = peer.begin("twice").await?;
    peer.until_answer(id).await?;
    ensure!(peer.until_answer(id).await?.updates.is_empty());

    let turn = peer.prompt("say a\nreorder\nsay b").await?;
    ensure!(turn.said() == ["a"], "{turn:#?}");
    ensure!(peer.update().await?["content"]["text"] == "b");

    let turn = peer.prompt("say a\nlate 20").await?;
    ensure!(turn.said() == ["a"], "{turn:#?}");
    ensure!(peer.update().await?["content"]["text"] == "late 20");

    peer.begin("unanswered\nsay a\nsay b").await?;
    ensure!(peer.update().await?["content"]["text"] == "a");
    ensure!(peer.update().await?["content"]["text"] == "b");
    // It goes on reading, and the next answer is to the next prompt.
    let turn = peer.prompt("say c").await?;
    ensure!(turn.said() == ["c"], "{turn:#?}");
    Ok(())
}

#[tokio::test]
async fn errors_are_those_of_the_script() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let turn = peer.prompt("error -32603 Out of tokens\nsay never").await?;
    let expected = json!({"code": -32603, "message": "Out of tokens"});
    ensure!(turn.answer["error"] == expected && turn.updates.is_empty(), "{turn:#?}");
    ensure!(peer.prompt("auth").await?.answer["error"]["code"] == -32000);
    ensure!(peer.refused("authenticate", json!({"methodId": "other"})).await? == -32602);
    peer.call("authenticate", json!({"methodId": "peer-login"})).await?;
    ensure!(peer.prompt("auth").await?.stop_reason() == "end_turn");
    peer.call("logout", json!({})).await?;
    ensure!(peer.prompt("auth").await?.answer["error"]["code"] == -32000);
    Ok(())
}

#[tokio::test]
async fn a_hanging_turn_ignores_its_cancel_and_nothing_else_hangs() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    peer.begin("say on\nhang").await?;
    peer.update().await?;
    peer.cancel().await?;
    // The cancel was read before this request, which is answered first.
    peer.call("session/list", json!({})).await?;
    ensure!(
        peer.refused("session/prompt", json!({"sessionId": peer.session, "prompt": []})).await?
            == -32600
    );
    Ok(())
}

#[tokio::test]
async fn a_deaf_peer_reads_no_more() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, file) = (folder.path().join("log"), folder.path().join("file"));
    let mut peer = PeerOnPipes::start(&["--log", &log.to_string_lossy()]).await?;
    peer.begin(&format!("deaf\nsay now\nwait {}\nexit 7", file.display())).await?;
    peer.update().await?;
    peer.ask("session/list", json!({})).await?;
    std::fs::write(&file, "")?;
    ensure!(peer.ended().await?.code() == Some(7));
    let log = std::fs::read_to_string(&log)?;
    ensure!(log.contains("session/prompt") && !log.contains("session/list"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_script_runs_at_other_moments() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (script, file) = (folder.path().join("script"), folder.path().join("file"));
    let path = script.to_string_lossy();
    std::fs::write(&script, "on initialize\ngarbage hello\nexit 3")?;
    let mut peer = PeerOnPipes::bare(&["--script", &path])?;
    peer.ask("initialize", json!({"protocolVersion": 1})).await?;
    ensure!(peer.line().await?.as_deref() == Some("hello"));
    ensure!(peer.ended().await?.code() == Some(3));

    let exit =
        format!("say always\non new\nauth\nsay hi\non exit\ntouch {}\nexit 4", file.display());
    std::fs::write(&script, exit)?;
    let mut peer = PeerOnPipes::bare(&["--script", &path])?;
    peer.initialize(1).await?;
    let params = json!({"cwd": "/", "mcpServers": []});
    ensure!(peer.refused("session/new", params.clone()).await? == -32000);
    peer.call("authenticate", json!({"methodId": "peer-login"})).await?;
    let id = peer.ask("session/new", params).await?;
    let made = peer.until_answer(id).await?;
    ensure!(made.said() == ["hi"], "{made:#?}");
    peer.session = made.answer["result"]["sessionId"].as_str().unwrap_or_default().to_owned();
    ensure!(peer.prompt("say something else").await?.said() == ["always"]);
    peer.input = None;
    ensure!(peer.ended().await?.code() == Some(4) && file.exists());
    Ok(())
}

#[tokio::test]
async fn wrong_messages_of_the_client_are_refused() -> Result<()> {
    let mut peer = PeerOnPipes::bare(&[])?;
    let session = json!({"cwd": "/", "mcpServers": []});
    ensure!(peer.refused("session/new", session).await? == -32600);
    peer.initialize(1).await?;
    ensure!(peer.refused("initialize", json!({"protocolVersion": 1})).await? == -32600);
    ensure!(peer.refused("session/new", json!({"cwd": "/"})).await? == -32602);
    ensure!(peer.refused("session/new", json!({"cwd": "a", "mcpServers": []})).await? == -32602);
    let params = json!({"sessionId": "none", "prompt": []});
    ensure!(peer.refused("session/prompt", params).await? == -32002);
    ensure!(peer.refused("none/such", json!({})).await? == -32601);
    peer.send_line("no JSON").await?;
    let answer = peer.message().await?;
    ensure!(answer["id"].is_null() && answer["error"]["code"] == -32700, "{answer}");
    peer.send(json!({"id": 1, "method": "session/list"})).await?;
    ensure!(peer.message().await?["error"]["code"] == -32600);
    peer.input = None;
    ensure!(peer.ended().await?.success());
    Ok(())
}

#[tokio::test]
async fn a_stubborn_peer_survives_what_ends_others() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    peer.prompt("stubborn").await?;
    let pid = peer.pid()?;
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        kill_process(pid, signal)?;
        ensure!(peer.prompt("say on").await?.said() == ["on"]);
    }
    kill_process(pid, Signal::KILL)?;
    ensure!(!peer.ended().await?.success());
    Ok(())
}

#[tokio::test]
async fn a_child_outlives_the_peer_in_its_group() -> Result<()> {
    for (step, output) in [("child", "/dev/null"), ("child holding", "pipe:")] {
        let mut peer = PeerOnPipes::start(&[]).await?;
        let said = peer.prompt(step).await?.said();
        let child = said[0].strip_prefix("child: ").context("no child")?;
        let opened = std::fs::read_link(format!("/proc/{child}/fd/1"));
        let child = Pid::from_raw(child.parse()?).context("no pid")?;
        let groups = (getpgid(Some(child)), getpgid(Some(peer.pid()?)));
        peer.input = None;
        let ended = peer.ended().await;
        // It fails if the child has ended with the peer.
        kill_process(child, Signal::KILL)?;
        ensure!(ended?.success() && groups.0? == groups.1?);
        ensure!(opened?.to_string_lossy().starts_with(output), "{step}");
    }
    Ok(())
}
