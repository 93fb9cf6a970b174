//! Who may read events: by token, cookie and ticket.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::limits::TICKET_LIFETIME;
use moorline_tests::api::Api;
use moorline_tests::expected;
use moorline_tests::relay::{Kind, Relay, Setup, TOKEN};
use moorline_tests::sse::{Sse, events_of};
use moorline_tests::wait::wait_until;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};

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
async fn a_ticket_is_for_one_stream_or_one_token() -> Result<()> {
    let relay = Relay::start().await?;
    let (api, stranger) = (relay.api(), relay.api().with_token(None));
    let session = api.run_ready(expected::counter()).await?;
    stranger.expect(401, Method::POST, "/api/tickets", Value::Null).await?;
    let ticket = || async {
        let made = api.expect(200, Method::POST, "/api/tickets", Value::Null).await?;
        ensure!(made["expiresInMs"] == TICKET_LIFETIME.as_millis() as u64, "{made}");
        Ok(made["ticket"].as_str().context("no ticket")?.to_owned())
    };
    for path in [events_of(&session), "/api/events".to_owned()] {
        let path = format!("{path}?ticket={}", ticket().await?);
        Sse::open(&stranger, &path, None).await?.skip_to_any().await?;
        let (status, _) = stranger.refusal(Method::GET, &path).await?;
        ensure!(status == 401, "a ticket was taken twice: {status}");
    }
    let exchange = format!("/api/tokens?ticket={}", ticket().await?);
    let wanted = json!({"scope": "host"});
    stranger.expect(201, Method::POST, &exchange, wanted.clone()).await?;
    stranger.expect(401, Method::POST, &exchange, wanted.clone()).await?;
    // One of a token that may not do it does not do it either.
    let writer = api.with_token(Some(&api.token(&format!("session:{session}:write")).await?));
    let given = writer.expect(200, Method::POST, "/api/tickets", Value::Null).await?;
    let exchange = format!("/api/tokens?ticket={}", given["ticket"].as_str().unwrap_or_default());
    stranger.expect(403, Method::POST, &exchange, wanted).await?;
    // It is for nothing else.
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
async fn a_cookie_stands_for_the_token_until_it_is_revoked() -> Result<()> {
    let relay = Relay::start().await?;
    let (admin, stranger) = (relay.api(), relay.api().with_token(None));
    let session = admin.run_ready(expected::counter()).await?;
    let made = json!({"scope": "admin"});
    let made = admin.expect(201, Method::POST, "/api/tokens", made).await?;
    let api = admin.with_token(made["token"].as_str());
    stranger.expect(401, Method::POST, "/api/login", Value::Null).await?;
    // Over plain HTTP on this machine every other server would get it.
    let refused =
        api.request(Method::POST, "/api/login").header(ORIGIN, relay.url()).send().await?;
    ensure!(refused.status() == 403, "{}", refused.status());
    ensure!(!refused.headers().contains_key(SET_COOKIE), "{:?}", refused.headers());

    let tls = relay.url().replace("http://", "https://");
    let log_in = async || -> Result<String> {
        let answer = api.request(Method::POST, "/api/login").header(ORIGIN, &tls).send().await?;
        ensure!(answer.status() == 200, "{}", answer.status());
        let set = answer.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/api;", "Max-Age=3600", "Secure"] {
            ensure!(set.contains(attribute), "{set}");
        }
        let name = format!("moorline-{}=", relay.address().port());
        ensure!(set.starts_with(&name) && !set.contains("moor_"), "{set}");
        Ok(set.split(';').next().context("it is not empty")?.to_owned())
    };
    let cookie = log_in().await?;
    let with_cookie = async |method, path: &str, origin: Option<&str>| -> Result<_> {
        let request = stranger.request(method, path).header(COOKIE, &cookie);
        let request =
            origin.iter().fold(request, |request, origin| request.header(ORIGIN, *origin));
        Ok(request.send().await?)
    };
    let answer = with_cookie(Method::GET, &events_of(&session), None).await?;
    let kind = answer.headers().get(CONTENT_TYPE).context("no type")?;
    ensure!(kind == "text/event-stream; charset=utf-8", "{kind:?}");
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
    ensure!(answer.status() == 200, "{}", answer.status());
    let cleared = answer.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
    ensure!(cleared.contains("=;") && cleared.contains("Max-Age=0"), "{cleared}");
    let void = with_cookie(Method::GET, "/api/sessions", None).await?;
    ensure!(void.status() == 401, "a cookie that was given back is valid: {}", void.status());

    let again = log_in().await?;
    let list =
        async || stranger.request(Method::GET, "/api/sessions").header(COOKIE, &again).send().await;
    ensure!(list().await?.status() == 200);
    let id = made["id"].as_str().context("no id")?;
    admin.expect(200, Method::DELETE, &format!("/api/tokens/{id}"), Value::Null).await?;
    ensure!(list().await?.status() == 401, "a cookie outlives its token");
    Ok(())
}

#[tokio::test]
async fn a_trusted_page_reads_answers_and_others_do_not() -> Result<()> {
    const NOTES: &str = "https://notes.example";
    let variables = vec![("MOORLINE_ALLOW_ORIGIN".to_owned(), NOTES.to_owned())];
    let relay = Relay::start_with(Setup { variables, ..Setup::default() }).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let (events, unknown) = (events_of(&session), "/api/session/unknown-session/status");
    for (path, status) in [("/api/sessions", 200), (&*events, 200), (unknown, 404), ("/api/x", 404)]
    {
        let answer = relay.api().request(Method::GET, path).header(ORIGIN, NOTES).send().await?;
        ensure!(answer.status() == status, "{} of {path}", answer.status());
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        ensure!(header("access-control-allow-origin") == Some(NOTES), "{path}: {answer:?}");
        ensure!(header("access-control-allow-credentials") == Some("true"), "{path}: {answer:?}");
        ensure!(header("vary").is_some_and(|vary| vary.contains("origin")), "{path}: {answer:?}");
        ensure!(header("x-content-type-options") == Some("nosniff"), "{path}: {answer:?}");
        let kept = header("cache-control").unwrap_or_default();
        ensure!(kept == "no-store" || path == events, "{path}: {answer:?}");
    }
    let preflight = async |origin: &str| {
        let asked = relay.api().with_token(None).request(Method::OPTIONS, "/api/sessions");
        let asked = asked.header(ORIGIN, origin).header("access-control-request-method", "POST");
        asked.header("access-control-request-headers", "authorization").send().await
    };
    let answer = preflight(NOTES).await?;
    ensure!(answer.status() == 204, "{}", answer.status());
    let allowed = answer.headers().get("access-control-allow-headers").context("no headers")?;
    ensure!(allowed == "authorization", "{allowed:?}");
    let answer = preflight("https://evil.example").await?;
    ensure!(answer.status() == 403, "{}", answer.status());
    ensure!(!answer.headers().contains_key("access-control-allow-origin"));
    Ok(())
}

#[tokio::test]
async fn many_wrong_tokens_are_slowed_and_logged_and_a_right_one_passes() -> Result<()> {
    let relay = Relay::start().await?;
    let stranger = relay.api().with_token(Some("a-wrong-token-that-is-long-enough-0123456789"));
    let mut slowed = None;
    for _ in 0..60 {
        let answer = stranger.request(Method::GET, "/api/sessions").send().await?;
        if answer.status() == 429 {
            slowed = Some(answer);
            break;
        }
        ensure!(answer.status() == 401, "{}", answer.status());
    }
    let slowed = slowed.context("nobody is slowed down")?;
    ensure!(slowed.headers().contains_key("retry-after"), "{slowed:?}");
    relay.api().expect(200, Method::GET, "/api/sessions", Value::Null).await?;
    ensure!(relay.log().contains("wrong, expired or revoked tokens"), "it is not logged");
    ensure!(!relay.log().contains("a-wrong-token"), "a token is in the log");
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
