//! Clients of before: plain text over a WebSocket, and the deprecated chat.

use anyhow::{Context as _, Result, bail, ensure};
use moorline_shared::message::close;
use moorline_tests::expected;
use moorline_tests::plain::{Plain, Said};
use moorline_tests::relay::{Relay, Setup, TOKEN};
use moorline_tests::wait::wait_until;
use moorline_tests::wire::Greeting;
use reqwest::Method;
use serde_json::{Value, json};

const CHAT: &str = "/claude/api/claude/chat";

async fn plain(relay: &Relay, path: &str) -> Result<Plain> {
    Plain::connect(relay.address(), path, &Greeting::ic1()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_both_ways_makes_its_session() -> Result<()> {
    let relay = Relay::start().await?;
    // As long as an id may be.
    let path = "/api/terminal/ws/user_1_ws_abc123_1234567890_uuid";
    let mut first = plain(&relay, path).await?;
    first.send("echo $((6*7)) é\n").await?;
    first.read_until("42 é").await?;
    drop(first);
    // The session outlives the connection, and another one finds it.
    let sessions = relay.api().list().await?;
    ensure!(sessions.len() == 1, "{sessions:?}");
    let mut second = plain(&relay, path).await?;
    let mut third = plain(&relay, path).await?;
    second.send("echo $((40+3))\n").await?;
    second.read_until("43").await?;
    third.read_until("43").await?;
    ensure!(relay.api().list().await?.len() == 1, "another session was made");
    second.send("exit 3\n").await?;
    let (_, code) = second.read_to_end().await?;
    ensure!(code == 1000, "closed with {code}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_keeps_characters_whole() -> Result<()> {
    let relay = Relay::start().await?;
    let script = "stty -echo; printf ready; while read -r byte; do printf \"\\\\$byte\"; done";
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let session = relay.api().run_ready(command).await?;
    let mut text = plain(&relay, &format!("/api/terminal/ws/{session}")).await?;
    let mut all = String::new();
    for byte in "é€😀".as_bytes() {
        let head = relay.api().status(&session).await?.head;
        text.send(format!("{byte:03o}\n")).await?;
        wait_until("the byte", async || {
            relay.api().status(&session).await.is_ok_and(|status| status.head > head)
        })
        .await?;
    }
    all.push_str(&text.read_until("😀").await?);
    ensure!(all.ends_with("é€😀"), "{all:?}");
    Ok(())
}

#[tokio::test]
async fn plain_text_is_refused_in_plain_text() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    // A browser can read no status: it is told by a text, and by the code.
    let page = |token: Option<&str>, origin: String| Greeting {
        bearer: token.map(str::to_owned),
        origin: Some(origin),
        ..Greeting::ic1()
    };
    let reader = relay.api().token("session:not-a-session:read").await?;
    let path = format!("/api/terminal/ws/{session}");
    let evil = "http://evil.example".to_owned();
    for (path, greeting, codes) in [
        (path.as_str(), page(None, relay.url()), [close::UNAUTHORIZED, close::POLICY]),
        (path.as_str(), page(Some(TOKEN), evil), [close::FORBIDDEN, close::POLICY]),
        (
            "/api/terminal/ws/short",
            page(Some(TOKEN), relay.url()),
            [close::NOT_FOUND, close::POLICY],
        ),
        // Who may only read it cannot start it.
        (
            "/api/terminal/ws/not-a-session",
            page(Some(&reader), relay.url()),
            [close::NOT_FOUND, close::POLICY],
        ),
    ] {
        let mut refused = Plain::connect(relay.address(), path, &greeting).await?;
        let (text, code) = refused.read_to_end().await?;
        ensure!(text.starts_with("Error: "), "{text:?}");
        ensure!(codes.contains(&code), "{code} to {path}: {text:?}");
    }
    ensure!(relay.api().list().await?.len() == 1, "a session was made for a stranger");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_of_before_still_works() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run_ready(expected::counter()).await?;

    // The session in the address.
    let mut named = plain(&relay, &format!("{CHAT}?sessionId={session}")).await?;
    for header in ["deprecation", "sunset", "link"] {
        ensure!(named.headers.contains_key(header), "{:?} has no {header}", named.headers);
    }
    named.skip_to("connected").await?;
    named.send(json!({"type": "command", "command": "one"}).to_string()).await?;
    output(&mut named, &session.to_string(), "1:one").await?;

    // The session in a message.
    let mut asked = plain(&relay, CHAT).await?;
    asked.skip_to("connected").await?;
    asked.send(json!({"type": "command", "command": "x"}).to_string()).await?;
    let error = asked.skip_to("error").await?;
    ensure!(error["error"].is_string() && error["code"].is_string(), "{error}");
    asked.send(json!({"type": "subscribe", "sessionId": session}).to_string()).await?;
    let subscribed = asked.skip_to("subscribed").await?;
    ensure!(subscribed["sessionId"] == session.as_str(), "{subscribed}");
    ensure!(subscribed["session"]["sessionId"] == session.as_str(), "{subscribed}");
    let wish = json!({"type": "command", "sessionId": session, "command": "two"});
    asked.send(wish.to_string()).await?;
    output(&mut asked, &session.to_string(), "2:two").await?;
    output(&mut named, &session.to_string(), "2:two").await?;

    for wrong in [
        "{".to_owned(),
        "[]".to_owned(),
        json!({"type": "subscribe", "sessionId": "not-a-session"}).to_string(),
        json!({"type": "subscribe", "sessionId": "short"}).to_string(),
        json!({"type": "command", "command": "x".repeat(70_000)}).to_string(),
    ] {
        asked.send(wrong.clone()).await?;
        let error = asked.skip_to("error").await?;
        ensure!(error["code"].is_string(), "{error} to {wrong}");
    }
    // It is said in the log, but not each time.
    let warnings = relay.log().to_lowercase().matches("deprecat").count();
    ensure!((1..=2).contains(&warnings), "{warnings} warnings:\n{}", relay.log());
    Ok(())
}

/// Reads output until it contains this.
async fn output(chat: &mut Plain, session: &str, text: &str) -> Result<()> {
    let mut all = String::new();
    while !all.contains(text) {
        let message = chat.skip_to("output").await?;
        ensure!(message["sessionId"] == session, "{message}");
        ensure!(message["data"]["type"] == "stdout", "{message}");
        all.push_str(message["data"]["content"].as_str().context("no content")?);
    }
    Ok(())
}

#[tokio::test]
async fn the_list_of_before_is_the_list_of_now() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let path = "/claude/api/claude/sessions";
    let wish = json!({"command": expected::counter(), "name": "old"});
    let created = api.request(Method::POST, path).json(&wish).send().await?;
    ensure!(created.status() == 201, "{}", created.status());
    let answer = api.request(Method::GET, path).send().await?;
    ensure!(answer.headers().contains_key("deprecation"), "{:?}", answer.headers());
    ensure!(answer.headers().contains_key("sunset"), "{:?}", answer.headers());
    let link = answer.headers().get("link").context("no link")?.to_str()?.to_owned();
    ensure!(link.contains("/api/sessions") && link.contains("successor-version"), "{link}");
    let old: Value = serde_json::from_str(&answer.text().await?)?;
    let new = api.expect(200, Method::GET, "/api/sessions", Value::Null).await?;
    ensure!(old["sessions"][0]["name"] == "old" && old["total"] == new["total"], "{old}");
    let stranger = api.with_token(None);
    stranger.expect(401, Method::GET, path, Value::Null).await?;
    Ok(())
}

#[tokio::test]
async fn the_chat_asks_for_a_token_too() -> Result<()> {
    let relay = Relay::start().await?;
    let stranger = Greeting { bearer: None, origin: Some(relay.url()), ..Greeting::ic1() };
    let session = relay.api().run_ready(expected::counter()).await?;
    let path = format!("{CHAT}?sessionId={session}");
    // Refused at the door, or with a word and a code.
    let Ok(mut chat) = Plain::connect(relay.address(), &path, &stranger).await else {
        return Ok(());
    };
    while let Said::Text(text) = chat.next().await? {
        ensure!(!text.contains("ready"), "{text}");
    }
    Ok(())
}

mod edge {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_chat_goes_on_where_its_session_loses_its_memory() -> Result<()> {
        let variables = vec![("MOORLINE_FORGETS".to_owned(), "0.1".to_owned())];
        let relay = Relay::start_with(Setup { variables, ..Setup::default() }).await?;
        let session = relay.api().run(expected::counter()).await?;
        let mut chat = plain(&relay, &format!("{CHAT}?sessionId={session}")).await?;
        chat.skip_to("subscribed").await?;
        let mut heard = String::new();
        for word in (0..20).map(|round| format!(":word-{round:02}")) {
            // Who waits for a command to be typed may be told that nobody knows.
            let command = json!({"type": "command", "command": &word[1..]}).to_string();
            chat.send(command.clone()).await?;
            while !heard.contains(&word) {
                let Said::Text(text) = chat.next().await? else { bail!("closed after {heard:?}") };
                let message: Value = serde_json::from_str(&text)?;
                if message["type"] == "error" {
                    chat.send(command.clone()).await?;
                }
                heard += message["data"]["content"].as_str().unwrap_or_default();
            }
        }
        let path = format!("/api/terminal/{session}/output");
        wait_until("all of it in the log, in this order", async || {
            let all = relay.api().expect(200, Method::GET, &path, Value::Null).await;
            let pieces = all.map(|all| all["output"].as_array().cloned().unwrap_or_default());
            let pieces = pieces.unwrap_or_default();
            let all = pieces.iter().filter_map(|piece| piece["content"].as_str());
            all.collect::<String>().contains(&heard)
        })
        .await
    }
}
