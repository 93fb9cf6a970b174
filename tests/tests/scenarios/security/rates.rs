//! Limits of what one address and one token may do.

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{StreamExt as _, stream};
use moorline_shared::limits::{ADDRESS_REQUESTS, SESSION_STARTS, TOKEN_REQUESTS};
use moorline_shared::message::close;
use moorline_tests::acp::AcpClient;
use moorline_tests::api::{Api, refusal};
use moorline_tests::expected;
use moorline_tests::plain::{Plain, Said};
use moorline_tests::relay::{Kind, Relay};
use moorline_tests::wire::{Greeting, Received, Wire};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::token;

/// Requests that are sent at a time.
const AT_ONCE: usize = 32;

/// Has a request come from an address, as the proxy in front of a relay says.
fn from(relay: &Relay, request: RequestBuilder, address: &str) -> RequestBuilder {
    let header = match relay.kind() {
        Kind::Edge => "cf-connecting-ip",
        Kind::Native | Kind::InProcess => "x-forwarded-for",
    };
    request.header(header, address)
}

/// Sends requests until one is refused as one too many, and returns how many were answered before. Up to [`AT_ONCE`]
/// more may have passed.
async fn until_refused(what: &str, most: usize, ask: impl Fn() -> RequestBuilder) -> Result<usize> {
    let mut answers = stream::repeat_with(|| ask().send()).take(most).buffer_unordered(AT_ONCE);
    let mut passed = 0;
    while let Some(answer) = answers.next().await {
        let answer = answer?;
        if answer.status() != 429 {
            passed += 1;
            continue;
        }
        let wait = answer.headers().get("retry-after").context("no Retry-After")?.to_str()?;
        ensure!(wait.parse::<u64>()? >= 1, "{wait}");
        let (_, body) = refusal(answer).await?;
        ensure!(body.code == "too_many_requests" && body.message.is_some(), "{body:?}");
        return Ok(passed);
    }
    bail!("{what}: {most} requests passed")
}

#[tokio::test]
async fn an_address_that_sends_too_much_is_told_to_wait() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api().with_token(None);
    let ask = |address| from(&relay, api.request(Method::GET, "/healthz"), address);
    let most = ADDRESS_REQUESTS as usize * 10;
    let passed = until_refused("an address", most, || ask("2001:db8::7")).await?;
    ensure!(passed + AT_ONCE >= ADDRESS_REQUESTS as usize, "only {passed} passed");
    // The same network, another one, and whoever is on this machine.
    until_refused("a network", most, || ask("2001:db8::8")).await?;
    ensure!(ask("192.0.2.7").send().await?.status() == 200, "another address waits, too");
    ensure!(api.request(Method::GET, "/healthz").send().await?.status() == 200);
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_used_too_much_is_told_to_wait() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let (_, secret) = token(&relay.api(), "admin").await?;
    let api = relay.api().with_token(Some(&secret));
    let most = TOKEN_REQUESTS as usize * 20;
    let list = || api.request(Method::GET, "/api/projects");
    until_refused("a token", most, list).await?;
    // A page is told to come back later, and not that its token is wrong.
    let greeting = Greeting {
        bearer: None,
        subprotocol_token: Some(secret.clone()),
        origin: Some(relay.url()),
        ..Greeting::extended()
    };
    let path = format!("/sessions/{session}/stream");
    let mut codes = Vec::new();
    for _ in 0..20 {
        until_refused("a token", most, list).await?;
        match Wire::knock(&relay, &path, &greeting).await? {
            Ok(mut wire) => codes.push(match wire.next().await? {
                Received::Json(message) if message["type"] == "error" => wire.close_code().await?,
                _ => close::NORMAL,
            }),
            Err(status) => codes.push(status),
        }
        if codes.contains(&close::OVERLOADED) {
            break;
        }
    }
    ensure!(codes.contains(&close::OVERLOADED), "{codes:?}");
    ensure!(
        codes.iter().all(|code| [close::OVERLOADED, close::NORMAL].contains(code)),
        "{codes:?}"
    );
    // The administrator's own token has no limit.
    relay.api().list().await.map(drop)
}

/// Asks to start sessions until that is refused. Nothing is started: there is no such session.
async fn use_up_starts(api: &Api) -> Result<usize> {
    let path = "/api/sessions/not-a-session/duplicate";
    until_refused("session starts", 4 * SESSION_STARTS as usize, || api.request(Method::POST, path))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_starts_only_so_many_sessions_by_whatever_way() -> Result<()> {
    let relay = Relay::start().await?;
    let there = relay.api().run_ready(expected::counter()).await?;
    let (_, secret) = token(&relay.api(), "admin").await?;
    let api = relay.api().with_token(Some(&secret));
    let passed = use_up_starts(&api).await?;
    ensure!(passed + AT_ONCE >= SESSION_STARTS as usize, "only {passed} passed");
    if relay.kind() == Kind::Edge {
        // The count outlives the object's memory.
        relay.evict().await?;
    }
    let passed = use_up_starts(&api).await?;
    ensure!(passed < SESSION_STARTS as usize / 2, "{passed} more passed");

    // One may be started each second, so what comes after one that was refused may still pass.
    let greeting = Greeting { bearer: Some(secret.clone()), ..Greeting::ic1() };
    let mut refused = false;
    for number in 0..20 {
        use_up_starts(&api).await?;
        let path = format!("/api/terminal/ws/started_{number}");
        let mut socket = Plain::connect(relay.address(), &path, &greeting).await?;
        let Said::Text(text) = socket.next().await? else { bail!("it said nothing") };
        if text.starts_with("Error: ") {
            ensure!(
                text.starts_with("Error: Failed to create session\nDetails: Try again in "),
                "{text}"
            );
            let (_, code) = socket.read_to_end().await?;
            ensure!(code == close::OVERLOADED, "closed with {code}");
            refused = true;
            break;
        }
    }
    ensure!(refused, "the plain socket started 20 sessions");
    // A session that exists is not started.
    let path = format!("/api/terminal/ws/{there}");
    let mut socket = Plain::connect(relay.address(), &path, &greeting).await?;
    socket.read_until("ready").await?;

    let mut editor = AcpClient::socket(&relay, "", &secret).await?;
    let command = [env!("CARGO_BIN_EXE_moorline-acp-peer"), "agent"].join(" ");
    for _ in 0..20 {
        use_up_starts(&api).await?;
        let wish = json!({"cwd": "/", "mcpServers": [], "_meta": {"moorline": {"agent": command}}});
        let id = editor.send("session/new", wish).await?;
        let answer = editor.answer(id).await?;
        if answer["error"]["data"]["code"] == "too_many_requests" {
            return Ok(());
        }
    }
    bail!("an editor started 20 sessions")
}

/// What only the edge has.
mod edge {
    use moorline_tests::relay::Setup;

    use super::*;

    #[tokio::test]
    async fn the_rate_limiter_of_the_platform_is_asked() -> Result<()> {
        let relay = Relay::start_as(Kind::Edge, Setup::default()).await?;
        let api = relay.api();
        let ask = |address: &str| from(&relay, api.request(Method::GET, "/api/sessions"), address);
        let passed = until_refused("an address", 100, || ask("203.0.113.9")).await?;
        // The limit of tests/edge/ratelimit.js. Answers may overtake each other.
        ensure!(passed <= 5, "{passed} passed");
        ensure!(ask("203.0.113.10").send().await?.status() == 200, "another address waits, too");
        Ok(())
    }
}
