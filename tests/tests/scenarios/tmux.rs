//! Panes of tmux as sessions.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::link::ClientStatus;
use moorline_shared::rest::{CreateSession, HostTmux, SessionTmux};
use moorline_shared::session::{Lifecycle, Size};
use moorline_shared::tmux::{TmuxSession, TmuxSpec};
use moorline_tests::api::Api;
use moorline_tests::follower::{Follower, Following};
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::sse::Sse;
use moorline_tests::tmux::TmuxServer;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

fn wish(server: &TmuxServer, pane: Option<&str>, session: Option<&str>) -> CreateSession {
    let tmux = TmuxSpec {
        socket: Some(server.socket()),
        pane: pane.map(str::to_owned),
        session: session.map(str::to_owned),
        new_window: false,
    };
    CreateSession { tmux: Some(tmux), ..CreateSession::default() }
}

async fn group(api: &Api, id: &SessionId) -> Result<TmuxSession> {
    Ok(api.get::<SessionTmux>(&format!("/api/session/{id}/tmux")).await?.session)
}

/// Waits until each pane of the group is open, and returns their sessions by pane.
async fn all_open(api: &Api, id: &SessionId, panes: &[&str]) -> Result<Vec<SessionId>> {
    let mut open = Vec::new();
    wait_until("all panes to be open", async || {
        let Ok(group) = group(api, id).await else { return false };
        let ids = panes.iter().map(|pane| group.find(pane).and_then(|it| it.1.session_id.clone()));
        open = ids.flatten().collect();
        let listed = api.list().await.unwrap_or_default();
        let is_listed = |id: &SessionId| listed.iter().any(|session| session.session_id == *id);
        open.len() == panes.len() && open.iter().all(is_listed)
    })
    .await?;
    Ok(open)
}

async fn follow(relay: &Relay, id: &SessionId, seed: u64) -> Result<Follower> {
    let follower = Follower::live(Following::new(relay.address(), id, seed)).await?;
    follower.until("a prompt", |seen| seen.shows("$")).await?;
    Ok(follower)
}

async fn act(api: &Api, id: &SessionId, action: Value) -> Result<TmuxSession> {
    let answer = api.expect(200, Method::POST, &format!("/api/session/{id}/tmux"), action).await?;
    Ok(serde_json::from_value(answer["session"].clone())?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_tmux_is_opened_in_its_layout_and_steered() -> Result<()> {
    let server = TmuxServer::start()?;
    server.run(&["new-window", "-d", "-t", "work:", "-n", "second"])?;
    let relay = Relay::start().await?;
    let api = relay.api();

    let hosts: Value = api.get("/api/hosts").await?;
    let host = hosts["hosts"][0]["hostId"].as_str().context("no host")?.to_owned();
    let opened = api.create(&wish(&server, Some("%0"), Some("work"))).await?;
    ensure!(opened.driver == "tmux" && opened.name == "work pane 0", "{opened:?}");
    let id = opened.session_id;
    let ids = all_open(&api, &id, &["%0", "%1"]).await?;
    ensure!(ids[0] == id);
    let listed: HostTmux = api.get(&format!("/api/hosts/{host}/tmux")).await?;
    let own = listed.servers.iter().find(|it| it.socket.as_deref() == Some(&*server.socket()));
    let own = own.with_context(|| format!("{listed:?}"))?;
    ensure!(own.sessions[0].windows.len() == 2, "{own:?}");
    ensure!(own.sessions[0].windows[1].panes[0].session_id.as_ref() == Some(&ids[1]));

    let (first, second) = (follow(&relay, &id, 1).await?, follow(&relay, &ids[1], 2).await?);
    first.type_input("echo on''e\r");
    first.until("the first pane's output", |seen| seen.shows("one")).await?;
    second.type_input("echo tw''o\r");
    second.until("the second pane's output", |seen| seen.shows("two")).await?;
    ensure!(!first.seen().shows("two"));

    let split =
        act(&api, &id, json!({ "action": "split", "pane": "%0", "direction": "below" })).await?;
    ensure!(split.windows[0].panes.len() == 2, "{split:?}");
    let panes = all_open(&api, &id, &["%0", "%1", "%2"]).await?;
    let third = follow(&relay, &panes[2], 3).await?;
    let closed = act(&api, &id, json!({ "action": "close-pane", "pane": "%2" })).await?;
    ensure!(closed.windows[0].panes.len() == 1, "{closed:?}");
    third
        .until_end("the end of the pane", |seen| matches!(seen.status, ClientStatus::Ended(_)))
        .await?;
    let renamed =
        act(&api, &id, json!({ "action": "rename-window", "window": "@1", "name": "b#(x)" }))
            .await?;
    ensure!(renamed.windows[1].name == "b#(x)", "{renamed:?}");
    // What the page says of its size is no command to tmux.
    first.resize(Size { cols: 132, rows: 50 });
    first.type_input("tput cols; echo wid''th\r");
    first.until("the width", |seen| seen.shows("width")).await?;
    ensure!(group(&api, &id).await?.windows[0].cols == 80);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pane_goes_on_after_relay_and_host_were_killed() -> Result<()> {
    let server = TmuxServer::start()?;
    let mut relay = Relay::start().await?;
    let api = relay.api();
    let id = api.create(&wish(&server, None, Some("work"))).await?.session_id;
    let follower = follow(&relay, &id, 1).await?;
    follower.type_input("echo be''fore; sleep 1; echo mean''while\r");
    follower.until("the output", |seen| seen.shows("before")).await?;
    relay.kill_host().await?;
    relay.kill().await?;
    wait_until("the pane goes on", async || {
        server.run(&["capture-pane", "-p", "-t", "%0"]).is_ok_and(|text| text.contains("meanwhile"))
    })
    .await?;
    relay.launch().await?;
    if relay.kind() != Kind::InProcess {
        relay.launch_host().await?;
    }
    // Nothing of what happened in between is missing on the screen.
    follower.until("the new drawing", |seen| seen.shows("meanwhile") && seen.clears > 0).await?;
    follower.type_input("echo af''ter\r");
    follower.until("the output", |seen| seen.shows("after")).await?;
    let shown: Vec<_> = follower.seen().shown().lines;
    let shown = shown.join("\n").trim_end().to_owned();
    let real = server.run(&["capture-pane", "-p", "-t", "%0"])?;
    ensure!(shown == real.trim_end(), "{shown:?} instead of {real:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_while_a_panes_host_is_away_is_typed_once_it_is_back() -> Result<()> {
    let server = TmuxServer::start()?;
    let mut relay = Relay::start().await?;
    let api = relay.api();
    let id = api.create(&wish(&server, Some("%0"), None)).await?.session_id;
    let follower = follow(&relay, &id, 1).await?;
    let folder = TempDir::with_prefix("moorline-typed-")?;
    let file = folder.path().join("typed");
    follower.type_input(format!("cat > {}\r", file.display()));
    wait_until("the program", async || file.exists()).await?;
    // Twice: each host begins a new epoch.
    let mut number = 0;
    let mut right = String::new();
    for round in 1..=2 {
        let typed = || std::fs::read_to_string(&file).unwrap_or_default();
        relay.kill_host().await?;
        wait_until("the host to be away", async || {
            let status = api.status(&id).await;
            status.is_ok_and(|status| status.summary.lifecycle == Lifecycle::Detached)
        })
        .await?;
        for _ in 0..5 {
            number += 1;
            let line = format!("line {number}");
            follower.type_input(format!("{line}\r"));
            right += &format!("{line}\n");
            follower.until("it to be typed", |seen| seen.pending > 0).await?;
            if relay.kind() == Kind::Edge && number == 3 {
                relay.evict().await?;
            }
        }
        relay.launch_host().await?;
        let what = format!("what was typed in round {round}");
        let typed_all = wait_until(&what, async || typed() == right).await;
        typed_all.with_context(|| format!("{:?} instead of {right:?}", typed()))?;
        follower.until("all to be acknowledged", |seen| seen.pending == 0).await?;
    }
    Ok(())
}

/// A tmux server that does nothing until this is dropped.
struct StoppedServer(String);

impl StoppedServer {
    fn of(server: &TmuxServer) -> Result<Self> {
        let stopped = Self(server.run(&["display-message", "-p", "#{pid}"])?);
        stopped.signal("-STOP");
        Ok(stopped)
    }

    fn signal(&self, name: &str) {
        // It may have ended.
        _ = Command::new("kill").args([name, &self.0]).status();
    }
}

impl Drop for StoppedServer {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn input_is_acknowledged_once_tmux_has_typed_it() -> Result<()> {
    let server = TmuxServer::start()?;
    let relay = Relay::start().await?;
    let api = relay.api();
    let id = api.create(&wish(&server, Some("%0"), None)).await?.session_id;
    let follower = follow(&relay, &id, 1).await?;
    let shell = api.create(&CreateSession::default()).await?.session_id;
    let beside = Follower::live(Following::new(relay.address(), &shell, 2)).await?;
    let stopped = StoppedServer::of(&server)?;
    follower.type_input("echo ke''pt\r");
    follower.until("it to be typed", |seen| seen.pending > 0).await?;
    // As long as anything else takes.
    beside.type_input("echo on''ce\r");
    beside.until("the shell's output", |seen| seen.shows("once") && seen.pending == 0).await?;
    ensure!(follower.seen().pending > 0, "it was acknowledged, and would be lost with the host");
    drop(stopped);
    follower.until("the output", |seen| seen.shows("kept") && seen.pending == 0).await
}

/// Waits until a follower shows what tmux shows.
async fn agree(follower: &Follower, server: &TmuxServer, what: &str) -> Result<()> {
    let mut last = (String::new(), String::new());
    let what = format!("the same screen: {what}");
    let agreed = wait_until(&what, async || {
        let Ok(real) = server.run(&["capture-pane", "-p", "-t", "%0"]) else { return false };
        let real = real.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        let shown = follower.seen().shown().lines.join("\n");
        last = (shown.trim_end().to_owned(), real.trim_end().to_owned());
        last.0 == last.1
    });
    agreed.await.with_context(|| format!("{}\ninstead of\n{}", last.0, last.1))
}

#[tokio::test(flavor = "multi_thread")]
async fn full_screen_programs_look_as_they_do_in_tmux() -> Result<()> {
    let server = TmuxServer::start()?;
    let relay = Relay::start().await?;
    let api = relay.api();
    let types = |keys: &str| server.run(&["send-keys", "-t", "%0", keys, "Enter"]);
    types("seq 1 100; printf '\\033[41mred\\033[m 你好 %078d\\n' 1")?;
    types("vim -u NONE -n -c 'set nu' /etc/services")?;
    wait_until("vim", async || {
        server.run(&["capture-pane", "-p", "-t", "%0"]).is_ok_and(|text| text.contains(" 1 "))
    })
    .await?;

    // It is opened while vim covers the shell.
    let id = api.create(&wish(&server, Some("%0"), None)).await?.session_id;
    let follower = Follower::live(Following::new(relay.address(), &id, 1)).await?;
    agree(&follower, &server, "vim").await?;
    ensure!(follower.seen().shown().alternate);
    follower.type_input("GOzeile äöü 你好\x1b/tcp\r");
    agree(&follower, &server, "vim after typing").await?;
    follower.type_input(":q!\r");
    follower.until("the shell", |seen| !seen.shown().alternate).await?;
    agree(&follower, &server, "the shell below").await?;
    ensure!(follower.seen().shows("red 你好"), "{:?}", follower.seen().shown());

    follower.type_input("htop -d 2\r");
    follower.until("htop", |seen| seen.shows("F10")).await?;
    let again = Follower::live(Following::new(relay.address(), &id, 2)).await?;
    again.until("htop for a second client", |seen| seen.shows("F10")).await?;
    follower.type_input("q");
    agree(&follower, &server, "the shell after htop").await?;
    agree(&again, &server, "the shell of the second client").await?;
    // tmux answers the questions of its programs, so nobody else does.
    follower.type_input("printf '\\033[c\\033[6n'; cat -v\r");
    follower.until("the answers of tmux", |seen| seen.shows("^[[?1;2")).await?;
    let real = server.run(&["capture-pane", "-p", "-t", "%0"])?;
    ensure!(real.matches("^[[?").count() == 1, "{real}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_has_a_code() -> Result<()> {
    let server = TmuxServer::start()?;
    let relay = Relay::start().await?;
    let api = relay.api();
    let create = async |status, body: Value| {
        let answer = api.expect(status, Method::POST, "/api/sessions", body).await?;
        Ok::<_, anyhow::Error>(answer["message"].as_str().unwrap_or_default().to_owned())
    };
    let socket = server.socket();
    let message = create(400, json!({ "tmux": { "socket": socket, "pane": "%7" } })).await?;
    ensure!(message.contains("no pane %7"), "{message}");
    let message =
        create(400, json!({ "tmux": { "socket": socket, "pane": "7; kill-server" } })).await?;
    ensure!(message.contains("`tmux.pane` is a pane's id"), "{message}");
    let message = create(400, json!({ "tmux": { "socket": "../x" } })).await?;
    ensure!(message.contains("`tmux.socket`"), "{message}");
    let message =
        create(400, json!({ "tmux": { "socket": format!("{socket}-none"), "pane": "%0" } }))
            .await?;
    ensure!(message.contains("no tmux server is running"), "{message}");
    let message = create(400, json!({ "tmux": {}, "driver": "pty" })).await?;
    ensure!(message.contains("driver `tmux`"), "{message}");

    let id = api.create(&wish(&server, Some("%0"), None)).await?.session_id;
    let path = format!("/api/session/{id}/tmux");
    let reader = api.with_token(Some(&api.token(&format!("session:{id}:read")).await?));
    reader.expect(200, Method::GET, &path, Value::Null).await?;
    let split = json!({ "action": "split", "pane": "%0", "direction": "below" });
    reader.expect(403, Method::POST, &path, split.clone()).await?;
    // It may type, but not end what other sessions show.
    let writer = api.with_token(Some(&api.token(&format!("session:{id}:write")).await?));
    writer.expect(403, Method::POST, &path, split.clone()).await?;
    for (status, code, body) in [
        (400, "bad_request", json!({ "action": "explode" })),
        (400, "bad_request", json!({ "action": "select", "pane": "%0 ; kill-server" })),
        (409, "tmux_failed", json!({ "action": "select", "pane": "%5" })),
    ] {
        let answer = api.expect(status, Method::POST, &path, body).await?;
        ensure!(answer["code"] == code, "{answer}");
    }
    let shell = api.create(&CreateSession::default()).await?.session_id;
    let path = format!("/api/session/{shell}/tmux");
    let answer = api.expect(409, Method::POST, &path, split).await?;
    ensure!(answer["code"] == "not_tmux", "{answer}");

    // Removing the session leaves the pane; its server's end is told.
    api.delete(&id).await?;
    ensure!(server.run(&["list-panes", "-F", "#{pane_dead}"])? == "0");
    let again = api.create(&wish(&server, Some("%0"), None)).await?.session_id;
    let mut events = Sse::live(&api, &again).await?;
    server.run(&["kill-server"])?;
    let told = events.skip_to("session-error").await?.data;
    ensure!(told["code"] == "tmux_ended", "{told}");
    Ok(())
}

mod native {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_pane_is_shown_again_after_an_orderly_end() -> Result<()> {
        let server = TmuxServer::start()?;
        for kind in [Kind::of_run()?, Kind::InProcess] {
            let mut relay = Relay::start_as(kind, Setup::default()).await?;
            let api = relay.api();
            let id = api.create(&wish(&server, Some("%0"), None)).await?.session_id;
            let follower = follow(&relay, &id, 1).await?;
            if kind == Kind::InProcess {
                relay.stop().await?;
                relay.launch().await?;
            } else {
                relay.stop_host().await?;
                let lifecycle = api.status(&id).await?.summary.lifecycle;
                ensure!(lifecycle == Lifecycle::Detached, "{lifecycle:?}");
                relay.launch_host().await?;
            }
            follower.until("the new drawing", |seen| seen.clears > 0 && seen.shows("$")).await?;
            follower.type_input("echo af''ter\r");
            follower.until("the output", |seen| seen.shows("after")).await?;
            api.delete(&id).await?;
        }
        Ok(())
    }
}
