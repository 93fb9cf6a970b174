//! Event streams in a browser's own hands, and what every page must be: usable by all, at any width.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::session::Lifecycle;
use moorline_tests::expected;
use moorline_tests::front::Front;
use moorline_tests::proxy::Proxy;
use moorline_tests::relay::{Relay, Setup, TOKEN};
use moorline_tests::wait::wait_until;
use serde_json::{Value, json};

use super::chromium::{Browser, NAME, Tab};

mod absences;
mod access;
pub(crate) mod agents;
mod composing;
mod conversation;
mod details;
mod drivers;
mod extremes;
mod failures;
mod files;
mod hands;
mod journey;
mod leaving;
mod list;
mod look;
mod passkeys;
mod pods;
mod questions;
mod steering;
mod tabs;
mod terminals;
mod tmux;
mod unsent;

const SEED_CLIENT: &str = include_str!("pages/seed_client.js");

/// A relay that is known by a name that is not this machine's own: under such a one it gives cookies.
async fn start() -> Result<Relay> {
    let variables = vec![("MOORLINE_ALLOW_HOST".to_owned(), NAME.to_owned())];
    Relay::start_with(Setup { variables, ..Setup::default() }).await
}

/// An empty page of this origin, under [`NAME`], with the cookie.
async fn signed_in(browser: &Browser, base: &str) -> Result<Tab> {
    let base = base.replace("127.0.0.1", NAME);
    let tab = browser.open_exactly(&format!("{base}/healthz")).await?;
    let login = format!(
        "fetch('/api/login', {{method: 'POST', headers: {{Authorization: 'Bearer {TOKEN}'}}}})
            .then(answer => answer.ok)"
    );
    ensure!(tab.evaluate::<bool>(&login).await?, "no cookie for the token");
    Ok(tab)
}

async fn until(tab: &Tab, what: &str, script: &str) -> Result<()> {
    let waited = tab.until(what, script).await;
    let seen: Value = tab.evaluate("window.seen ?? null").await?;
    waited.with_context(|| seen.to_string())
}

async fn until_live(relay: &Relay, session: &SessionId) -> Result<()> {
    let api = relay.api();
    wait_until("the session's host", async || {
        api.status(session).await.is_ok_and(|now| now.summary.lifecycle == Lifecycle::Live)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_only_the_document_works() -> Result<()> {
    let mut relay = start().await?;
    let session: SessionId = "test-session-1763720000000".parse()?;
    let wish = json!({"sessionId": session, "command": expected::shell()});
    relay.api().expect(201, reqwest::Method::POST, "/api/sessions", wish).await?;
    Browser::run("a_client_that_knows_only_the_document_works", async |browser| {
        browser.expect_bad_network();
        let tab = signed_in(browser, &relay.url()).await?;
        // The document's own test of the whole.
        let test = format!(
            "window.seen = [];
            window.source = new EventSource('/api/session/{session}/events');
            source.addEventListener('connected', (event) => {{
                seen.push(JSON.parse(event.data));
                fetch('/api/session/{session}/prompt', {{
                    method: 'POST',
                    headers: {{ 'Content-Type': 'application/json' }},
                    body: JSON.stringify({{ command: 'echo test' }}),
                }});
            }});
            source.addEventListener('session-output', (event) => {{
                seen.push(JSON.parse(event.data));
                if (seen.map(data => data.content).join('').includes('\\ntest')) source.close();
            }}); true"
        );
        tab.evaluate::<bool>(&test).await?;
        until(&tab, "the answer", "source.readyState === EventSource.CLOSED").await?;
        let seen: Vec<Value> = tab.evaluate("seen").await?;
        ensure!(seen[0]["type"] == "connected", "{seen:?}");
        ensure!(seen[1]["type"] == "session-output", "{seen:?}");

        // Its client, and the page that it is for.
        tab.evaluate::<bool>(&format!("{SEED_CLIENT}; true")).await?;
        let page = format!(
            "window.seen = {{ text: '', states: [] }};
            window.stream = new SessionEventStream('{session}', {{ reconnectInterval: 100 }});
            stream.on('output', (data) => {{ seen.text += data.content; }});
            stream.on('status', (data) => seen.states.push(data.status));
            stream.on('connected', () => seen.states.push('connected'));
            stream.on('reconnecting', (data) => seen.states.push('reconnecting'));
            stream.on('disconnected', (data) => seen.states.push('gone'));
            window.sendCommand = async (command) => {{
                const response = await fetch(`/api/session/{session}/prompt`, {{
                    method: 'POST',
                    headers: {{ 'Content-Type': 'application/json' }},
                    body: JSON.stringify({{ command }}),
                }});
                return (await response.json()).success === true;
            }}; true"
        );
        tab.evaluate::<bool>(&page).await?;
        until(
            &tab,
            "a connection",
            "seen.states.includes('running') || seen.states.includes('idle')",
        )
        .await?;
        ensure!(tab.evaluate::<bool>("sendCommand('echo $((6*7)) é')").await?);
        until(&tab, "the output", "seen.text.includes('42 é')").await?;
        relay.stop().await?;
        until(&tab, "the loss", "seen.states.includes('reconnecting')").await?;
        relay.launch().await?;
        until_live(&relay, &session).await?;
        // It comes back without the last id, so it gets what is put out from then on.
        let is_back = "seen.states.lastIndexOf('connected') > seen.states.indexOf('reconnecting')";
        until(&tab, "the connection after the loss", is_back).await?;
        ensure!(tab.evaluate::<bool>("sendCommand('echo $((6*8)) è')").await?);
        until(&tab, "more output", "seen.text.includes('48 è')").await?;
        relay.api().delete(&session).await?;
        until(&tab, "the end of it all", "seen.states.at(-1) === 'gone'").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_source_goes_on_after_the_relays_restart() -> Result<()> {
    let relay = start().await?;
    let proxy = Proxy::start(relay.address()).await?;
    let base = proxy.url();
    goes_on("an_event_source_goes_on", relay, &proxy, &base).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_source_behind_nginx_goes_on_after_the_relays_restart() -> Result<()> {
    let relay = start().await?;
    let proxy = Proxy::start(relay.address()).await?;
    let front = Front::nginx(proxy.address()).await?;
    let base = front.url();
    goes_on("an_event_source_behind_nginx", relay, &proxy, &base).await
}

async fn goes_on(name: &str, mut relay: Relay, proxy: &Proxy, base: &str) -> Result<()> {
    let session = relay.api().run_ready(expected::counter()).await?;
    Browser::run(name, async |browser| {
        browser.expect_bad_network();
        let tab = signed_in(browser, base).await?;
        let follow = format!(
            "window.seen = {{ text: '', ids: [], opened: 0, states: [], gaps: 0 }};
            window.source = new EventSource('/api/session/{session}/events?lastEventId=0');
            source.addEventListener('connected', () => {{ seen.opened += 1; }});
            source.addEventListener('gap', () => {{ seen.gaps += 1; }});
            source.addEventListener('session-status', (event) => {{
                seen.states.push(JSON.parse(event.data).status);
            }});
            source.addEventListener('session-output', (event) => {{
                seen.text += JSON.parse(event.data).content;
                seen.ids.push(event.lastEventId);
            }}); true"
        );
        tab.evaluate::<bool>(&follow).await?;
        let mut lines = 0;
        let mut expected = "ready\r\n".to_owned();
        let mut say = async |count: usize| -> Result<String> {
            for _ in 0..count {
                lines += 1;
                relay.api().prompt(&session, "x").await?;
                expected.push_str(&format!("{lines}:x\r\n"));
            }
            Ok(expected.clone())
        };
        let shows = |text: &str| format!("seen.text === {}", json!(text));
        until(&tab, "the first lines", &shows(&say(5).await?)).await?;
        // Cut off in the middle; what is said meanwhile comes after.
        for opened in 2..=3 {
            proxy.refuse(true);
            let all = say(5).await?;
            proxy.refuse(false);
            until(&tab, "what was missed", &shows(&all)).await?;
            ensure!(tab.evaluate::<u64>("seen.opened").await? >= opened);
        }
        // The same while the relay is killed and started again.
        proxy.refuse(true);
        let all = say(5).await?;
        relay.kill().await?;
        relay.launch().await?;
        proxy.refuse(false);
        until(&tab, "what was missed", &shows(&all)).await?;
        // When the session is over the browser is told, and stays away.
        relay.api().delete(&session).await?;
        until(&tab, "the end", "source.readyState === EventSource.CLOSED").await?;
        let (ids, gaps): (Vec<String>, u64) = tab.evaluate("[seen.ids, seen.gaps]").await?;
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        ensure!(distinct.len() == ids.len() && gaps == 0, "{gaps} gaps in {ids:?}");
        ensure!(tab.evaluate::<String>("seen.text").await? == all);
        Ok(())
    })
    .await
}
