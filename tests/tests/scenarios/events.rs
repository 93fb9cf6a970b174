//! A session as server-sent events: what comes, and that nothing is lost or repeated.

use anyhow::{Context as _, Result, bail, ensure};
use moorline_shared::id::{Cursor, Epoch, Seq, SessionId};
use moorline_tests::expected::{self, Flood};
use moorline_tests::follower::{Follower, Following};
use moorline_tests::relay::{Kind, Relay};
use moorline_tests::sse::{Item, Output, Sse, Told, events_of};
use moorline_tests::wait::{wait_for, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

mod access;
mod crowd;
mod sockets;

fn sh(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

#[tokio::test]
async fn a_stream_opens_in_this_order() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let mut events = Sse::live(&relay.api(), &session).await?;
    for (name, value) in [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
    ] {
        ensure!(events.header(name) == Some(value), "{name}: {:?}", events.header(name));
    }
    ensure!(events.next().await? == Item::Retry(1000));
    let Item::Event(connected) = events.next().await? else { bail!("no event came") };
    let Told { kind, id, data } = &connected;
    ensure!(kind == "connected" && id.is_none(), "{connected:?}");
    ensure!(data["type"] == "connected" && data["sessionId"] == session.as_str(), "{data}");
    ensure!(data["message"] == "SSE connection established", "{data}");
    ensure!(data["timestamp"].as_u64() > Some(1_700_000_000_000), "{data}");
    ensure!(data["from"] == data["head"] && data["tail"] == 1, "{data}");
    let Item::Event(status) = events.next().await? else { bail!("no event came") };
    ensure!(status.kind == "session-status" && status.data["type"] == "session-status");
    ensure!(status.data["status"] == "running" && status.data["pid"].is_u64(), "{status:?}");
    // Even a client that is cut now goes on here.
    let id = status.id.context("the status has an id")?;
    let epoch = data["epoch"].clone();
    ensure!(id == Cursor { epoch: number(&epoch)?, seq: Seq(data["head"].as_u64().unwrap_or(0)) });

    let answer = relay.api().prompt(&session, "hello").await?;
    ensure!(answer["success"] == true && answer["message"] == "Command sent", "{answer}");
    let sent = events.skip_to("command-sent").await?;
    ensure!(sent.data["command"] == "hello" && sent.id.is_some(), "{sent:?}");
    let said = events.skip_to("session-output").await?;
    ensure!(said.data["stream"] == "stdout" && said.data["content"] == "1:hello\r\n", "{said:?}");

    let long = "x".repeat(150);
    relay.api().prompt(&session, &long).await?;
    let sent = events.skip_to("command-sent").await?;
    ensure!(sent.data["command"] == format!("{}...", &long[..100]), "{sent:?}");
    Ok(())
}

/// An epoch may be written as a number or, where it would not fit one, as text.
fn number(value: &Value) -> Result<Epoch> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(format!("{text}.0").parse::<Cursor>()?.epoch)
}

#[tokio::test]
async fn the_log_begins_with_the_sessions_creation_and_ends_with_its_exit() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run(sh("cd /; printf 'begin\\n'; exit 3")).await?;
    wait_until("the session to end", async || {
        relay.api().status(&session).await.is_ok_and(|status| status.summary.exit_code == Some(3))
    })
    .await?;
    let mut events = Sse::replay(&relay.api(), &session, "").await?;
    let mut all = Vec::new();
    while let Some(told) = events.event().await? {
        all.push(told);
    }
    let kinds: Vec<&str> = all.iter().map(|told| told.kind.as_str()).collect();
    ensure!(kinds[..2] == ["connected", "session-status"], "{kinds:?}");
    let created = all.get(2).context("the log is empty")?;
    ensure!(created.kind == "session-created", "{kinds:?}");
    ensure!(created.data["mode"] == "pty" && created.data["command"].is_array(), "{created:?}");
    let output = all.iter().find(|told| told.kind == "session-output").context("no output")?;
    ensure!(output.data["content"] == "begin\r\n", "{output:?}");
    let last = all.last().context("it is not empty")?;
    ensure!(last.kind == "session-status" && last.data["status"] == "exited", "{last:?}");
    ensure!(last.data["exitCode"] == 3, "{last:?}");
    // Every entry has come, each once.
    let ids: Vec<u64> = all[2..].iter().filter_map(|told| Some(told.id?.seq.0)).collect();
    ensure!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");

    // An EventSource that comes back to that is told to stay away.
    let last = all.iter().rev().find_map(|told| told.id).context("something has an id")?;
    let head = relay.api().status(&session).await?.head;
    let end = Cursor { epoch: last.epoch, seq: head };
    let again = relay.api().request(Method::GET, &events_of(&session));
    let answer = again.header("Last-Event-ID", end.to_string()).send().await?;
    ensure!(answer.status() == 204, "{}", answer.status());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn characters_that_are_cut_anywhere_stay_whole() -> Result<()> {
    // Each byte is an entry of its own: a byte is put out when the one before has come.
    let text = "aé€😀\u{301}z\u{10ffff}é".as_bytes();
    let broken: &[u8] = &[0xff, 0xe2, 0x82, b'x', 0xf0, 0x9f, 0x98, 0xc3, 0xa9, 0xed, 0xa0, 0x80];
    let bytes = [text, broken, "!".as_bytes()].concat();
    let relay = Relay::start().await?;
    let api = relay.api();
    let script =
        "stty -echo -opost; printf ready; while read -r byte; do printf \"\\\\$byte\"; done";
    let session = api.run_ready(sh(script)).await?;
    let follower = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    for byte in &bytes {
        let before = follower.seen().digest.bytes();
        follower.type_input(format!("{byte:03o}\r"));
        follower.until("the byte", |seen| seen.digest.bytes() == before + 1).await?;
    }
    let replayed = async |parameters: &str| -> Result<Output> {
        Sse::replay(&api, &session, parameters).await?.output(Some("!")).await
    };
    let exact = replayed("&encoding=base64").await?;
    ensure!(exact.bytes == [b"ready", &bytes[..]].concat(), "{exact:?}");
    let all = replayed("").await?;
    ensure!(all.text() == String::from_utf8_lossy(&exact.bytes), "{:?}", all.text());
    // A client that goes on after any event has what one has that never left.
    let mut marks = all.marks.clone();
    marks.insert(0, (Cursor { seq: Seq(1), ..marks[0].0 }, 0));
    for (cursor, length) in marks.into_iter().rev().skip(1) {
        let rest = Sse::after(&api, &session, cursor).await?.output(Some("!")).await?;
        let joined = [&all.bytes[..length], &rest.bytes].concat();
        ensure!(joined == all.bytes, "after {cursor}: {joined:?} instead of {:?}", all.bytes);
    }
    // Entries within a character are no place where an event ended, and yet a client may name one.
    for (cursor, length) in exact.marks.iter().rev().skip(1) {
        let mut events = Sse::open(
            &api,
            &format!("{}?encoding=base64&lastEventId={cursor}", events_of(&session)),
            None,
        )
        .await?;
        let rest = events.output(Some("!")).await?;
        ensure!(rest.bytes == exact.bytes[*length..], "after {cursor}: {rest:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_exact_live_and_replayed() -> Result<()> {
    const FLOOD: Flood = Flood { lines: 500_000 };
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run_ready(FLOOD.command()).await?;
    let mut exact =
        Sse::open(&api, &format!("{}?encoding=base64", events_of(&session)), None).await?;
    let mut text = Sse::live(&api, &session).await?;
    exact.skip_to("session-status").await?;
    text.skip_to("session-status").await?;
    api.prompt(&session, "").await.err().context("an empty prompt is none")?;
    api.prompt(&session, "go").await?;
    let (exact, text) =
        tokio::try_join!(exact.output(Some(Flood::END)), text.output(Some(Flood::END)))?;
    let expected = FLOOD.output();
    ensure!(exact.bytes == expected, "{} bytes", exact.bytes.len());
    ensure!(text.bytes == expected, "{} bytes", text.bytes.len());
    let replayed =
        Sse::replay(&api, &session, "&encoding=base64").await?.output(Some(Flood::END)).await?;
    ensure!(replayed.bytes == [&b"ready"[..], &expected].concat(), "{}", replayed.bytes.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_relay_loses_and_repeats_nothing() -> Result<()> {
    let mut relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run_ready(expected::counter()).await?;
    let mut whole = Sse::replay(&api, &session, "").await?;
    let mut cut = Sse::replay(&api, &session, "").await?;
    for line in 1..=30 {
        api.prompt(&session, "x").await?;
        if line == 10 {
            cut.output(Some("10:x\r\n")).await?;
        }
    }
    let before = whole.output(Some("30:x\r\n")).await?;
    drop(cut);
    if relay.kind() == Kind::InProcess {
        // Elsewhere the host has it for as long as it is not stored.
        relay.until_stored(&["30:x\r\n"]).await?;
    }
    relay.kill().await?;
    relay.launch().await?;
    // At each event that came before, also those that are no output.
    let end = Some("30:x\r\n");
    let all = Sse::replay(&api, &session, "").await?.output(end).await?;
    ensure!(all.bytes == before.bytes, "{:?} instead of {:?}", all.text(), before.text());
    ensure!(all.marks == before.marks, "{:?} instead of {:?}", all.marks, before.marks);
    // After the last one there may be nothing to say, which is no stream.
    for (cursor, length) in before.marks.iter().rev().skip(1).step_by(7) {
        let rest = Sse::after(&api, &session, *cursor).await?.output(end).await?;
        ensure!(rest.bytes == before.bytes[*length..], "after {cursor}: {:?}", rest.text());
    }
    Ok(())
}

/// The gap that is told before any entry.
async fn gap(events: &mut Sse) -> Result<Told> {
    let mut before = 0;
    while let Some(told) = events.event().await? {
        match told.kind.as_str() {
            "gap" => {
                ensure!(told.id.is_none(), "{told:?}");
                return Ok(told);
            }
            "connected" | "session-status" if before < 2 => before += 1,
            _ => bail!("{told:?} came before the gap"),
        }
    }
    bail!("the stream ended before a gap")
}

#[tokio::test]
async fn positions_that_are_none() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run_ready(expected::counter()).await?;
    let path = events_of(&session);
    for query in ["x", "1732175000000", "1.2.3", "-1.0", "1.", ".", "7.18446744073709551616"] {
        let path = format!("{path}?lastEventId={query}");
        api.expect(400, Method::GET, &path, Value::Null).await?;
    }
    // What a browser sends by itself cannot be helped by a refusal: it would give up for ever.
    let epoch = api.status(&session).await?.epoch;
    let other = Cursor { epoch: Epoch(epoch.0 ^ 1), seq: Seq(1) }.to_string();
    for id in ["1732175000000", "nonsense", &other] {
        let mut events = Sse::open(&api, &path, Some(id)).await?;
        let gap = gap(&mut events).await?;
        ensure!(gap.data["reason"] == "epoch", "{gap:?} after {id}");
        ensure!(events.output(Some("ready")).await?.text().starts_with("ready"));
    }
    // One that is ahead waits, or is told; but it is never given what it has.
    let ahead = Cursor { epoch, seq: Seq(1_000_000) };
    let mut events = Sse::after(&api, &session, ahead).await?;
    events.skip_to("connected").await?;
    // The header counts where both are given.
    let head = Cursor { epoch, seq: api.status(&session).await?.head };
    let both = format!("{path}?lastEventId=0");
    let mut events = Sse::open(&api, &both, Some(&head.to_string())).await?;
    api.prompt(&session, "go").await?;
    let output = events.output(Some("1:go")).await?;
    ensure!(!output.text().contains("ready"), "{output:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_trimmed_is_told() -> Result<()> {
    // More than is kept of a session.
    const FLOOD: Flood = Flood { lines: 9_000_000 };
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run_ready(FLOOD.command()).await?;
    let first = Cursor { epoch: api.status(&session).await?.epoch, seq: Seq(2) };
    let follower = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    follower.type_input("\r");
    // It gets a snapshot where it falls behind.
    follower.until_end("the end", |seen| seen.shows(Flood::END)).await?;
    // The store trims in its own time.
    let (mut events, gap) = wait_for("the log to be trimmed", async || {
        let mut events = Sse::after(&api, &session, first).await.ok()?;
        let gap = gap(&mut events).await.ok()?;
        Some((events, gap))
    })
    .await?;
    ensure!(gap.data["reason"] == "trimmed" && gap.data["from"] == 3, "{gap:?}");
    let to = gap.data["to"].as_u64().context("no end")?;
    let next = events.skip_to("session-output").await?;
    ensure!(next.id.map(|id| id.seq.0) == Some(to + 1), "{:?} after {gap:?}", next.id);
    Ok(())
}

#[tokio::test]
async fn a_deleted_session_says_so_and_is_gone() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let mut events = Sse::live(&relay.api(), &session).await?;
    events.skip_to("session-status").await?;
    relay.api().delete(&session).await?;
    let told = events.skip_to("session-deleted").await?;
    ensure!(told.data["sessionId"] == session.as_str(), "{told:?}");
    ensure!(events.next().await? == Item::End);
    let (status, body) = relay.api().refusal(Method::GET, &events_of(&session)).await?;
    ensure!(status == 404 && body.error == "Session not found", "{status} {body:?}");
    Ok(())
}

#[tokio::test]
async fn the_list_is_told_as_it_changes() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let old = api.run_ready(expected::counter()).await?;
    let mut events = Sse::open(&api, "/api/events", None).await?;
    let first = events.skip_to("sessions").await?;
    let ids = first.data["sessions"].as_array().context("no sessions")?;
    ensure!(ids.len() == 1 && ids[0]["sessionId"] == old.as_str(), "{first:?}");
    ensure!(first.data["projects"] == json!([]) && first.id.is_none(), "{first:?}");

    let new = api.run_ready(expected::counter()).await?;
    let is = |told: &Told, id: &SessionId| told.data["session"]["sessionId"] == id.as_str();
    while !is(&events.skip_to("session").await?, &new) {}
    let path = format!("/api/sessions/{new}");
    api.expect(200, Method::PATCH, &path, json!({"name": "renamed"})).await?;
    while events.skip_to("session").await?.data["session"]["name"] != "renamed" {}
    let made = api.expect(201, Method::POST, "/api/projects", json!({"name": "one"})).await?;
    let project = &made["project"]["id"];
    let told = events.skip_to("project").await?;
    ensure!(told.data["project"]["id"] == *project && project.is_string(), "{told:?} {made}");
    api.expect(200, Method::POST, &format!("{path}/move"), json!({"projectId": project})).await?;
    while events.skip_to("session").await?.data["session"]["project"] != *project {}
    api.delete(&new).await?;
    let told = events.skip_to("session-deleted").await?;
    ensure!(told.data["sessionId"] == new.as_str(), "{told:?}");
    let path = format!("/api/projects/{}", project.as_str().unwrap_or_default());
    api.expect(200, Method::DELETE, &path, Value::Null).await?;
    let told = events.skip_to("project-deleted").await?;
    ensure!(told.data["projectId"] == *project, "{told:?}");
    Ok(())
}

/// A Worker has no orderly end.
mod native {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_relay_that_shuts_down_asks_to_come_back_soon() -> Result<()> {
        let mut relay = Relay::start().await?;
        let session = relay.api().run_ready(expected::counter()).await?;
        let mut one = Sse::live(&relay.api(), &session).await?;
        let mut all = Sse::open(&relay.api(), "/api/events", None).await?;
        one.skip_to("session-status").await?;
        all.skip_to("sessions").await?;
        let read = async |events: &mut Sse| -> Result<()> {
            while events.next().await? != Item::End {}
            ensure!(events.retry == Some(250), "{:?}", events.retry);
            Ok(())
        };
        let (status, one, all) = tokio::join!(relay.stop(), read(&mut one), read(&mut all));
        ensure!(status?.success(), "{}", relay.log());
        one.and(all)
    }
}
