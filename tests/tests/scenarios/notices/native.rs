//! The native relay sends them by push services, of which a stand-in is one.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::push_service::PushService;
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};

use crate::agents::{Agent, decide};
use crate::chromium::{Browser, Tab};

const EDIT: &str = "edit lib.rs \"fn add() { 1 + 2 }\\n\"";
const SUBSCRIPTIONS: &str = "/api/push/subscriptions";

/// A relay that sends to this service.
async fn start(service: &PushService) -> Result<Relay> {
    let arguments = vec!["--push-service".to_owned(), service.origin().to_owned()];
    Relay::start_as(Kind::Native, Setup { arguments, ..Setup::default() }).await
}

/// Subscribes a browser, and returns the path of its subscription.
async fn subscribe(api: &moorline_tests::api::Api, body: Value) -> Result<String> {
    let kept = api.expect(201, Method::POST, SUBSCRIPTIONS, body).await?;
    Ok(format!("{SUBSCRIPTIONS}/{}", kept["id"].as_str().context("no id")?))
}

async fn until_gone(relay: &Relay, path: &str) -> Result<()> {
    wait_until("the subscription to be gone", async || {
        let answer = relay.api().call(Method::DELETE, path, Value::Null).await;
        answer.is_ok_and(|(status, _)| status == 404)
    })
    .await
}

/// Asks something, and returns the question.
async fn ask(agent: &Agent) -> Result<Value> {
    std::fs::write(agent.folder.path().join("lib.rs"), "fn add() { 1 - 2 }\n")?;
    let mut events = agent.events().await?;
    agent.prompt(EDIT).await?;
    Ok(events.skip_to("approval-request").await?.data)
}

#[tokio::test]
async fn a_question_reaches_a_browser_and_so_does_its_answer() -> Result<()> {
    let service = PushService::start().await?;
    let relay = start(&service).await?;
    let api = relay.api();
    let offered = api.expect(200, Method::GET, "/api/push", Value::Null).await?;
    subscribe(&api, service.subscription("phone")).await?;
    let agent = Agent::start(&relay).await?;
    let asked = ask(&agent).await?;
    let told = service.next().await?;
    let expected = json!({
        "kind": "asked", "session": agent.id, "approval": asked["approvalId"],
        "name": "peer", "title": asked["command"],
    });
    ensure!(told.message == expected, "{told:?}");
    ensure!(told.path == "/phone" && told.key == offered["publicKey"], "{told:?}");
    let header = |name: &str| told.headers.get(name).and_then(|value| value.to_str().ok());
    ensure!(header("urgency") == Some("high"), "{told:?}");
    ensure!(header("ttl").is_some_and(|ttl| ttl.parse::<u64>().is_ok_and(|it| it > 0)), "{told:?}");
    let topic = header("topic").context("no topic")?;
    ensure!(topic.len() <= 32, "{topic}");

    decide(&agent, &asked, true, 200).await?;
    let answered = service.next().await?;
    let expected = json!({
        "kind": "answered", "session": agent.id, "approval": asked["approvalId"], "name": "peer",
    });
    ensure!(answered.message == expected, "{answered:?}");
    ensure!(answered.headers.get("topic") == told.headers.get("topic"), "{answered:?}");
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_busy_is_asked_again_and_one_that_is_gone_is_not() -> Result<()> {
    let service = PushService::start().await?;
    let relay = start(&service).await?;
    let path = subscribe(&relay.api(), service.subscription("phone")).await?;
    let agent = Agent::start(&relay).await?;
    service.answer_with(&[503, 201]);
    let asked = ask(&agent).await?;
    let (first, second) = (service.next().await?, service.next().await?);
    ensure!(first.message == second.message, "{first:?} {second:?}");
    service.answer_with(&[410]);
    decide(&agent, &asked, false, 200).await?;
    service.next().await?;
    until_gone(&relay, &path).await
}

#[tokio::test]
async fn a_subscription_ends_with_its_token_and_is_for_its_sessions() -> Result<()> {
    let service = PushService::start().await?;
    let relay = start(&service).await?;
    let api = relay.api();
    let (own, other) = (Agent::start(&relay).await?, Agent::start(&relay).await?);
    let scope = json!({ "scope": format!("session:{}:read", own.id) });
    let made = api.expect(201, Method::POST, "/api/tokens", scope).await?;
    let reader = api.with_token(made["token"].as_str());
    let path = subscribe(&reader, service.subscription("reader")).await?;
    ask(&other).await?;
    let asked = ask(&own).await?;
    let told = service.next().await?;
    ensure!(told.message["session"] == json!(own.id), "{told:?}");
    // The same browser once more is the same subscription.
    ensure!(subscribe(&reader, service.subscription("reader")).await? == path);
    let token = format!("/api/tokens/{}", made["id"].as_str().context("no id")?);
    api.expect(200, Method::DELETE, &token, Value::Null).await?;
    decide(&own, &asked, true, 200).await?;
    until_gone(&relay, &path).await
}

#[tokio::test]
async fn only_subscriptions_at_push_services_are_kept() -> Result<()> {
    let service = PushService::start().await?;
    let relay = start(&service).await?;
    let api = relay.api();
    let with = |field: &str, value: &str| {
        let mut body = service.subscription("phone");
        *body.pointer_mut(field).expect("it has the field") = json!(value);
        body
    };
    for endpoint in
        [relay.url().as_str(), "http://127.0.0.1:1/x", "http://169.254.169.254/x", "x", ""]
    {
        let body = with("/endpoint", endpoint);
        let refused = api.expect(400, Method::POST, SUBSCRIPTIONS, body).await?;
        ensure!(refused["code"] == "unknown_push_service", "{endpoint}: {refused}");
    }
    for (field, value) in [
        ("/keys/p256dh", "AAAA"),
        ("/keys/p256dh", "?"),
        ("/keys/auth", "AAAA"),
        ("/keys/auth", ""),
    ] {
        let refused = api.expect(400, Method::POST, SUBSCRIPTIONS, with(field, value)).await?;
        ensure!(refused["code"] == "bad_request", "{field}: {refused}");
    }
    let host = api.with_token(Some(&api.token("host").await?));
    let body = service.subscription("phone");
    host.expect(403, Method::POST, SUBSCRIPTIONS, body.clone()).await?;
    let reader = api.with_token(Some(&api.token("session:abcdefgh:read").await?));
    for number in 0..8 {
        subscribe(&reader, service.subscription(&format!("reader-{number}"))).await?;
    }
    reader.expect(429, Method::POST, SUBSCRIPTIONS, body.clone()).await?;
    for number in 0..56 {
        subscribe(&api, service.subscription(&format!("browser-{number}"))).await?;
    }
    let refused = api.expect(429, Method::POST, SUBSCRIPTIONS, body).await?;
    ensure!(refused["code"] == "overloaded", "{refused}");
    // Nobody ends the subscription of somebody else.
    let path = subscribe(&api, service.subscription("browser-1")).await?;
    let stranger = api.with_token(Some(&api.token("session:abcdefgh:write").await?));
    stranger.expect(404, Method::DELETE, &path, Value::Null).await?;
    api.expect(200, Method::DELETE, &path, Value::Null).await?;
    Ok(())
}

/// The browser's own push service, which cannot be reached: a stand-in for its subscription.
fn subscribing(subscription: &Value) -> String {
    format!(
        "PushManager.prototype.getSubscription = async () => window.subscription ?? null;
         PushManager.prototype.subscribe = async ({{ applicationServerKey }}) =>
            window.subscription = {{
                options: {{ applicationServerKey }}, toJSON: () => ({subscription}),
                unsubscribe: async () => {{ window.subscription = null; return true; }},
            }}; true"
    )
}

/// Keeps what the page says when something fails, which it hides again.
const NOTE_PROBLEM: &str = "new MutationObserver(() => {
    window.problem = document.querySelector('[data-testid=problem]')?.innerText ?? window.problem;
}).observe(document.body, { childList: true, subtree: true }); true";

/// Picks the menu's entry. It comes once the relay has answered, and moves those below it.
const PICK: &str = "document.querySelector('[data-testid=push]').click(); true";

/// The texts of the notices that are shown.
const SHOWN: &str = "navigator.serviceWorker.getRegistration('/').then(it => it.getNotifications())
    .then(all => all.map(({ title, body }) => `${title}: ${body}`))";

async fn until_shown(tab: &Tab, expected: &[&str]) -> Result<()> {
    wait_until(&format!("the notices {expected:?}"), async || {
        tab.evaluate::<Vec<String>>(SHOWN).await.is_ok_and(|shown| shown == expected)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_subscribes_and_its_worker_shows_what_comes() -> Result<()> {
    let service = PushService::start().await?;
    let relay = start(&service).await?;
    let agent = Agent::start(&relay).await?;
    Browser::run("a_page_subscribes_to_notices", async |browser| {
        browser.allow_notices(&relay.url()).await?;
        let tab = browser.open_beside(&format!("{}/sessions", relay.url())).await?;
        tab.let_workers_start().await?;
        tab.until_there("[data-testid=session-row]").await?;
        tab.evaluate::<bool>(&subscribing(&service.subscription("page"))).await?;
        tab.evaluate::<bool>(NOTE_PROBLEM).await?;
        tab.click("[data-testid=menu-button]").await?;
        tab.click("[data-testid=notices]").await?;
        tab.click("[data-testid=menu-button]").await?;
        let offered = tab.until_there("[data-testid=push]").await?;
        ensure!(offered.contains("Also when the page is closed"), "{offered}");
        tab.evaluate::<bool>(PICK).await?;
        let subscribed =
            tab.until("the subscription", "localStorage.getItem('moorline.push') !== null").await;
        let problem: String = tab.evaluate("String(window.problem)").await?;
        subscribed.with_context(|| format!("the page says {problem}"))?;
        let asked = ask(&agent).await?;
        let told = service.next().await?;
        ensure!(told.path == "/page", "{told:?}");

        // Nobody looks at the page, and the browser gets the message.
        let away = browser.open_beside("data:text/html,away").await?;
        away.to_front().await?;
        let worker = tab.push_worker(&relay.url()).await?;
        let question = format!("peer: {}", asked["command"].as_str().context("no command")?);
        wait_until("the question's notice", async || {
            // The page may still have the focus, and then nothing is shown.
            tab.deliver_push(&worker, &told.message.to_string()).await.is_ok()
                && tab.evaluate::<Vec<String>>(SHOWN).await.is_ok_and(|shown| shown == [&*question])
        })
        .await?;
        // The page itself closes the notice once the session asks no more.
        decide(&agent, &asked, true, 200).await?;
        service.next().await?;
        until_shown(&tab, &[]).await?;
        let of_kind = |kind: &str| {
            let message = json!({
                "kind": kind, "session": agent.id, "approval": "approval_2", "name": "peer",
                "title": "Deploy",
            });
            message.to_string()
        };
        tab.deliver_push(&worker, &of_kind("answered")).await?;
        tab.deliver_push(&worker, &of_kind("asked")).await?;
        until_shown(&tab, &["peer: Deploy"]).await?;
        tab.deliver_push(&worker, &of_kind("answered")).await?;
        until_shown(&tab, &["peer: Answered"]).await?;
        // A message that is none is no failure.
        tab.deliver_push(&worker, "not JSON").await?;
        tab.to_front().await?;
        tab.reload().await?;
        until_shown(&tab, &[]).await?;
        tab.evaluate::<bool>(&subscribing(&service.subscription("page"))).await?;
        tab.click("[data-testid=menu-button]").await?;
        tab.evaluate::<bool>(PICK).await?;
        tab.until("its end", "localStorage.getItem('moorline.push') === null").await
    })
    .await
}
