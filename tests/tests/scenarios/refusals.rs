//! What a relay refuses, and in which words.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use moorline_shared::event::Activity;
use moorline_shared::id::SessionId;
use moorline_shared::message::close;
use moorline_tests::api::refusal;
use moorline_tests::expected;
use moorline_tests::relay::{Relay, TOKEN};
use moorline_tests::wire::{Greeting, Received, Wire};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn stream(session: &SessionId) -> String {
    format!("/sessions/{session}/stream")
}

#[tokio::test]
async fn without_the_right_token_nothing_is_told() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    for token in [None, Some("a-wrong-token-that-is-long-enough-0123456789")] {
        let api = relay.api().with_token(token);
        for (method, path) in [
            (Method::GET, "/api/sessions".to_owned()),
            (Method::POST, "/api/sessions".to_owned()),
            (Method::GET, format!("/api/session/{session}/status")),
            (Method::DELETE, format!("/api/session/{session}")),
            (Method::GET, "/api/session/unknown-session/status".to_owned()),
        ] {
            let (status, body) = api.refusal(method.clone(), &path).await?;
            ensure!(status == 401 && body.code == "unauthorized", "{status} to {method} {path}");
        }
        let program = Greeting { bearer: token.map(str::to_owned), ..Greeting::extended() };
        for path in [stream(&session), "/sessions/unknown-session/stream".to_owned()] {
            ensure!(Wire::refusal(&relay, &path, &program).await? == 401);
            // Browsers cannot read a status: they are told by a close code.
            let browser = Greeting {
                bearer: None,
                subprotocol_token: token.map(str::to_owned),
                origin: Some(relay.url()),
                ..program.clone()
            };
            ensure!(Wire::refusal(&relay, &path, &browser).await? == 4401);
        }
    }
    let health = relay.api().with_token(None).request(Method::GET, "/healthz").send().await?;
    ensure!(health.status() == 200);
    ensure!(
        relay.api().status(&session).await?.summary.status == Activity::Running,
        "it was deleted"
    );
    ensure!(!relay.log().contains(TOKEN), "the token is in the log");
    Ok(())
}

#[tokio::test]
async fn a_page_of_another_site_gets_nothing() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let greeting = |origin: &str| Greeting {
        bearer: None,
        subprotocol_token: Some(TOKEN.to_owned()),
        cookie: None,
        origin: Some(origin.to_owned()),
        extended: true,
    };
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", "app://obsidian.md.evil"] {
        let code = Wire::refusal(&relay, &stream(&session), &greeting(origin)).await?;
        ensure!(code == 4403, "{code} to {origin}");
        let create = relay.api().request(Method::POST, "/api/sessions").header("Origin", origin);
        let (status, _) = refusal(create.json(&json!({})).send().await?).await?;
        ensure!(status == 403, "{status} to {origin}");
    }
    ensure!(relay.api().list().await?.len() == 1, "a page of another site started a session");
    let mut wire = Wire::connect(&relay, &session, &greeting(&relay.url())).await?;
    ensure!(
        wire.chosen.as_deref() == Some("moorline.v1"),
        "the token was echoed: {:?}",
        wire.chosen
    );
    wire.expect("session-meta").await?;
    Ok(())
}

#[tokio::test]
async fn ids_that_are_none_and_ids_that_name_nothing() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    for (id, expected) in [("short", 400), ("bad.id.with.dots", 400), ("not-a-session", 404)] {
        for (method, path) in [
            (Method::GET, format!("/api/session/{id}/status")),
            (Method::DELETE, format!("/api/session/{id}")),
        ] {
            let (status, body) = api.refusal(method, &path).await?;
            ensure!(status == expected, "{status} for {id}: {body:?}");
            ensure!(body.session_id.as_deref() == Some(id) && !body.error.is_empty(), "{body:?}");
        }
        let path = format!("/sessions/{id}/stream");
        let code = Wire::refusal(&relay, &path, &Greeting::extended()).await?;
        ensure!(code == expected, "{code} for {id}");
        let browser = Greeting { origin: Some(relay.url()), ..Greeting::extended() };
        let code = Wire::refusal(&relay, &path, &browser).await?;
        ensure!(code == 4404, "{code} for {id}");
    }
    Ok(())
}

#[tokio::test]
async fn bodies_that_are_wrong() -> Result<()> {
    let relay = Relay::start().await?;
    let create = || relay.api().request(Method::POST, "/api/sessions");
    let json =
        |body: &str| create().header("Content-Type", "application/json").body(body.to_owned());
    for wrong in ["{", "1", "[]", r#"{"command": []}"#, r#"{"command": "ls"}"#, r#"{"cols": -1}"#] {
        let (status, body) = refusal(json(wrong).send().await?).await?;
        ensure!((400..=422).contains(&status), "{status} to {wrong}: {body:?}");
        ensure!(body.code == "bad_request" || body.code == "bad_message", "{body:?} to {wrong}");
    }
    let wish = json!({"command": ["/nonexistent/program"]});
    let (status, body) = refusal(create().json(&wish).send().await?).await?;
    ensure!((400..=422).contains(&status), "{status} to a program that is not there: {body:?}");
    let large = json!({"name": "x".repeat(300 * 1024)});
    let (status, body) = refusal(create().json(&large).send().await?).await?;
    ensure!(status == 413, "{status} to a large body: {body:?}");
    ensure!(relay.api().list().await?.is_empty(), "one of these started a session");
    Ok(())
}

/// Sends a request on a connection, and gives the status and the head of its answer.
async fn ask(stream: &mut TcpStream, head: &str, body: &str) -> Result<(u16, String)> {
    let length = body.len();
    let request = format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut rest = 0;
    while rest == 0 || answer.len() < rest {
        ensure!(stream.read_buf(&mut answer).await? > 0, "the connection was closed");
        let text = String::from_utf8_lossy(&answer).to_lowercase();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            rest = head.len() + 4 + length.context("no length")?.parse::<usize>()?;
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).context("no status")?.parse()?;
    Ok((status, text))
}

#[tokio::test]
async fn a_refused_body_does_not_cost_the_connection() -> Result<()> {
    let relay = Relay::start().await?;
    let body = json!({"data": "x".repeat(70_000)}).to_string();
    let large = json!({"data": "x".repeat(600_000)}).to_string();
    let token = format!("\r\nauthorization: Bearer {TOKEN}");
    let foreign = format!("{token}\r\norigin: http://evil.example");
    for (head, headers, body, expected) in [
        ("POST /api/terminal/short/input", &*token, &body, 400),
        ("POST /api/terminal/not-a-session/input", &token, &body, 404),
        ("POST /api/terminal/not-a-session/input", &token, &large, 404),
        ("POST /api/sessions", &token, &large, 413),
        ("POST /api/sessions", "", &body, 401),
        ("POST /api/sessions", &foreign, &body, 403),
        ("PUT /api/sessions", &token, &body, 405),
        ("POST /api/no-such", &token, &body, 404),
        ("GET /api/sessions", &token, &body, 200),
        ("POST /healthz", "", &large, 405),
    ] {
        let mut stream = TcpStream::connect(relay.address()).await?;
        let common =
            format!(" HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json", relay.address());
        let (status, text) =
            ask(&mut stream, &format!("{head}{common}{headers}"), body).await.context(head)?;
        ensure!(status == expected, "{status} to {head}: {text}");
        // What comes next is another request, and no rest of the body.
        for _ in 0..2 {
            let next = ask(&mut stream, &format!("GET /healthz{common}"), "").await;
            ensure!(next.with_context(|| format!("after {head}"))?.0 == 200, "after {head}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn messages_that_are_wrong_are_answered_and_forgiven() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let mut wire = Wire::connect(&relay, &session, &Greeting::extended()).await?;
    wire.expect("session-meta").await?;
    wire.resume(Some("scenario-client")).await?;
    wire.skip_to("resumed").await?;
    wire.read_until("ready").await?;
    for (text, code) in [
        ("{".to_owned(), "bad_message"),
        ("[]".to_owned(), "bad_message"),
        ("null".to_owned(), "bad_message"),
        (r#"{"type": "ack", "seq": "one"}"#.to_owned(), "bad_message"),
        (json!({"type": "later", "data": "x".repeat(300 * 1024)}).to_string(), "too_large"),
    ] {
        wire.send_text(text.clone()).await?;
        let refusal = wire.expect("error").await?;
        ensure!(refusal["code"] == code, "{refusal} to {}", &text[..text.len().min(40)]);
    }
    for binary in [vec![], vec![0; 7], vec![0; 9], vec![1; 8 + 65_537]] {
        let length = binary.len();
        wire.send_binary(Bytes::from(binary)).await?;
        let refusal = wire.expect("error").await?;
        ensure!(refusal["code"] == "bad_message", "{refusal} to {length} bytes");
    }
    // What is unknown is ignored: this may be an older relay.
    wire.send(json!({"type": "dance", "with": ["me"]})).await?;
    wire.send(json!({"type": "ping", "t": 8, "more": 1})).await?;
    ensure!(wire.expect("pong").await?["t"] == 8);
    wire.send_input(1, b"still here\r").await?;
    wire.read_until("1:still here").await?;
    Ok(())
}

#[tokio::test]
async fn a_message_of_any_size_does_no_harm() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let before = relay.usage()?.rss_bytes;
    for _ in 0..4 {
        let mut wire = Wire::connect(&relay, &session, &Greeting::extended()).await?;
        wire.expect("session-meta").await?;
        // The relay may hang up while it is being sent, or read no more of it.
        drop(wire.begin_binary(Bytes::from(vec![1; 48 * 1024 * 1024])).await);
        let code = wire.close_code().await?;
        ensure!(
            [close::PROTOCOL, close::ABNORMAL, close::TOO_LARGE].contains(&code),
            "closed with {code}"
        );
    }
    let grown = relay.usage()?.rss_bytes.saturating_sub(before);
    ensure!(grown < 24 * 1024 * 1024, "the relay grew by {grown} bytes");
    Ok(())
}

#[tokio::test]
async fn a_token_that_only_reads() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let token = relay.api().token(&format!("session:{session}:read")).await?;
    let reader = Greeting { bearer: Some(token.clone()), ..Greeting::extended() };
    let mut wire = Wire::connect(&relay, &session, &reader).await?;
    ensure!(wire.expect("session-meta").await?["scope"] == "read");
    wire.resume(Some("reading-client")).await?;
    wire.read_until("ready").await?;
    wire.send_input(1, b"no\r").await?;
    ensure!(wire.skip_to("error").await?["code"] == "read_only");
    wire.send(json!({"type": "resize", "cols": 100, "rows": 30})).await?;
    ensure!(wire.skip_to("error").await?["code"] == "read_only");

    let api = relay.api().with_token(Some(&token));
    ensure!(api.status(&session).await?.summary.status == Activity::Running);
    let (status, _) = api.refusal(Method::DELETE, &format!("/api/session/{session}")).await?;
    ensure!(status == 403, "{status}");
    let other = relay.api().run_ready(expected::counter()).await?;
    ensure!(Wire::refusal(&relay, &stream(&other), &reader).await? == 403);
    let mut writer = Wire::connect(&relay, &session, &Greeting::extended()).await?;
    writer.resume(Some("writing-client")).await?;
    writer.skip_to("resumed").await?;
    writer.send_input(1, b"yes\r").await?;
    match wire.next().await? {
        Received::Frame(_, data) => ensure!(&data[..] == b"1:yes\r\n", "{data:?}"),
        other => anyhow::bail!("{other:?}"),
    }
    Ok(())
}
