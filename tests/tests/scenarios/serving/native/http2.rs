//! Browsers that have one connection by HTTP/2 for all of their tabs.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::expected;
use moorline_tests::secure::SecureRelay;
use reqwest::Method;
use serde_json::json;

use crate::chromium::Browser;
use crate::firefox::{self, Firefox};

/// Limit of a browser's connections: it may try one more than it needs.
const MOST_CONNECTIONS: usize = 2;
/// True on a page that came by HTTP/2.
const BY_HTTP2: &str = "performance.getEntriesByType('navigation')[0].nextHopProtocol === 'h2'";

/// Starts a session that counts what it is told.
async fn counter(relay: &SecureRelay) -> Result<String> {
    let wish = json!({"command": expected::counter(), "name": "counted"});
    let made = relay.http2().await?.call(Method::POST, "/api/sessions", &wish).await?.1;
    Ok(made["sessionId"].as_str().context("no id")?.to_owned())
}

async fn rename(relay: &SecureRelay, session: &str) -> Result<()> {
    let path = format!("/api/sessions/{session}");
    let renamed = json!({"name": "renamed for all"});
    let (status, answer) = relay.http2().await?.call(Method::PATCH, &path, &renamed).await?;
    ensure!(status == 200, "{status}: {answer}");
    Ok(())
}

/// The kinds of pages, each with what tells that its sockets are open.
fn pages(session: &str) -> [(String, &'static str); 3] {
    [
        (
            format!("/session/{session}"),
            "document.querySelector('[data-testid=stream]')?.dataset.tone === 'live'",
        ),
        (
            format!("/terminal/{session}"),
            "document.querySelector('[data-testid=status]')?.dataset.state === 'live'",
        ),
        ("/sessions".to_owned(), "document.body.innerText.includes('counted')"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_tabs_of_chromium_share_a_connection() -> Result<()> {
    let relay = SecureRelay::start().await?;
    let session = counter(&relay).await?;
    Browser::run_with_any_certificate("twelve_tabs_share_a_connection", async |browser| {
        let mut tabs = Vec::new();
        for (path, alive) in pages(&session).iter().cycle().take(12) {
            let tab = browser.open_beside(&format!("{}{path}", relay.url())).await?;
            tab.until(&format!("{path} to be alive"), alive).await?;
            tabs.push(tab);
        }
        ensure!(tabs[0].evaluate::<bool>(BY_HTTP2).await?, "it was not HTTP/2");
        let open = relay.connections()?;
        ensure!(open <= MOST_CONNECTIONS, "{open} connections");
        rename(&relay, &session).await?;
        for tab in &tabs {
            tab.to_front().await?;
            let script = "document.body.innerText.includes('renamed for all')";
            tab.until("the new name", script).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_of_firefox_share_a_connection() -> Result<()> {
    let relay = SecureRelay::start().await?;
    let session = counter(&relay).await?;
    let browser = Firefox::launch().await?;
    let mut tabs = Vec::new();
    for (path, alive) in pages(&session).iter().cycle().take(9) {
        let tab = browser.tab().await?;
        tab.go_to(&format!("{}{path}", relay.url())).await?;
        firefox::until(&tab, &format!("{path} to be alive"), alive).await?;
        tabs.push(tab);
    }
    ensure!(tabs[0].evaluate(BY_HTTP2).await? == true, "it was not HTTP/2");
    let open = relay.connections()?;
    ensure!(open <= MOST_CONNECTIONS, "{open} connections");
    rename(&relay, &session).await?;
    for tab in &tabs {
        let script = "document.body.innerText.includes('renamed for all')";
        firefox::until(tab, "the new name", script).await?;
    }
    browser.close().await
}
