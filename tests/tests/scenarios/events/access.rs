//! Who may read events: by token, cookie and ticket.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::api::Api;
use moorline_tests::expected;
use moorline_tests::relay::{Kind, Relay, TOKEN};
use moorline_tests::sse::{Sse, events_of};
use moorline_tests::wait::wait_until;
use reqwest::Method;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::Value;

#[tokio::test]
async fn events_are_for_those_who_may_read() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let other = relay.api().run_ready(expected::counter()).await?;
    let path = events_of(&session);
    for token in [None, Some("a-wrong-token-that-is-long-enough-0123456789")] {
        let api = relay.api().with_token(token);
        for path in [&path, "/api/events", "/api/session/unknown-session/events"] {
            let (status, body) = api.refusal(Method::GET, path).await?;
            ensure!(status == 401 && body.code == "unauthorized", "{status} to {path}");
        }
    }
    for (id, expected) in [("short", 400), ("bad.id.with.dots", 400), ("not-a-session", 404)] {
        for rest in ["events", "events/status"] {
            let path = format!("/api/session/{id}/{rest}");
            let (status, body) = relay.api().refusal(Method::GET, &path).await?;
            ensure!(status == expected, "{status} to {path}");
            ensure!(body.session_id.as_deref() == Some(id), "{body:?}");
        }
    }
    let reader = relay.api().token(&format!("session:{session}:read")).await?;
    let reader = relay.api().with_token(Some(&reader));
    Sse::live(&reader, &session).await?.skip_to("session-status").await?;
    for path in [events_of(&other), "/api/events".to_owned()] {
        let (status, body) = reader.refusal(Method::GET, &path).await?;
        ensure!(status == 403, "{status} to {path}: {body:?}");
    }
    let prompt = format!("/api/session/{session}/prompt");
    let wish = serde_json::json!({"command": "x"});
    reader.expect(403, Method::POST, &prompt, wish).await?;
    Ok(())
}

#[tokio::test]
async fn a_ticket_is_for_one_stream() -> Result<()> {
    let relay = Relay::start().await?;
    let (api, stranger) = (relay.api(), relay.api().with_token(None));
    let session = api.run_ready(expected::counter()).await?;
    stranger.expect(401, Method::POST, "/api/tickets", Value::Null).await?;
    let ticket = || async {
        let made = api.expect(200, Method::POST, "/api/tickets", Value::Null).await?;
        ensure!(made["expiresInMs"] == 30_000, "{made}");
        Ok(made["ticket"].as_str().context("no ticket")?.to_owned())
    };
    for path in [events_of(&session), "/api/events".to_owned()] {
        let path = format!("{path}?ticket={}", ticket().await?);
        Sse::open(&stranger, &path, None).await?.skip_to_any().await?;
        let (status, _) = stranger.refusal(Method::GET, &path).await?;
        ensure!(status == 401, "a ticket was taken twice: {status}");
    }
    // It is for event streams alone.
    for path in ["/api/sessions".to_owned(), format!("/api/session/{session}/status")] {
        let path = format!("{path}?ticket={}", ticket().await?);
        let (status, _) = stranger.refusal(Method::GET, &path).await?;
        ensure!(status == 401, "{status} to {path}");
    }
    for wrong in ["", "x", "%00", TOKEN] {
        let path = format!("{}?ticket={wrong}", events_of(&session));
        let (status, _) = stranger.refusal(Method::GET, &path).await?;
        ensure!(status == 401, "{status} to the ticket {wrong:?}");
    }
    let given = ticket().await?;
    ensure!(!relay.log().contains(&given), "a ticket is in the log");
    Ok(())
}

#[tokio::test]
async fn a_cookie_is_as_good_as_the_token() -> Result<()> {
    let relay = Relay::start().await?;
    let (api, stranger) = (relay.api(), relay.api().with_token(None));
    let session = api.run_ready(expected::counter()).await?;
    stranger.expect(401, Method::POST, "/api/login", Value::Null).await?;
    let answer = api.request(Method::POST, "/api/login").send().await?;
    ensure!(answer.status().is_success(), "{}", answer.status());
    let set = answer.headers().get(SET_COOKIE).context("no cookie")?.to_str()?.to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        ensure!(set.contains(attribute), "{set}");
    }
    let cookie = set.split(';').next().context("it is not empty")?.to_owned();
    ensure!(cookie.starts_with("moorline_token="), "{set}");
    let with_cookie = async |method, path: &str, origin: Option<&str>| -> Result<_> {
        let request = stranger.request(method, path).header(COOKIE, &cookie);
        let request =
            origin.iter().fold(request, |request, origin| request.header("Origin", *origin));
        Ok(request.send().await?)
    };
    let answer = with_cookie(Method::GET, &events_of(&session), None).await?;
    Sse::of(answer).await?.skip_to("session-status").await?;
    let list = with_cookie(Method::GET, "/api/sessions", None).await?;
    ensure!(list.status() == 200, "{}", list.status());
    // A page of another site has the browser send it, and gets nothing for it.
    let path = format!("/api/session/{session}");
    let evil = with_cookie(Method::DELETE, &path, Some("http://evil.example")).await?;
    ensure!(evil.status() == 403, "{}", evil.status());
    let own = with_cookie(Method::DELETE, &path, Some(&relay.url())).await?;
    ensure!(own.status() == 200, "{}", own.status());

    let answer = with_cookie(Method::DELETE, "/api/login", Some(&relay.url())).await?;
    ensure!(answer.status().is_success(), "{}", answer.status());
    let cleared = answer.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
    ensure!(cleared.starts_with("moorline_token=;") && cleared.contains("Max-Age=0"), "{cleared}");
    Ok(())
}

trait AnyEvent {
    async fn skip_to_any(self) -> Result<()>;
}

impl AnyEvent for Sse {
    async fn skip_to_any(mut self) -> Result<()> {
        self.event().await?.context("the stream ended at once").map(|_| ())
    }
}

#[tokio::test]
async fn connections_are_counted() -> Result<()> {
    let relay = Relay::start().await?;
    let api: Api = relay.api();
    let session = api.run_ready(expected::counter()).await?;
    let path = format!("{}/status", events_of(&session));
    let count = async || -> Result<Value> {
        let status = api.expect(200, Method::GET, &path, Value::Null).await?;
        ensure!(status["sessionId"] == session.as_str() && status["timestamp"].is_u64());
        Ok(status["activeConnections"].clone())
    };
    let until_none = async || {
        if relay.kind() == Kind::Edge {
            // workerd finds out that a reader is gone with the next that it sends, if only a heartbeat.
            api.prompt(&session, "x").await?;
        }
        wait_until("no connection", async || count().await.is_ok_and(|count| count == 0)).await
    };
    // The one that waited for the program is on its way out.
    until_none().await?;
    let mut streams = Vec::new();
    for number in 1..=3 {
        let mut events = Sse::live(&api, &session).await?;
        events.skip_to("connected").await?;
        streams.push(events);
        ensure!(count().await? == number);
    }
    wait_until("metrics with all of them", async || {
        let metrics = api.expect(200, Method::GET, "/api/debug/metrics", Value::Null).await;
        metrics.is_ok_and(|metrics| {
            metrics["sse"]["totalConnections"] == 3
                && metrics["sse"]["activeSessions"] == serde_json::json!([session])
        })
    })
    .await?;
    drop(streams);
    until_none().await
}
