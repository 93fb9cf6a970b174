//! Pages of other sites, in a browser that has this relay's cookie.

use anyhow::{Context as _, Result, bail, ensure};
use moorline_core::routes::{Call, Handler, ROUTES};
use moorline_shared::message::close;
use moorline_tests::api::{Api, refusal};
use moorline_tests::expected;
use moorline_tests::plain::{Plain, Said};
use moorline_tests::relay::Relay;
use moorline_tests::wire::Greeting;
use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{cookie, path_of, project};

/// Origins of pages that are not this relay's.
const FOREIGN: [&str; 4] =
    ["http://evil.example", "https://evil.example", "null", "http://127.0.0.1:1"];
/// Types of a body that a page may send anywhere without asking first.
const FORMS: [&str; 3] =
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"];

/// Whether a route can be opened as a WebSocket by a page.
fn is_for_pages(handler: &Handler) -> bool {
    let Handler::Relay(call) = handler else { return false };
    match call {
        Call::Stream
        | Call::Plain
        | Call::Acp
        | Call::Chat
        | Call::SessionEvents
        | Call::ListEvents => true,
        // Hosts' sockets, which no page may open whatever its origin.
        Call::Publish | Call::Control => false,
        _ => false,
    }
}

fn page(cookie: &str, origin: &str) -> Greeting {
    let (cookie, origin) = (Some(cookie.to_owned()), Some(origin.to_owned()));
    Greeting { bearer: None, cookie, origin, ..Greeting::ic1() }
}

/// Connects as a page does. Returns the text that arrives, and the HTTP status or the close code.
async fn refused(relay: &Relay, path: &str, greeting: &Greeting) -> Result<(String, u16)> {
    match Plain::connect(relay.address(), path, greeting).await {
        Ok(mut socket) => socket.read_to_end().await,
        Err(error) => {
            let status = error.to_string();
            let status = status.split(' ').next().unwrap_or_default().parse();
            Ok((String::new(), status.with_context(|| format!("{path}: {error}"))?))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_with_the_cookie_opens_no_socket() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let cookie = cookie(&relay, &relay.api()).await?;
    let mut opened = 0;
    for route in ROUTES.iter().filter(|route| is_for_pages(&route.handler)) {
        let path = path_of(route, session.as_str(), "");
        for origin in FOREIGN {
            let (said, code) = refused(&relay, &path, &page(&cookie, origin)).await?;
            ensure!([403, close::FORBIDDEN].contains(&code), "{code} to {origin} by {path}");
            ensure!(!said.contains("ready") && !said.contains(session.as_str()), "{path}: {said}");
        }
        // The relay's own page gets in with the same cookie, so it was the origin that mattered.
        let own = page(&cookie, &relay.url());
        let mut socket = Plain::connect(relay.address(), &path, &own).await?;
        let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {"protocolVersion": 1}});
        socket.send(initialize.to_string()).await?;
        // An event stream comes as binary messages, which such a client does not expect.
        let is_binary = |error: &anyhow::Error| error.to_string().contains("bytes of no text");
        match socket.next().await {
            Ok(Said::Text(_)) => {}
            Err(error) if is_binary(&error) => {}
            other => bail!("{path} says nothing: {other:?}"),
        }
        opened += 1;
    }
    ensure!(opened == 6, "{opened} kinds of sockets");
    for path in [format!("/sessions/{session}/publish"), "/hosts/a_host_of_evil/control".to_owned()]
    {
        for origin in [FOREIGN[0], &relay.url()] {
            let (_, code) = refused(&relay, &path, &page(&cookie, origin)).await?;
            ensure!(code == 403, "{code} to {origin} by {path}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_with_the_cookie_changes_nothing() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let (session, project) = (api.run_ready(expected::counter()).await?, project(&api).await?);
    let cookie = cookie(&relay, &api).await?;
    let stranger = api.with_token(None);
    let send = async |method: &Method, path: &str, kind: &str, origin: Option<&str>| {
        let request = stranger.request(method.clone(), path).header(COOKIE, &cookie);
        let request = request.header(CONTENT_TYPE, kind).body("{}");
        let request = origin.iter().fold(request, |request, it| request.header(ORIGIN, *it));
        request.send().await
    };
    let mut tried = 0;
    for route in ROUTES.iter().filter(|route| route.method != Method::GET) {
        let path = path_of(route, session.as_str(), &project);
        // An empty body, as that of a form without fields, would do for some routes.
        for (kind, origin) in FORMS.iter().chain(&["application/json"]).zip(FOREIGN) {
            let answer = send(&route.method, &path, kind, Some(origin)).await?;
            is_refused(answer, &format!("{} {path} from {origin}", route.method)).await?;
            tried += 1;
        }
        // Browsers name the origin of whatever changes something.
        let answer = send(&route.method, &path, "text/plain", None).await?;
        is_refused(answer, &format!("{} {path} from nowhere", route.method)).await?;
    }
    ensure!(tried > 100, "{tried} requests");
    unchanged(&api, session.as_str(), &project).await?;
    // The relay's own page may.
    let own = relay.url();
    let path = format!("/api/session/{session}");
    let answer = send(&Method::DELETE, &path, "application/json", Some(&own)).await?;
    ensure!(answer.status() == 200, "{}", answer.status());
    Ok(())
}

async fn is_refused(answer: Response, what: &str) -> Result<()> {
    let (status, body) = refusal(answer).await?;
    ensure!(status == 403 && body.error == "Origin not allowed", "{status} to {what}: {body:?}");
    Ok(())
}

async fn unchanged(api: &Api, session: &str, project: &str) -> Result<()> {
    let sessions = api.list().await?;
    ensure!(sessions.len() == 1 && sessions[0].session_id.as_str() == session, "{sessions:?}");
    let projects = api.expect(200, Method::GET, "/api/projects", Value::Null).await?;
    ensure!(projects["projects"][0]["id"] == project, "{projects}");
    let tokens = api.expect(200, Method::GET, "/api/tokens", Value::Null).await?;
    ensure!(tokens["tokens"] == json!([]), "{tokens}");
    Ok(())
}

#[tokio::test]
async fn a_form_is_no_request() -> Result<()> {
    let relay = Relay::start().await?;
    for kind in FORMS {
        let request = relay.api().request(Method::POST, "/api/sessions");
        let request = request.header(CONTENT_TYPE, kind).body(r#"{"name":"x"}"#);
        let (status, body) = refusal(request.send().await?).await?;
        ensure!(status == 415, "{status} to {kind}: {body:?}");
    }
    ensure!(relay.api().list().await?.is_empty(), "a form started a session");
    Ok(())
}
