//! Hosts that dial a relay from elsewhere.

use anyhow::{Context as _, Result, bail, ensure};
use moorline_shared::control::{Hello, PROTOCOL, ToHost, ToRelay};
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::publish::RefusedReason;
use moorline_shared::rest::{CreateSession, MissingDriver};
use moorline_shared::session::Lifecycle;
use moorline_tests::elsewhere::Elsewhere;
use moorline_tests::expected;
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::stand_in::{ControlLink, Heard, PublishLink, hello, hosted};
use moorline_tests::wait::{wait_until, within};
use reqwest::Method;
use reqwest::header::{CONNECTION, ORIGIN, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use serde_json::{Value, json};

use super::host;

fn id(text: &str) -> HostId {
    text.parse().expect("a test's ids are ids")
}

async fn until_connected(relay: &Relay, id: &str, connected: bool) -> Result<()> {
    wait_until("the host to come or go", async || {
        host(relay, id).await.is_ok_and(|host| host.is_some_and(|it| it.connected == connected))
    })
    .await
}

async fn until_lifecycle(relay: &Relay, id: &SessionId, expected: Lifecycle) -> Result<()> {
    let api = relay.api();
    wait_until(&format!("the session to be {expected:?}"), async || {
        api.status(id).await.is_ok_and(|status| status.summary.lifecycle == expected)
    })
    .await
}

fn wish(host: &str) -> CreateSession {
    let command = Some(expected::counter());
    CreateSession { command, host: Some(id(host)), ..CreateSession::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_started_on_the_host_that_is_named() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let mut elsewhere = Elsewhere::start(&relay, relay.url(), "host_two").await?;
    let session = api.create(&wish("host_two")).await?;
    ensure!(session.host == Some(id("host_two")), "{session:?}");
    ensure!(session.lifecycle == Lifecycle::Live, "{session:?}");
    let there = host(&relay, "host_two").await?.context("it is known")?;
    ensure!((there.connected, there.sessions) == (true, 1), "{there:?}");

    let copy = format!("/api/sessions/{}/duplicate", session.session_id);
    let copy = api.expect(201, Method::POST, &copy, Value::Null).await?;
    ensure!(copy["session"]["host"] == json!("host_two"), "{copy}");
    let fork = format!("/api/sessions/{}/fork", session.session_id);
    let fork = api.expect(201, Method::POST, &fork, Value::Null).await?;
    ensure!(fork["session"]["host"] == json!("host_two"), "{fork}");

    elsewhere.kill().await?;
    until_lifecycle(&relay, &session.session_id, Lifecycle::Detached).await?;
    until_connected(&relay, "host_two", false).await?;
    for (host, status, code) in
        [("host_two", 503, "host_offline"), ("host_six", 404, "no_such_host")]
    {
        let body = serde_json::to_value(wish(host))?;
        let refused = api.expect(status, Method::POST, "/api/sessions", body).await?;
        ensure!(refused["code"] == json!(code), "{refused}");
    }
    let sessions = api.list().await?.len();
    let fork = format!("/api/sessions/{}/fork", session.session_id);
    let refused = api.expect(503, Method::POST, &fork, Value::Null).await?;
    ensure!(refused["code"] == json!("host_offline"), "{refused}");
    ensure!(api.list().await?.len() == sessions, "a part of the fork is left");
    let prompt = format!("/api/session/{}/prompt", session.session_id);
    let refused = api.expect(503, Method::POST, &prompt, json!({ "command": "x" })).await?;
    ensure!(refused["code"] == json!("host_offline"), "{refused}");
    // Its host is back, without it.
    elsewhere.launch(&relay)?;
    until_lifecycle(&relay, &session.session_id, Lifecycle::Lost).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_sessions_that_a_relay_does_not_know_is_believed() -> Result<()> {
    let relay = Relay::start().await?;
    let session: SessionId = "adopted_1".parse()?;
    let sessions = vec![hosted(&session, 7)];
    let _control = ControlLink::welcomed(&relay, &id("stand_in"), sessions).await?;
    until_lifecycle(&relay, &session, Lifecycle::Detached).await?;
    let (mut link, _) = PublishLink::resumed(&relay, &session, 7, 1).await?;
    link.put_out(1, "I was here\r\n").await?;
    link.until_durable(1).await?;
    until_lifecycle(&relay, &session, Lifecycle::Live).await?;
    let output = format!("/api/terminal/{session}/output");
    let output = relay.api().expect(200, Method::GET, &output, Value::Null).await?;
    ensure!(output["output"][0]["content"] == json!("I was here\r\n"), "{output}");
    drop(link);
    until_lifecycle(&relay, &session, Lifecycle::Detached).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_host_is_fenced() -> Result<()> {
    let relay = Relay::start().await?;
    let session: SessionId = "fenced_01".parse()?;
    let sessions = vec![hosted(&session, 7)];
    let _control = ControlLink::welcomed(&relay, &id("stand_in"), sessions).await?;
    let (mut new, _) = PublishLink::resumed(&relay, &session, 7, 1).await?;
    new.put_out(1, "new\r\n").await?;
    new.until_durable(1).await?;
    let (mut stale, _) = PublishLink::resumed(&relay, &session, 6, 1).await?;
    let reason = stale.until_refused().await?;
    ensure!(reason == RefusedReason::Fenced, "{reason:?}");
    ensure!(stale.next().await? == Heard::Closed(4409));
    // A host that sends what does not follow is told so too.
    let (mut gap, _) = PublishLink::resumed(&relay, &session, 7, 9).await?;
    gap.put_out(5, "lost\r\n").await?;
    let reason = gap.until_refused().await?;
    ensure!(reason == RefusedReason::BadMessage, "{reason:?}");
    let (mut again, cursor) = PublishLink::resumed(&relay, &session, 7, 2).await?;
    ensure!(cursor.is_some_and(|cursor| cursor.seq.0 == 1), "{cursor:?}");
    again.put_out(2, "and on\r\n").await?;
    again.until_durable(2).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_deleted_while_its_host_is_away_is_forgotten_there() -> Result<()> {
    let relay = Relay::start().await?;
    let session: SessionId = "deleted_1".parse()?;
    let host = id("stand_in");
    let control = ControlLink::welcomed(&relay, &host, vec![hosted(&session, 7)]).await?;
    until_lifecycle(&relay, &session, Lifecycle::Detached).await?;
    drop(control);
    until_connected(&relay, "stand_in", false).await?;
    relay.api().delete(&session).await?;
    let mut control = ControlLink::welcomed(&relay, &host, vec![hosted(&session, 7)]).await?;
    let told = control.next().await?;
    ensure!(told == Heard::Message(ToHost::Forget { session_id: session }), "{told:?}");
    ensure!(relay.api().list().await?.is_empty(), "it is back");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_answers_is_what_the_caller_gets() -> Result<()> {
    let relay = Relay::start().await?;
    let mut control = ControlLink::welcomed(&relay, &id("stand_in"), Vec::new()).await?;
    let api = relay.api();
    let body = serde_json::to_value(wish("stand_in"))?;
    let asked = tokio::spawn({
        let (api, body) = (api.clone(), body.clone());
        async move { api.expect(400, Method::POST, "/api/sessions", body).await }
    });
    let Heard::Message(ToHost::Start { request, .. }) = control.next().await? else {
        bail!("it was not asked")
    };
    let (code, message) = ("bad_request".to_owned(), "no such folder: /nowhere".to_owned());
    control.say(&ToRelay::Failed { request, code, message }).await?;
    let refused = asked.await??;
    ensure!(refused["message"] == json!("no such folder: /nowhere"), "{refused}");
    ensure!(api.list().await?.is_empty(), "what was not started is listed");

    // One that started a session, and whose answer was lost with the link.
    let asked =
        tokio::spawn(async move { api.expect(201, Method::POST, "/api/sessions", body).await });
    let Heard::Message(ToHost::Start { session, .. }) = control.next().await? else {
        bail!("it was not asked")
    };
    drop(control);
    let started = hosted(&session.session_id, 7);
    let _control = ControlLink::welcomed(&relay, &id("stand_in"), vec![started]).await?;
    let (_link, _) = PublishLink::resumed(&relay, &session.session_id, 7, 0).await?;
    let created = asked.await??;
    ensure!(created["sessionId"] == json!(session.session_id), "{created}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_differ_work_together_or_are_told_what_to_do() -> Result<()> {
    let relay = Relay::start().await?;
    let greeting =
        |protocol| ToRelay::Hello(Box::new(Hello { protocol, ..hello(&id("stand_in")) }));
    for (protocol, side) in [(PROTOCOL + 1, "the relay is older"), (0, "the host is older")] {
        let mut link = ControlLink::open(&relay, &id("stand_in")).await?;
        link.say(&greeting(protocol)).await?;
        match link.next().await? {
            Heard::Message(ToHost::Refused { code, message }) => {
                ensure!(code == "protocol" && message.contains(side), "{code}: {message}");
                ensure!(message.contains("moorline host stop"), "{message}");
            }
            other => bail!("{other:?} instead of a refusal"),
        }
        ensure!(matches!(link.next().await?, Heard::Closed(_)), "it stays open");
    }
    ensure!(host(&relay, "stand_in").await?.is_none(), "a host that was refused is listed");
    let _link = ControlLink::welcomed(&relay, &id("stand_in"), Vec::new()).await?;
    let known = host(&relay, "stand_in").await?.context("it is here")?;
    ensure!(known.version == "0.0.0" && known.connected, "{known:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_a_host_misses_is_listed_and_refused_with_its_reason() -> Result<()> {
    const REASON: &str = "tmux is not installed: install it, and restart the host";
    let mut relay = Relay::start().await?;
    let stand_in = id("stand_in");
    let tmux = MissingDriver { driver: "tmux".into(), reason: REASON.into() };
    let lacking = Hello { missing: vec![tmux.clone()], ..hello(&stand_in) };
    let control = ControlLink::greeted(&relay, &stand_in, lacking).await?;
    let known = host(&relay, "stand_in").await?.context("it is here")?;
    ensure!((known.drivers, known.missing) == (vec!["pty".to_owned()], vec![tmux.clone()]));
    for (driver, status, code, words) in
        [("tmux", 503, "driver_missing", REASON), ("no-such", 400, "bad_request", "`pty`")]
    {
        let wish = json!({"host": "stand_in", "driver": driver});
        let refused = relay.api().expect(status, Method::POST, "/api/sessions", wish).await?;
        let message = refused["message"].as_str().unwrap_or_default();
        ensure!(refused["code"] == json!(code) && message.contains(words), "{refused}");
    }
    // The relay keeps it, and the next hello replaces it.
    drop(control);
    relay.kill().await?;
    relay.launch().await?;
    let known = host(&relay, "stand_in").await?.context("it is known")?;
    ensure!(!known.connected && known.missing == [tmux], "{known:?}");
    let _control = ControlLink::welcomed(&relay, &stand_in, Vec::new()).await?;
    let known = host(&relay, "stand_in").await?.context("it is here again")?;
    ensure!(known.connected && known.missing.is_empty(), "{known:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_comes_again_takes_its_own_place() -> Result<()> {
    let relay = Relay::start().await?;
    let mut first = ControlLink::welcomed(&relay, &id("stand_in"), Vec::new()).await?;
    let _second = ControlLink::welcomed(&relay, &id("stand_in"), Vec::new()).await?;
    match first.next().await? {
        Heard::Message(ToHost::Refused { code, .. }) => ensure!(code == "replaced", "{code}"),
        other => bail!("{other:?} instead of a refusal"),
    }
    ensure!(first.next().await? == Heard::Closed(4409));
    ensure!(host(&relay, "stand_in").await?.is_some_and(|host| host.connected));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_a_host() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let (mut ids, mut tokens) = (Vec::new(), Vec::new());
    for scope in ["host", "session:abcdefgh:write"] {
        let wish = json!({ "scope": scope, "label": "a test", "expiresInMs": 60_000 });
        let made = api.expect(201, Method::POST, "/api/tokens", wish).await?;
        let text = |name: &str| made[name].as_str().map(str::to_owned);
        ids.push(text("id").context("it has an id")?);
        tokens.push(text("token").context("it is shown once")?);
    }
    let list = api.expect(200, Method::GET, "/api/tokens", Value::Null).await?;
    ensure!(list.to_string().contains(&ids[0]), "{list}");
    ensure!(!list.to_string().contains(&tokens[0]), "{list}");
    let dial = async |token: &str, path: &str, origin: Option<&str>| -> Result<u16> {
        let request = api.with_token(Some(token)).request(Method::GET, path);
        let request = request
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header(SEC_WEBSOCKET_PROTOCOL, "moorline.host.v1");
        let request = origin.into_iter().fold(request, |request, it| request.header(ORIGIN, it));
        Ok(request.send().await?.status().as_u16())
    };
    let control = "/hosts/stand_in/control";
    ensure!(dial(&tokens[0], control, None).await? == 101);
    ensure!(dial(&tokens[0], control, Some(&relay.url())).await? == 403);
    ensure!(dial(&tokens[1], control, None).await? == 403);
    ensure!(dial("moor_wrong", control, None).await? == 401);
    ensure!(dial(&tokens[0], "/hosts/x/control", None).await? == 400);
    // Nobody takes the place of a relay's own host, which a Worker has not.
    if relay.kind() != Kind::Edge {
        ensure!(dial(&tokens[0], "/hosts/localhost/control", None).await? == 403);
        let session = api.run_ready(expected::counter()).await?;
        ensure!(dial(&tokens[0], &format!("/sessions/{session}/publish"), None).await? == 403);
    }
    let revoke = format!("/api/tokens/{}", ids[0]);
    api.expect(200, Method::DELETE, &revoke, Value::Null).await?;
    api.expect(404, Method::DELETE, &revoke, Value::Null).await?;
    ensure!(dial(&tokens[0], control, None).await? == 401);
    Ok(())
}

/// Only this relay has a socket for its own host.
mod native {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn a_page_behind_a_proxy_is_no_host() -> Result<()> {
        let relay = Relay::start_as(Kind::Native, Setup::default()).await?;
        let dial = async |origin: &str| -> Result<String> {
            let mut socket = UnixStream::connect(relay.data_dir().join("relay.sock")).await?;
            let request = format!(
                "GET /hosts/localhost/control HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\
                 {origin}\r\n"
            );
            socket.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            within("an answer", socket.read_to_string(&mut answer)).await??;
            Ok(answer)
        };
        let answer = dial("origin: https://notes.example\r\n").await?;
        ensure!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        // A host gets as far as the WebSocket, which this is none of.
        let answer = dial("").await?;
        ensure!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        Ok(())
    }
}
