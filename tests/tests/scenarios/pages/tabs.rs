//! Many tabs of one browser: over HTTP/1.1 it opens six connections to a server for all of them.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::expected;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::json;

use crate::chromium::{Browser, Tab};

/// What a tab shows when its page is alive, on each kind of page.
const ALIVE: [(&str, &str); 3] = [
    ("/terminal/", "document.querySelector('[data-testid=status]')?.dataset.state === 'live'"),
    ("/session/", "document.querySelector('[data-testid=stream]')?.dataset.tone === 'live'"),
    ("/sessions", "document.querySelectorAll('[data-testid=session-row]').length > 0"),
];

async fn until_alive(tab: &Tab, path: &str) -> Result<()> {
    let sign =
        ALIVE.iter().find(|(kind, _)| path.starts_with(kind)).map_or("true", |found| found.1);
    tab.until(&format!("{path} to be alive"), sign).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_tabs_of_every_kind_work() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run_ready(expected::counter()).await?;
    Browser::run("nine_tabs_of_every_kind_work", async |browser| {
        let paths =
            [format!("/session/{session}"), format!("/terminal/{session}"), "/sessions".to_owned()];
        let mut tabs = Vec::new();
        for path in paths.iter().cycle().take(9) {
            let tab = browser.open_beside(&format!("{}{path}", relay.url())).await?;
            until_alive(&tab, path).await?;
            tabs.push((tab, path));
        }
        // A tab that is frozen or has crashed takes nothing from the others. The browser closes the sockets
        // of a frozen tab, and reports that on its console.
        browser.expect_bad_network();
        let (crashed, _) = tabs.remove(0);
        crashed.crash();
        let (frozen, frozen_path) = tabs.remove(0);
        frozen.freeze().await?;
        api.prompt(&session, "to-all").await?;
        api.expect(
            200,
            reqwest::Method::PATCH,
            &format!("/api/sessions/{session}"),
            serde_json::json!({"name": "renamed for all"}),
        )
        .await?;
        for (tab, path) in &tabs {
            tab.to_front().await?;
            let shows = if path.starts_with("/terminal") { "1:to-all" } else { "renamed for all" };
            let script = format!("document.body.innerText.includes({shows:?})");
            let what = format!("{path} to show {shows}");
            let shown = async || tab.evaluate::<bool>(&script).await.is_ok_and(|shown| shown);
            wait_until(&what, shown).await?;
        }
        let (terminal, _) =
            tabs.iter().find(|(_, path)| path.starts_with("/terminal")).unwrap_or(&tabs[0]);
        terminal.to_front().await?;
        terminal.click("[data-testid=terminal]").await?;
        terminal.type_text("typed\n").await?;
        terminal.until_text("2:typed").await?;
        // Requests have connections left.
        let answers = "Promise.all([...Array(6)].map(() => fetch('/healthz').then(a => a.ok)))
            .then(all => all.every(Boolean))";
        ensure!(terminal.evaluate::<bool>(answers).await?, "a request fails");
        // The frozen tab goes on where it was.
        frozen.thaw().await?;
        frozen.to_front().await?;
        until_alive(&frozen, frozen_path).await?;
        frozen.until_text("2:typed").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_on_two_sessions_never_mix() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let mut sessions = Vec::new();
    for name in ["first one", "second one"] {
        let wish = json!({"name": name, "command": expected::counter()});
        let created = api.expect(201, Method::POST, "/api/sessions", wish).await?;
        sessions.push(created["sessionId"].as_str().context("no id")?.to_owned());
    }
    Browser::run("two_tabs_on_two_sessions_never_mix", async |browser| {
        let mut tabs = Vec::new();
        for id in &sessions {
            tabs.push(browser.open(&format!("{}/session/{id}", relay.url())).await?);
        }
        api.prompt(&sessions[0].parse()?, "to-the-first").await?;
        api.prompt(&sessions[1].parse()?, "to-the-second").await?;
        let shows = |text: &str| format!("document.body.innerText.includes({})", json!(text));
        for (tab, own, other) in [
            (&tabs[0], "1:to-the-first", "to-the-second"),
            (&tabs[1], "1:to-the-second", "to-the-first"),
        ] {
            tab.until(own, &shows(own)).await?;
            ensure!(!tab.evaluate::<bool>(&shows(other)).await?, "{other} is on the page of {own}");
        }
        // The address alone tells: the same tab on the other session shows the other one.
        tabs[0].go_to(&format!("{}/session/{}", relay.url(), sessions[1])).await?;
        tabs[0].until("the other session", &shows("1:to-the-second")).await?;
        ensure!(!tabs[0].evaluate::<bool>(&shows("to-the-first")).await?);
        Ok(())
    })
    .await
}
