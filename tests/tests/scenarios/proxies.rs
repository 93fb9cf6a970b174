//! What stands in `deploy/`, in front of a real relay and around it.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::link::ClientStatus;
use moorline_tests::digest::Digest;
use moorline_tests::expected::{self, Flood};
use moorline_tests::follower::{Follower, Following};
use moorline_tests::front::{Front, deployed};
use moorline_tests::plain::{Plain, Said};
use moorline_tests::relay::{Relay, Setup, TOKEN};
use moorline_tests::sse::{Item, Sse, events_of};
use moorline_tests::wire::Greeting;
use reqwest::Method;

#[tokio::test(flavor = "multi_thread")]
async fn nginx_passes_streams_unchanged() -> Result<()> {
    let relay = Relay::start().await?;
    streams_pass(&relay, &Front::nginx(relay.address()).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_passes_streams_unchanged() -> Result<()> {
    let relay = Relay::start().await?;
    streams_pass(&relay, &Front::caddy(relay.address()).await?).await
}

async fn streams_pass(relay: &Relay, front: &Front) -> Result<()> {
    const FLOOD: Flood = Flood { lines: 300_000 };
    let session = relay.api().run_ready(FLOOD.command()).await?;
    let follower = Follower::live(Following::new(front.address(), &session, 1)).await?;
    follower.type_input("\r");
    let expected = Digest::of(&FLOOD.output());
    follower.until_end("all of the flood", |seen| seen.contains(Flood::END)).await?;
    ensure!(follower.seen().digest == expected, "{}", follower.seen().describe());
    ensure!(follower.seen().dials == 1, "{}", follower.seen().describe());

    let path = format!("/sessions/{session}/stream");
    let page = |origin: String| Greeting {
        bearer: None,
        subprotocol_token: Some(TOKEN.to_owned()),
        cookie: None,
        origin: Some(origin),
        extended: true,
    };
    let mut own = Plain::connect(front.address(), &path, &page(front.url())).await?;
    own.skip_to("session-meta").await?;
    let elsewhere = page("http://127.0.0.1:1".to_owned());
    let mut foreign = Plain::connect(front.address(), &path, &elsewhere).await?;
    ensure!(foreign.read_to_end().await?.1 == 4403);
    // What changes something is asked the same.
    let origin = front.api().request(Method::DELETE, &format!("/api/session/{session}"));
    let answer = origin.header("Origin", front.url()).send().await?;
    ensure!(answer.status() == 200, "{}", answer.text().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_name_reaches_the_relay_where_it_is_told() -> Result<()> {
    const NAME: &str = "moorline.example.org";
    for (told, known) in [(NAME, true), ("another.example.org", false)] {
        let variables = vec![("MOORLINE_ALLOW_HOST".to_owned(), told.to_owned())];
        let relay = Relay::start_with(Setup { variables, ..Setup::default() }).await?;
        let session = relay.api().run_ready(expected::counter()).await?;
        for front in [Front::nginx(relay.address()).await?, Front::caddy(relay.address()).await?] {
            let wish = front.api().request(Method::POST, &format!("/api/session/{session}/prompt"));
            let wish = wish.header("Host", NAME).header("Origin", format!("https://{NAME}"));
            let status = wish.json(&serde_json::json!({"command": "x"})).send().await?.status();
            ensure!((status == 200) == known, "{status} to a name that is known: {known}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_through_nginx_when_the_relay_is_back() -> Result<()> {
    let mut relay = Relay::start().await?;
    let front = Front::nginx(relay.address()).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let follower = Follower::live(Following::new(front.address(), &session, 1)).await?;
    follower.type_input("one\r");
    follower.until("the line", |seen| seen.contains("1:one\r\n")).await?;
    relay.kill().await?;
    follower.until("the loss", |seen| !seen.closes.is_empty()).await?;
    relay.launch().await?;
    follower.until("the relay", |seen| seen.status == ClientStatus::Live).await?;
    follower.type_input("two\r");
    follower.until("the next line", |seen| seen.contains("2:two\r\n")).await?;
    let seen = follower.seen();
    ensure!(seen.digest == Digest::of(b"1:one\r\n2:two\r\n"), "{}", seen.describe());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_passes_events_at_once() -> Result<()> {
    let relay = Relay::start().await?;
    let front = Front::nginx(relay.address()).await?;
    events_pass(relay, &front).await
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_passes_events_at_once() -> Result<()> {
    let relay = Relay::start().await?;
    let front = Front::caddy(relay.address()).await?;
    events_pass(relay, &front).await
}

async fn events_pass(mut relay: Relay, front: &Front) -> Result<()> {
    let session = relay.api().run_ready(expected::counter()).await?;
    let mut events = Sse::live(&front.api(), &session).await?;
    ensure!(events.header("cache-control") == Some("no-cache, no-transform"));
    ensure!(events.header("content-encoding").is_none());
    events.skip_to("session-status").await?;
    // Each line is asked for when the one before has come: none may wait for more to send.
    let mut cursor = None;
    for line in 1..=20 {
        relay.api().prompt(&session, "x").await?;
        cursor = events.output(Some(&format!("{line}:x\r\n"))).await?.last;
    }
    let cursor = cursor.context("output has an id")?;
    relay.api().prompt(&session, "last").await?;
    events.output(Some("21:last\r\n")).await?;

    relay.kill().await?;
    while !matches!(events.next().await?, Item::End | Item::Broken) {}
    // An EventSource gives up for ever where this is no event stream, or not 200.
    for path in [events_of(&session), "/api/events".to_owned()] {
        let mut away = Sse::open(&front.api(), &path, None).await?;
        ensure!(away.next().await? == Item::Retry(1000));
        ensure!(away.next().await? == Item::End);
    }
    let (status, _) = front.api().get_text(&format!("/api/session/{session}/status")).await?;
    ensure!(status == 502, "{status}");

    relay.launch().await?;
    let mut again = Sse::after(&front.api(), &session, cursor).await?;
    let rest = again.output(Some("21:last\r\n")).await?;
    ensure!(rest.text() == "21:last\r\n", "{rest:?}");
    let replayed = Sse::replay(&front.api(), &session, "").await?;
    let all = { replayed }.output(Some("21:last\r\n")).await?;
    ensure!(all.text().ends_with("20:x\r\n21:last\r\n"), "{}", all.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_come_and_pass() -> Result<()> {
    let relay = Relay::start().await?;
    let (nginx, caddy) =
        (Front::nginx(relay.address()).await?, Front::caddy(relay.address()).await?);
    let session = relay.api().run_ready(expected::counter()).await?;
    let heartbeat = async |api, path: &str| -> Result<()> {
        let mut events = Sse::open(&api, path, None).await?;
        while events.next().await? != Item::Comment {}
        Ok(())
    };
    let path = events_of(&session);
    tokio::try_join!(
        heartbeat(relay.api(), &path),
        heartbeat(nginx.api(), &path),
        heartbeat(caddy.api(), &path),
        heartbeat(relay.api(), "/api/events"),
        heartbeat(nginx.api(), "/api/events"),
    )?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn older_websockets_pass_through_nginx() -> Result<()> {
    let relay = Relay::start().await?;
    let front = Front::nginx(relay.address()).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let path = format!("/api/terminal/ws/{session}");
    let mut plain = Plain::connect(front.address(), &path, &Greeting::ic1()).await?;
    plain.send("hello\n").await?;
    plain.read_until("1:hello").await?;
    let path = format!("/claude/api/claude/chat?sessionId={session}");
    let mut chat = Plain::connect(front.address(), &path, &Greeting::ic1()).await?;
    ensure!(matches!(chat.next().await?, Said::Text(_)));
    Ok(())
}

#[test]
fn systemd_takes_the_units() -> Result<()> {
    let program = moorline_tests::programs::moorline()?;
    let program = format!("ExecStart={} serve", program.display());
    let system = [
        ("ExecStart=/usr/local/bin/moorline serve", program.as_str()),
        ("User=moorline", "User=root"),
    ];
    let user = [("ExecStart=%h/.local/bin/moorline serve", program.as_str())];
    for (manager, name, replacements) in [
        ("--system", "systemd/moorline.service", &system[..]),
        ("--user", "systemd/user/moorline.service", &user[..]),
    ] {
        let folder = tempfile::tempdir()?;
        let unit = folder.path().join("moorline.service");
        std::fs::write(&unit, deployed(name, replacements)?)?;
        let mut verify = Command::new("systemd-analyze");
        // A user's manager wants a folder to run in, which no test's machine needs to have.
        verify.args([manager, "verify"]).arg(&unit).env("XDG_RUNTIME_DIR", folder.path());
        let output =
            verify.output().context("there is no systemd-analyze: run `cargo xtask setup`")?;
        // What it does not understand it only warns of.
        let said = String::from_utf8_lossy(&output.stderr);
        let ours: Vec<&str> = said.lines().filter(|line| line.contains("moorline")).collect();
        ensure!(output.status.success() && ours.is_empty(), "{name}: {}\n{said}", output.status);
    }
    Ok(())
}
