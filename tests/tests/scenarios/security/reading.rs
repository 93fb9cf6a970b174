//! A token that only reads, or is for something else, by every route and every message.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use moorline_core::routes::{ROUTES, Route, Subject};
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::message::{
    CancelMessage, ClientMessage, DecideMessage, PromptMessage, Resume, close,
};
use moorline_shared::rest::{DecideApproval, SendPrompt};
use moorline_tests::acp::AcpClient;
use moorline_tests::expected;
use moorline_tests::plain::Plain;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use moorline_tests::wire::{Greeting, Received, Wire};
use reqwest::Method;
use serde_json::{Value, json};

use super::{path_of, project, token};
use crate::pages::agents::{EDIT, agent, prompt};

/// The routes that a token to read a session opens. Whatever is not here must be refused, so a new route
/// is refused until somebody decides otherwise.
const READS: [&str; 13] = [
    "/api/session/{id}/status",
    "/api/session/{id}/context",
    "/api/session/{id}/events",
    "/api/session/{id}/events/status",
    "/sessions/{id}/stream",
    "/api/session/{id}/prompts",
    "/api/session/{id}/tmux",
    "/api/session/{id}/approvals",
    "/api/session/{id}/approvals/{item}",
    "/api/terminal/{id}/output",
    "/api/terminal/ws/{id}",
    "/acp",
    "/claude/api/claude/chat",
];
/// The routes that are about the caller's own browser and token, or for everybody.
const OWN: [(&str, &str); 16] = [
    ("GET", "/healthz"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/login"),
    ("POST", "/api/login"),
    ("POST", "/api/login/passkey"),
    ("POST", "/api/login/passkey/challenge"),
    ("DELETE", "/api/login"),
    ("DELETE", "/api/login/all"),
    ("GET", "/api/passkeys"),
    ("POST", "/api/passkeys"),
    ("POST", "/api/passkeys/challenge"),
    ("DELETE", "/api/passkeys/{id}"),
    ("POST", "/api/tickets"),
    ("GET", "/api/push"),
    ("POST", "/api/push/subscriptions"),
    ("DELETE", "/api/push/subscriptions/{id}"),
];
/// The lists, which a token of a project reads, too.
const LISTS: [&str; 11] = [
    "/api/hosts",
    "/api/hosts/{id}/agents",
    "/api/hosts/{id}/pods",
    "/api/hosts/{id}/tmux",
    "/api/projects",
    "/api/projects/{id}",
    "/api/events",
    "/api/sessions",
    "/api/workspaces",
    "/api/approvals",
    "/claude/api/claude/sessions",
];

fn is_own(route: &Route) -> bool {
    OWN.contains(&(route.method.as_str(), route.path))
}

fn is_read(route: &Route) -> bool {
    route.method == Method::GET && READS.contains(&route.path)
}

fn is_read_of_project(route: &Route) -> bool {
    is_read(route) || route.method == Method::GET && LISTS.contains(&route.path)
}

/// Sends a request to every route, and checks that it is let in or not.
async fn every_route(
    relay: &Relay,
    secret: &str,
    (session, project): (&SessionId, &str),
    is_allowed: impl Fn(&Route) -> bool,
) -> Result<()> {
    let api = relay.api().with_token(Some(secret));
    let mut refused = 0;
    for route in ROUTES {
        let path = path_of(route, session.as_str(), project);
        let request = api.request(route.method.clone(), &path);
        let request = if route.method == Method::GET { request } else { request.json(&json!({})) };
        // The answer of a stream does not end; its head is enough.
        let status = request.send().await?.status();
        let is_let_in = status != 401 && status != 403;
        let what = format!("{} {path}: {status}", route.method);
        // Of a caller's own routes, some depend on the token or the relay, such as those of notices.
        ensure!(is_own(route) || is_let_in == is_allowed(route), "{what}");
        refused += usize::from(!is_let_in);
    }
    ensure!(refused > ROUTES.len() / 2, "only {refused} routes are refused");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_to_read_opens_only_what_reads() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let (session, project) = (api.run_ready(expected::counter()).await?, project(&api).await?);
    let of_session = token(&api, &format!("session:{session}:read")).await?.1;
    every_route(&relay, &of_session, (&session, &project), is_read).await?;
    let moved = format!("/api/sessions/{session}/move");
    api.expect(200, Method::POST, &moved, json!({"projectId": project})).await?;
    let of_project = token(&api, &format!("project:{project}:read")).await?.1;
    every_route(&relay, &of_project, (&session, &project), is_read_of_project).await?;
    still_untouched(&relay, &session).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_something_else_opens_nothing() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let (session, project) = (api.run_ready(expected::counter()).await?, project(&api).await?);
    let other = api.run_ready(expected::counter()).await?;
    let of_other = token(&api, &format!("session:{other}:write")).await?.1;
    // A socket without an id is about no session yet, and is opened with any token.
    let may = |route: &Route| is_read(route) && route.subject == Subject::Nothing;
    every_route(&relay, &of_other, (&session, &project), may).await?;
    let of_host = token(&api, "host").await?.1;
    let hosts = ["/hosts/{id}/control", "/sessions/{id}/publish"];
    let is_hosts =
        |route: &Route| may(route) && route.path != "/acp" || hosts.contains(&route.path);
    every_route(&relay, &of_host, (&session, &project), is_hosts).await?;
    still_untouched(&relay, &session).await
}

/// Checks that nothing was typed, by typing the first line.
async fn still_untouched(relay: &Relay, session: &SessionId) -> Result<()> {
    let mut writer = Wire::connect(relay, session, &Greeting::extended()).await?;
    writer.resume(Some("writing-client")).await?;
    writer.read_until("ready").await?;
    writer.send_input(1, b"yes\r").await?;
    writer.read_until("1:yes").await.map(drop)
}

/// How a message of a reader is answered.
enum Answer {
    /// It is served.
    Served,
    /// It has no effect and no answer.
    Ignored,
    /// By `error` with the code `read_only`.
    Error,
    /// By `done` with the code `read_only`.
    Done,
}

/// The answer to a message. A new kind of message does not compile until it has a line here, and
/// [`each_message`] one of it.
const fn answer(message: &ClientMessage) -> Answer {
    match message {
        ClientMessage::Resume(_)
        | ClientMessage::SnapshotRequest
        | ClientMessage::Ack { .. }
        | ClientMessage::Ping { .. } => Answer::Served,
        ClientMessage::Reply { .. } | ClientMessage::Unknown => Answer::Ignored,
        ClientMessage::Resize { .. } => Answer::Error,
        ClientMessage::Prompt(_) | ClientMessage::Decide(_) | ClientMessage::Cancel(_) => {
            Answer::Done
        }
    }
}

fn each_message(seq: Seq) -> Result<Vec<ClientMessage>> {
    let command = Some("evil".to_owned());
    let decision: DecideApproval = serde_json::from_value(json!({"approved": false}))?;
    Ok(vec![
        ClientMessage::Resume(Resume::default()),
        ClientMessage::SnapshotRequest,
        ClientMessage::Ack { seq },
        ClientMessage::Resize { cols: 100, rows: 30 },
        ClientMessage::Reply { seq, data: Bytes::from_static(b"evil\r"), more: false },
        ClientMessage::Prompt(PromptMessage {
            request: 1,
            turn_id: "turn-of-evil-001".parse()?,
            prompt: SendPrompt { command, ..SendPrompt::default() },
        }),
        ClientMessage::Decide(DecideMessage {
            request: 2,
            approval_id: "approval-of-evil".parse()?,
            decision,
        }),
        ClientMessage::Cancel(CancelMessage { request: 3, turn_id: None, force: true }),
        ClientMessage::Ping { t: 7 },
        ClientMessage::Unknown,
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_of_a_reader_does_anything() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let (_, secret) = token(&relay.api(), &format!("session:{session}:read")).await?;
    let reader = Greeting { bearer: Some(secret.clone()), ..Greeting::extended() };
    let mut wire = Wire::connect(&relay, &session, &reader).await?;
    wire.resume(Some("reading-client")).await?;
    let (seq, _) = wire.read_until("ready").await?;
    let messages = each_message(Seq(seq))?;
    let kinds: std::collections::HashSet<_> = messages.iter().map(std::mem::discriminant).collect();
    ensure!(kinds.len() == messages.len(), "a kind is there twice, so another one may be missing");
    for message in messages.iter().filter(|message| !matches!(message, ClientMessage::Resume(_))) {
        wire.send_text(message.to_json()).await?;
        match answer(message) {
            Answer::Served | Answer::Ignored => {}
            Answer::Error => ensure!(wire.skip_to("error").await?["code"] == "read_only"),
            Answer::Done => {
                let done = wire.skip_to("done").await?;
                ensure!(done["code"] == "read_only", "{done} to {message:?}");
            }
        }
    }
    wire.send_input(1, b"evil\r").await?;
    ensure!(wire.skip_to("error").await?["code"] == "read_only");

    // Plain text, and the deprecated chat.
    let basic = Greeting { bearer: Some(secret), ..Greeting::ic1() };
    let path = format!("/api/terminal/ws/{session}");
    let mut plain = Plain::connect(relay.address(), &path, &basic).await?;
    plain.read_until("ready").await?;
    plain.send("evil\r").await?;
    let chat = "/claude/api/claude/chat";
    let mut chat = Plain::connect(relay.address(), chat, &basic).await?;
    chat.send(json!({"type": "subscribe", "sessionId": session}).to_string()).await?;
    chat.skip_to("subscribed").await?;
    let command = json!({"type": "command", "command": "evil", "sessionId": session});
    chat.send(command.to_string()).await?;
    let refused = chat.skip_to("error").await?;
    ensure!(refused["code"] == "forbidden", "{refused}");
    still_untouched(&relay, &session).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_an_editor_that_reads_does_anything() -> Result<()> {
    let relay = Relay::start().await?;
    let (session, folder) = agent(&relay).await?;
    prompt(&relay, &session, EDIT).await?;
    let (_, secret) = token(&relay.api(), &format!("session:{session}:read")).await?;
    let mut editor = AcpClient::socket(&relay, "", &secret).await?;
    editor.open("session/load", &session, Value::Null).await?;
    let prompt = json!([{"type": "text", "text": "say evil"}]);
    for (method, params) in [
        ("session/prompt", json!({"sessionId": session, "prompt": prompt})),
        (
            "session/set_config_option",
            json!({"sessionId": session, "configId": "mode", "value": "code"}),
        ),
    ] {
        let id = editor.send(method, params).await?;
        let answer = editor.answer(id).await?;
        let code = &answer["error"]["data"]["code"];
        ensure!(code == "read_only" || code == "forbidden", "{method}: {answer}");
    }
    let cancel = json!({"jsonrpc": "2.0", "method": "session/cancel",
        "params": {"sessionId": session}});
    editor.say(&cancel).await?;
    // It is not even asked.
    ensure!(editor.arrived("session/request_permission").is_empty());
    let path = format!("/api/session/{session}/approvals?state=open");
    let open = async || relay.api().expect(200, Method::GET, &path, Value::Null).await;
    let is_asked = async || open().await.is_ok_and(|it| !it["approvals"][0].is_null());
    wait_until("the question", is_asked).await?;
    let asked = open().await?["approvals"][0].take();
    let decide = format!(
        "/api/session/{session}/approvals/{}",
        asked["approvalId"].as_str().context("nothing is asked")?
    );
    let decision = json!({"approved": true, "digest": asked["digest"]});
    let reader = relay.api().with_token(Some(&secret));
    reader.expect(403, Method::POST, &decide, decision.clone()).await?;
    ensure!(std::fs::read_to_string(folder.path().join("lib.rs"))?.contains("1 - 2"));
    relay.api().expect(200, Method::POST, &decide, decision).await.map(drop)
}

#[tokio::test]
async fn a_socket_of_another_session_is_refused() -> Result<()> {
    let relay = Relay::start().await?;
    let (one, other) = (
        relay.api().run_ready(expected::counter()).await?,
        relay.api().run_ready(expected::counter()).await?,
    );
    let (_, secret) = token(&relay.api(), &format!("session:{one}:write")).await?;
    let page = Greeting {
        bearer: None,
        subprotocol_token: Some(secret),
        origin: Some(relay.url()),
        ..Greeting::extended()
    };
    for path in [format!("/sessions/{other}/stream"), format!("/acp?session={other}")] {
        let code = Wire::refusal(&relay, &path, &page).await?;
        ensure!(code == close::FORBIDDEN, "{code} to {path}");
    }
    let mut own = Wire::connect(&relay, &one, &page).await?;
    match own.next().await? {
        Received::Json(message) if message["type"] == "session-meta" => Ok(()),
        other => bail!("{other:?}"),
    }
}
