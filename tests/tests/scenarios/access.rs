//! Tokens: what each allows, and that what it has opened ends with it.

mod cookies;
mod leaving;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::{BoxFuture, try_join_all};
use moorline_shared::id::SessionId;
use moorline_shared::message::{EVENTS_SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX, close};
use moorline_shared::rest::{AuditEvent, AuditKind, AuditList, CreateSession, TokenList};
use moorline_tests::acp::AcpClient;
use moorline_tests::api::Api;
use moorline_tests::expected;
use moorline_tests::plain::Plain;
use moorline_tests::relay::{Relay, TOKEN};
use moorline_tests::sse::{Item, Sse, events_of};
use moorline_tests::stand_in::{ControlLink, Heard, PublishLink, hosted};
use moorline_tests::wait::wait_for;
use moorline_tests::wire::{Greeting, Received, Wire};
use reqwest::Method;
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};

/// A token that a test has made.
struct Made {
    id: String,
    secret: String,
}

impl Made {
    async fn new(relay: &Relay, scope: &str, label: &str) -> Result<Self> {
        let wish = json!({"scope": scope, "label": label});
        let made = relay.api().expect(201, Method::POST, "/api/tokens", wish).await?;
        let text = |name: &str| made[name].as_str().map(str::to_owned).context("a text");
        Ok(Self { id: text("id")?, secret: text("token")? })
    }

    fn api(&self, relay: &Relay) -> Api {
        relay.api().with_token(Some(&self.secret))
    }

    fn path(&self) -> String {
        format!("/api/tokens/{}", self.id)
    }

    async fn revoke(&self, relay: &Relay) -> Result<()> {
        relay.api().expect(200, Method::DELETE, &self.path(), Value::Null).await.map(drop)
    }

    async fn change(&self, relay: &Relay, wish: Value) -> Result<Value> {
        relay.api().expect(200, Method::PATCH, &self.path(), wish).await
    }
}

/// An open connection: it resolves once the relay has closed it.
type Ending = BoxFuture<'static, Result<&'static str>>;

fn ends(
    what: &'static str,
    end: impl Future<Output = Result<Option<u16>>> + Send + 'static,
) -> Ending {
    Box::pin(async move {
        match end.await.with_context(|| format!("the {what}"))? {
            None | Some(close::UNAUTHORIZED) => Ok(what),
            Some(code) => bail!("the {what} was closed with {code}"),
        }
    })
}

async fn end_of_plain(mut socket: Plain) -> Result<Option<u16>> {
    socket.until_closed().await.map(Some)
}

async fn end_of_events(mut events: Sse) -> Result<Option<u16>> {
    loop {
        match events.next().await? {
            Item::End => return Ok(None),
            Item::Broken => bail!("it broke"),
            Item::Event(_) | Item::Comment | Item::Retry(_) => {}
        }
    }
}

/// Opens the connections of a person: those to a session, and the lists if the token may read them.
async fn open_all(
    relay: &Relay,
    token: &str,
    session: &SessionId,
    has_lists: bool,
) -> Result<Vec<Ending>> {
    let bearer = Some(token.to_owned());
    let greeting = Greeting { bearer: bearer.clone(), ..Greeting::extended() };
    let mut stream = Wire::connect(relay, session, &greeting).await?;
    stream.resume(None).await?;
    stream.read_until("ready").await?;
    let basic = Greeting { bearer: bearer.clone(), ..Greeting::ic1() };
    let path = format!("/api/terminal/ws/{session}");
    let terminal = Plain::connect(relay.address(), &path, &basic).await?;
    let chat = Plain::connect(relay.address(), "/claude/api/claude/chat", &basic).await?;
    let acp = Plain::connect(relay.address(), "/acp", &basic).await?;
    let api = relay.api().with_token(Some(token));
    let events = Sse::live(&api, session).await?;
    let carried = event_socket(relay, token, &events_of(session)).await?;
    let mut all = vec![
        ends("stream", async move {
            loop {
                if let Received::Closed(code) = stream.next().await? {
                    return Ok(Some(code));
                }
            }
        }),
        ends("terminal's socket", end_of_plain(terminal)),
        ends("chat", end_of_plain(chat)),
        ends("editor's connection", end_of_plain(acp)),
        ends("event stream", end_of_events(events)),
        ends("event stream's socket", async move {
            // Whatever ends it, the page reconnects and is refused.
            end_of_plain(carried).await.map(|_| None)
        }),
    ];
    if has_lists {
        let list = Sse::open(&api, "/api/events", None).await?;
        all.push(ends("list", end_of_events(list)));
        let carried = event_socket(relay, token, "/api/events").await?;
        all.push(ends("list's socket", async move { end_of_plain(carried).await.map(|_| None) }));
    }
    Ok(all)
}

async fn event_socket(relay: &Relay, token: &str, path: &str) -> Result<Plain> {
    let offered = format!("{EVENTS_SUBPROTOCOL}, {TOKEN_SUBPROTOCOL_PREFIX}{token}");
    Plain::offering(relay.address(), path, &offered).await
}

async fn until_all_end(endings: Vec<Ending>) -> Result<()> {
    let ended = try_join_all(endings).await?;
    ensure!(!ended.is_empty(), "nothing was open");
    Ok(())
}

async fn counting(relay: &Relay) -> Result<SessionId> {
    relay.api().run_ready(expected::counter()).await
}

/// Creates a project with a session in it.
async fn project(relay: &Relay) -> Result<(String, SessionId)> {
    let wish = json!({"name": "notes"});
    let made = relay.api().expect(201, Method::POST, "/api/projects", wish).await?;
    let project = made["project"]["id"].as_str().context("an id")?.to_owned();
    let session = counting(relay).await?;
    move_to(relay, &session, json!(project)).await?;
    Ok((project, session))
}

async fn move_to(relay: &Relay, session: &SessionId, project: Value) -> Result<()> {
    let path = format!("/api/sessions/{session}/move");
    let wish = json!({"projectId": project});
    relay.api().expect(200, Method::POST, &path, wish).await.map(drop)
}

#[tokio::test]
async fn what_a_token_has_opened_ends_when_it_is_revoked() -> Result<()> {
    let relay = Relay::start().await?;
    let session = counting(&relay).await?;
    let (admin, writer) = (
        Made::new(&relay, "admin", "laptop").await?,
        Made::new(&relay, &format!("session:{session}:write"), "phone").await?,
    );
    let of_admin = open_all(&relay, &admin.secret, &session, true).await?;
    let of_writer = open_all(&relay, &writer.secret, &session, false).await?;
    writer.revoke(&relay).await?;
    until_all_end(of_writer).await?;
    writer.api(&relay).expect(401, Method::GET, "/api/sessions", Value::Null).await?;
    // The others are still open.
    admin.api(&relay).prompt(&session, "one").await?;
    admin.revoke(&relay).await?;
    until_all_end(of_admin).await?;
    relay.api().prompt(&session, "two").await.map(drop)
}

#[tokio::test]
async fn what_a_token_has_opened_ends_when_it_expires() -> Result<()> {
    let relay = Relay::start().await?;
    let session = counting(&relay).await?;
    let admin = Made::new(&relay, "admin", "laptop").await?;
    let endings = open_all(&relay, &admin.secret, &session, true).await?;
    let changed = admin.change(&relay, json!({"expiresInMs": 500})).await?;
    ensure!(changed["expiresAt"].is_string() && changed["scope"] == "admin", "{changed}");
    until_all_end(endings).await
}

#[tokio::test]
async fn an_expiry_can_be_removed() -> Result<()> {
    let relay = Relay::start().await?;
    let made = Made::new(&relay, "admin", "to last").await?;
    let limited = made.change(&relay, json!({"expiresInMs": 60_000})).await?;
    ensure!(limited["expiresAt"].is_string(), "{limited}");
    let same = made.change(&relay, json!({"label": "still limited"})).await?;
    ensure!(same["expiresAt"] == limited["expiresAt"], "{same}");
    let lasting = made.change(&relay, json!({"expiresInMs": null})).await?;
    ensure!(lasting["expiresAt"].is_null(), "{lasting}");
    made.api(&relay).list().await.map(drop)
}

#[tokio::test]
async fn what_a_token_has_opened_ends_when_it_allows_less() -> Result<()> {
    let relay = Relay::start().await?;
    let session = counting(&relay).await?;
    let token = Made::new(&relay, "admin", "laptop").await?;
    let endings = open_all(&relay, &token.secret, &session, true).await?;
    token.change(&relay, json!({"scope": format!("session:{session}:read")})).await?;
    until_all_end(endings).await?;
    // What it still allows can be opened again, but not typed into.
    let endings = open_all(&relay, &token.secret, &session, false).await?;
    let path = format!("/api/session/{session}/prompt");
    token.api(&relay).expect(403, Method::POST, &path, json!({"command": "x"})).await?;
    // A new label changes nothing of it.
    token.change(&relay, json!({"label": "tablet"})).await?;
    let list: TokenList = relay.api().get("/api/tokens").await?;
    let listed = list.tokens.iter().find(|listed| listed.id == token.id).context("it is listed")?;
    ensure!(listed.label.as_deref() == Some("tablet") && listed.last_used.is_some(), "{listed:?}");
    token.revoke(&relay).await?;
    until_all_end(endings).await
}

#[tokio::test]
async fn a_project_token_reaches_the_sessions_of_its_project() -> Result<()> {
    let relay = Relay::start().await?;
    let (project, session) = project(&relay).await?;
    let other = counting(&relay).await?;
    let token = Made::new(&relay, &format!("project:{project}:write"), "notebook").await?;
    let api = token.api(&relay);
    let listed = api.list().await?;
    ensure!(listed.len() == 1 && listed[0].session_id == session, "{listed:?}");
    let projects = api.expect(200, Method::GET, "/api/projects", Value::Null).await?;
    ensure!(projects["projects"].as_array().map(Vec::len) == Some(1), "{projects}");
    api.prompt(&session, "one").await?;
    for (method, path, status) in [
        (Method::GET, format!("/api/session/{other}/status"), 403),
        (Method::POST, format!("/api/sessions/{other}/fork"), 403),
        (Method::POST, format!("/api/sessions/{session}/move"), 403),
        (Method::GET, "/api/tokens".to_owned(), 403),
        (Method::GET, "/api/audit".to_owned(), 403),
        (Method::DELETE, format!("/api/projects/{project}"), 403),
        (Method::GET, format!("/api/projects/{project}"), 200),
        (Method::GET, "/api/hosts".to_owned(), 200),
        (Method::GET, "/api/approvals".to_owned(), 200),
    ] {
        api.expect(status, method, &path, Value::Null).await?;
    }
    // What it starts is in its project, and cannot be elsewhere.
    let started = api.create(&CreateSession::default()).await?;
    ensure!(started.project.as_ref().map(|id| id.as_str()) == Some(&*project), "{started:?}");
    let copy = format!("/api/sessions/{session}/duplicate");
    let copy = api.expect(201, Method::POST, &copy, Value::Null).await?;
    ensure!(copy["session"]["project"] == json!(project), "{copy}");
    let elsewhere = json!({"name": "other"});
    let made = relay.api().expect(201, Method::POST, "/api/projects", elsewhere).await?;
    let wish = json!({"project": made["project"]["id"]});
    api.expect(403, Method::POST, "/api/sessions", wish).await?;

    // A session that leaves the project leaves the token's reach, connections included.
    let wire = Greeting { bearer: Some(token.secret.clone()), ..Greeting::extended() };
    let mut stream = Wire::connect(&relay, &session, &wire).await?;
    stream.resume(None).await?;
    stream.read_until("ready").await?;
    let events = Sse::live(&api, &session).await?;
    move_to(&relay, &session, Value::Null).await?;
    ensure!(stream.close_code().await? == close::UNAUTHORIZED);
    end_of_events(events).await?;
    let path = format!("/api/session/{session}/status");
    api.expect(403, Method::GET, &path, Value::Null).await?;

    let reader = Made::new(&relay, &format!("project:{project}:read"), "screen").await?;
    let reader = reader.api(&relay);
    reader.expect(403, Method::POST, "/api/sessions", json!({})).await?;
    let started = format!("/api/session/{}/prompt", started.session_id);
    reader.expect(403, Method::POST, &started, json!({"command": "x"})).await.map(drop)
}

#[tokio::test]
async fn an_editor_uses_the_sessions_of_a_project() -> Result<()> {
    let relay = Relay::start().await?;
    let (project, session) = project(&relay).await?;
    let other = counting(&relay).await?;
    let token = Made::new(&relay, &format!("project:{project}:write"), "editor").await?;
    let mut editor = AcpClient::socket(&relay, "", &token.secret).await?;
    let list = editor.ask("session/list", json!({})).await?;
    ensure!(list["sessions"].is_array(), "{list}");
    for (session, opens) in [(&session, true), (&other, false)] {
        let load = json!({"sessionId": session, "cwd": "/", "mcpServers": []});
        let id = editor.send("session/load", load).await?;
        // A shell is no agent, but it is found.
        let answer = editor.answer(id).await?;
        let is_refused = answer["error"]["data"]["code"] == "forbidden";
        ensure!(is_refused != opens, "{session}: {answer}");
    }
    token.revoke(&relay).await
}

#[tokio::test]
async fn a_hosts_links_end_with_its_token() -> Result<()> {
    let relay = Relay::start().await?;
    let token = Made::new(&relay, "host", "build machine").await?;
    let (host, session): (_, SessionId) = ("stand_in".parse()?, "published_1".parse()?);
    let mut control = ControlLink::open_as(&relay, &host, &token.secret).await?;
    control.greet(&host, vec![hosted(&session, 7)]).await?;
    let mut publish = PublishLink::open_as(&relay, &session, &token.secret).await?;
    token.revoke(&relay).await?;
    for _ in 0..100 {
        if let Heard::Closed(code) = control.next().await? {
            ensure!(code == close::UNAUTHORIZED, "{code}");
            break;
        }
    }
    loop {
        if let Heard::Closed(code) = publish.next().await? {
            ensure!(code == close::UNAUTHORIZED, "{code}");
            break;
        }
    }
    let opened = ControlLink::open_as(&relay, &host, &token.secret).await;
    ensure!(opened.is_err(), "the host was let in again");
    Ok(())
}

#[tokio::test]
async fn logging_out_everywhere_ends_what_cookies_have_opened() -> Result<()> {
    let relay = Relay::start().await?;
    let session = counting(&relay).await?;
    let token = Made::new(&relay, "admin", "laptop").await?;
    let (api, stranger) = (token.api(&relay), relay.api().with_token(None));
    let tls = relay.url().replace("http://", "https://");
    let log_in = async || -> Result<String> {
        let answer = api.request(Method::POST, "/api/login").header(ORIGIN, &tls).send().await?;
        let set = answer.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
        Ok(set.split(';').next().context("it is not empty")?.to_owned())
    };
    let (one, two) = (log_in().await?, log_in().await?);
    let follow = async |cookie: &str| {
        let request = stranger.request(Method::GET, &events_of(&session));
        Sse::of(request.header(COOKIE, cookie).send().await?).await
    };
    let (first, second) = (follow(&one).await?, follow(&two).await?);
    let by_token = Sse::live(&api, &session).await?;
    let log_out = stranger.request(Method::DELETE, "/api/login").header(COOKIE, &one);
    let answer = log_out.header(ORIGIN, relay.url()).send().await?;
    ensure!(answer.status() == 200, "{}", answer.status());
    end_of_events(first).await?;
    api.expect(200, Method::DELETE, "/api/login/all", Value::Null).await?;
    end_of_events(second).await?;
    for cookie in [&one, &two] {
        let request = stranger.request(Method::GET, "/api/sessions").header(COOKIE, cookie);
        let answer = request.send().await?;
        ensure!(answer.status() == 401, "{}", answer.status());
    }
    // The token itself is still valid, and so is what it has opened.
    token.revoke(&relay).await?;
    end_of_events(by_token).await.map(drop)
}

#[tokio::test]
async fn what_was_done_is_in_the_audit() -> Result<()> {
    let relay = Relay::start().await?;
    let session = counting(&relay).await?;
    let token = Made::new(&relay, &format!("session:{session}:write"), "phone").await?;
    let greeting = Greeting { bearer: Some(token.secret.clone()), ..Greeting::extended() };
    let mut stream = Wire::connect(&relay, &session, &greeting).await?;
    stream.resume(None).await?;
    let (seq, _) = stream.read_until("ready").await?;
    drop(stream);
    let mut again = Wire::connect(&relay, &session, &greeting).await?;
    again.send(json!({"type": "resume", "lastSeq": seq})).await?;
    again.skip_to("session-meta").await?;
    token.api(&relay).expect(403, Method::GET, "/api/tokens", Value::Null).await?;
    let wrong = relay.api().with_token(Some("moor_wrong_0123456789_0123456789_0123456789"));
    wrong.expect(401, Method::GET, "/api/sessions", Value::Null).await?;
    token.revoke(&relay).await?;
    ensure!(again.close_code().await? == close::UNAUTHORIZED);

    let expected = [
        (AuditKind::Shared, "admin", true),
        (AuditKind::Connected, "phone", true),
        (AuditKind::Resumed, "phone", true),
        (AuditKind::Denied, "phone", false),
        (AuditKind::Denied, "", false),
        (AuditKind::Revoked, "admin", true),
        (AuditKind::Cut, "phone", true),
    ];
    let is_there = |events: &[AuditEvent], (kind, who, of_session): (AuditKind, &str, bool)| {
        events.iter().any(|event| {
            let session_id = of_session.then(|| session.clone());
            (event.kind, &*event.who, &event.session_id) == (kind, who, &session_id)
        })
    };
    let api = relay.api();
    let all = wait_for("the audit events", async || {
        let list: AuditList = api.get("/api/audit?limit=500").await.ok()?;
        expected.iter().all(|event| is_there(&list.events, *event)).then_some(list.events)
    });
    let all = match all.await {
        Ok(all) => all,
        Err(error) => {
            let list: AuditList = api.get("/api/audit?limit=500").await?;
            return Err(error.context(format!("{:#?}", list.events)));
        }
    };
    ensure!(all.windows(2).all(|two| two[0].id > two[1].id), "it is not the newest first");
    // A page at a time.
    let mut paged = Vec::new();
    let mut path = "/api/audit?limit=2".to_owned();
    loop {
        let page: AuditList = api.get(&path).await?;
        paged.extend(page.events);
        let Some(next) = page.next else { break };
        path = format!("/api/audit?limit=2&before={next}");
    }
    ensure!(paged.len() >= all.len(), "{} of {} events", paged.len(), all.len());
    // No secret and no payload.
    let text = serde_json::to_string(&paged)? + &relay.log();
    for secret in [TOKEN, &token.secret, "ready"] {
        ensure!(!text.contains(secret), "{secret} was recorded");
    }
    api.expect(400, Method::GET, "/api/audit?limit=0", Value::Null).await.map(drop)
}

#[tokio::test]
async fn a_cookie_is_kept_as_long_as_asked_and_renewed_by_itself() -> Result<()> {
    let relay = Relay::start().await?;
    let token = Made::new(&relay, "admin", "laptop").await?;
    let (api, stranger) = (token.api(&relay), relay.api().with_token(None));
    let tls = relay.url().replace("http://", "https://");
    let with = async |request: reqwest::RequestBuilder| -> Result<Vec<String>> {
        let answer = request.header(ORIGIN, &tls).send().await?;
        ensure!(answer.status() == 200, "{}", answer.status());
        let all = answer.headers().get_all(SET_COOKIE).iter();
        all.map(|set| Ok(set.to_str()?.to_owned())).collect()
    };
    let set = with(api.request(Method::POST, "/api/login?keepForMs=60000")).await?;
    for (set, path) in set.iter().zip(["; Path=/api; ", "; Path=/sessions; "]) {
        ensure!(
            set.contains(path) && set.contains("Max-Age=60; HttpOnly; SameSite=Strict"),
            "{set}"
        );
    }
    ensure!(set.len() == 2, "{set:?}");
    let cookie = set[0].split(';').next().context("it is not empty")?.to_owned();
    let by_cookie = |method, path: &str| stranger.request(method, path).header(COOKIE, &cookie);
    let renewed = with(by_cookie(Method::POST, "/api/login?keepForMs=9999999999")).await?;
    ensure!(renewed[0].starts_with(&format!("{cookie};")), "another secret: {renewed:?}");
    ensure!(renewed[0].contains("Max-Age=2592000;"), "{renewed:?}");
    let status: Value = by_cookie(Method::GET, "/api/login").send().await?.json().await?;
    let expected = json!({"scope": "admin", "tokenId": token.id, "label": "laptop"});
    ensure!(status == expected, "{status}");
    stranger.expect(401, Method::GET, "/api/login", Value::Null).await?;

    // Nobody is named as the holder of a revoked token.
    token.revoke(&relay).await?;
    with(by_cookie(Method::DELETE, "/api/login")).await?;
    let renewal = by_cookie(Method::POST, "/api/login").header(ORIGIN, &tls).send().await?;
    ensure!(renewal.status() == 401, "{}", renewal.status());
    let list: AuditList = wait_for("the revocation in the audit", async || {
        let list: AuditList = relay.api().get("/api/audit?limit=500").await.ok()?;
        list.events.iter().any(|event| event.kind == AuditKind::Revoked).then_some(list)
    })
    .await?;
    let of = |kind| list.events.iter().filter(move |event| event.kind == kind);
    ensure!(of(AuditKind::LoggedIn).count() == 1, "a renewal is no log-in: {:#?}", list.events);
    ensure!(of(AuditKind::LoggedOut).count() == 0, "{:#?}", list.events);

    let kinds = relay.api().get::<AuditList>("/api/audit?kinds=shared,revoked").await?;
    let kinds: Vec<_> = kinds.events.iter().map(|event| event.kind).collect();
    ensure!(kinds == [AuditKind::Revoked, AuditKind::Shared], "{kinds:?}");
    relay.api().expect(400, Method::GET, "/api/audit?kinds=x", Value::Null).await.map(drop)
}
