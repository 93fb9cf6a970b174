//! Line breaks where a text becomes part of a header, of a stream of events, or of the log.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::expected;
use moorline_tests::relay::{Relay, TOKEN};
use moorline_tests::sse::Sse;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};

use super::head_of;

/// What ends a line and begins one that is forged.
const FORGED: &str = "x\r\nset-cookie: forged=1\r\n\r\nevent: forged\r\ndata: {}\r\n\r\n\u{2028}y";

#[tokio::test]
async fn no_address_and_no_header_adds_a_header_to_the_answer() -> Result<()> {
    let relay = Relay::start().await?;
    let token = format!("authorization: Bearer {TOKEN}\r\n");
    let breaks = [
        "%0d%0aset-cookie:%20forged=1",
        "%0aset-cookie:forged=1",
        "%E5%98%8D%E5%98%8Aset-cookie:forged=1",
    ];
    for line in breaks {
        for path in [
            format!("/{line}"),
            format!("/terminal/user_1_ws_0123456789abcdef0123456789abcdef{line}"),
            format!("/embed/session/user_1_ws_0123456789abcdef0123456789abcdef{line}"),
            format!("/index.html{line}"),
            format!("/api/session/{line}/status"),
            format!("/api/sessions?q={line}"),
            format!("/api/events?ticket={line}"),
            format!("/api/no-such/{line}"),
        ] {
            let head = head_of(&relay, &path, &token).await?.to_lowercase();
            ensure!(head.starts_with("http/1.1 "), "{path}: {head}");
            ensure!(!head.contains("forged"), "{path}: {head}");
        }
    }
    // What an answer repeats of a request's headers is one of a few known words.
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("access-control-request-headers", "x-forged-name"),
        ("sec-websocket-protocol", "forged-protocol"),
        ("last-event-id", "forged-id"),
        ("x-request-id", "forged-request"),
        ("if-none-match", "\"forged-tag\""),
    ] {
        let more = format!("{token}{name}: {value}\r\n");
        for path in ["/sessions", "/api/sessions", "/api/session/no-such-session/events"] {
            let head = head_of(&relay, path, &more).await?.to_lowercase();
            ensure!(!head.contains(value), "{name} of {path}: {head}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_adds_an_event_or_a_line_of_the_log() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let mut list = Sse::open(&api, "/api/events", None).await?;
    let made = api.expect(201, Method::POST, "/api/projects", json!({"name": FORGED})).await?;
    let wish = json!({"scope": "admin", "label": FORGED});
    let token = api.expect(201, Method::POST, "/api/tokens", wish).await?;
    let session = api.run_ready(expected::counter()).await?;
    let path = format!("/api/sessions/{session}");
    let renamed = api.expect(200, Method::PATCH, &path, json!({"name": FORGED})).await?;
    for name in [&made["project"]["name"], &token["label"], &renamed["session"]["name"]] {
        let name = name.as_str().with_context(|| format!("{made} {token} {renamed}"))?;
        let is_break = |character: char| character.is_control() || character == '\u{2028}';
        ensure!(!name.contains(is_break) && name.contains("set-cookie: forged=1"), "{name:?}");
    }
    // Who holds that token is named in the log and the audit.
    let holder = api.with_token(token["token"].as_str());
    holder.expect(200, Method::GET, &format!("/api/session/{session}/status"), Value::Null).await?;
    let mut events = Sse::live(&holder, &session).await?;
    events.skip_to("connected").await?;
    let id = token["id"].as_str().context("no id")?;
    api.expect(200, Method::DELETE, &format!("/api/tokens/{id}"), Value::Null).await?;
    wait_until("the end of access in the audit", async || {
        let audit = api.expect(200, Method::GET, "/api/audit?limit=100", Value::Null).await;
        audit.is_ok_and(|audit| audit.to_string().contains("revoked"))
    })
    .await?;
    // The name of the session is in the list's events, each of which is one of a few kinds.
    loop {
        let told = list.event().await?.context("the list ended")?;
        ensure!(told.kind != "forged", "{told:?}");
        if told.data.to_string().contains("set-cookie: forged=1")
            && told.data.to_string().contains(session.as_str())
        {
            break;
        }
    }
    let is_forged = |line: &str| {
        ["set-cookie", "event: forged"].iter().any(|it| line.trim_start().starts_with(it))
    };
    ensure!(!relay.log().lines().any(is_forged), "the log has a line that is forged");
    Ok(())
}
