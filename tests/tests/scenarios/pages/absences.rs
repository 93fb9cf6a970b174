//! The relay or the host is away while somebody works with an agent: each step is shown as it is, and
//! nothing is lost.

use anyhow::{Result, ensure};
use moorline_tests::proxy::Proxy;
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::wait::wait_until;

use super::agents::{EDIT, agent, send, until_said};
use crate::chromium::{Browser, Tab};

const OLD: &str = "fn add() { 1 - 2 }\n";
const NEW: &str = "fn add() { 1 + 2 }\n";

/// Clicks on the button that forks after the first answer.
async fn press_fork(tab: &Tab) -> Result<()> {
    let button = "[data-testid=agent-message] [data-testid=fork-message]";
    tab.until("the button", &format!("document.querySelector('{button}').click(); true")).await
}

/// The number of messages of the user.
const PROMPTS: &str = "document.querySelectorAll('[data-testid=user-message]').length";

#[tokio::test(flavor = "multi_thread")]
async fn without_its_relay_a_page_says_at_each_step_what_is_not_done() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    let tunnel = Proxy::start(relay.address()).await?;
    let file = || std::fs::read_to_string(folder.path().join("lib.rs")).unwrap_or_default();
    Browser::run("without_its_relay", async |browser| {
        browser.expect_bad_network();
        let tab = browser.open(&format!("{}/session/{id}", tunnel.url())).await?;
        // While a prompt is sent.
        tab.until_there("[data-testid=composer]").await?;
        until_live(&tab).await?;
        tunnel.refuse(true);
        send(&tab, EDIT).await?;
        tab.until_there("[data-testid=unsent]").await?;
        tunnel.refuse(false);
        tab.until_there("[data-testid=approval]").await?;
        tab.until_gone("[data-testid=unsent]").await?;
        // While another one is queued.
        tunnel.refuse(true);
        send(&tab, "say two").await?;
        tab.until_there("[data-testid=unsent]").await?;
        tunnel.refuse(false);
        tab.until_there("[data-testid=queued]").await?;
        // While a question is answered.
        tunnel.refuse(true);
        tab.click("[data-testid=allow]").await?;
        tab.until_there("[data-testid=unsent]").await?;
        ensure!(file() == OLD, "it is done before it is allowed");
        tunnel.refuse(false);
        wait_until("the change", async || file() == NEW).await?;
        let decided = tab.until_there("[data-testid=decided]").await?;
        ensure!(decided.contains("Allowed"), "{decided}");
        until_said(&tab, "\ntwo").await?;
        ensure!(tab.evaluate::<u64>(PROMPTS).await? == 2, "a prompt arrived twice");
        // While a hunk is reverted.
        tab.click("[data-testid=review] summary").await?;
        tab.until_there("[data-testid=hunk]").await?;
        tunnel.refuse(true);
        tab.click("[data-testid=hunk] [data-testid=revert]").await?;
        let told = "document.querySelector('[data-testid=review-problem]').textContent !== ''";
        tab.until("why it is not reverted", told).await?;
        ensure!(file() == NEW, "it is reverted all the same");
        // While a fork starts.
        press_fork(&tab).await?;
        tab.until_there("[data-testid=problem]").await?;
        let path: String = tab.evaluate("location.pathname").await?;
        ensure!(path.ends_with(id.as_str()), "{path}");
        tunnel.refuse(false);
        until_live(&tab).await?;
        tab.click("[data-testid=hunk] [data-testid=revert]").await?;
        wait_until("the old text", async || file() == OLD).await?;
        tab.until_gone("[data-testid=review]").await?;
        press_fork(&tab).await?;
        tab.until("the fork", &format!("!location.pathname.endsWith('{id}')")).await?;
        until_said(&tab, "answer: allow_once").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_host_a_page_keeps_what_is_asked() -> Result<()> {
    // The native relay has a host of its own, which it starts again at once.
    let mut relay = Relay::start_as(Kind::Edge, Setup::default()).await?;
    let (id, folder) = agent(&relay).await?;
    let address = format!("{}/session/{id}", relay.url());
    let file = || std::fs::read_to_string(folder.path().join("lib.rs")).unwrap_or_default();
    let away = "[data-testid=host-away]";
    Browser::run("without_its_host", async |browser| {
        browser.expect_bad_network();
        let tab = browser.open(&address).await?;
        send(&tab, EDIT).await?;
        tab.until_there("[data-testid=approval]").await?;
        // While a prompt is queued, and while a question is answered.
        relay.kill_host().await?;
        tab.until_there(away).await?;
        send(&tab, "say two").await?;
        let queued = tab.until_there("[data-testid=queued]").await?;
        ensure!(queued.contains("waiting for the host"), "{queued}");
        tab.click("[data-testid=allow]").await?;
        let decided = tab.until_there("[data-testid=decided]").await?;
        ensure!(decided.contains("waiting for the host"), "{decided}");
        ensure!(file() == OLD, "nobody can have done it");
        relay.launch_host().await?;
        wait_until("the change", async || file() == NEW).await?;
        until_said(&tab, "\ntwo").await?;
        tab.until_gone(away).await?;
        ensure!(tab.evaluate::<u64>(PROMPTS).await? == 2, "a prompt arrived twice");
        // While a hunk is reverted, and while a fork starts.
        tab.click("[data-testid=review] summary").await?;
        tab.until_there("[data-testid=hunk]").await?;
        relay.kill_host().await?;
        tab.until_there(away).await?;
        tab.click("[data-testid=hunk] [data-testid=revert]").await?;
        let told = "document.querySelector('[data-testid=review-problem]').textContent !== ''";
        tab.until("why it is not reverted", told).await?;
        press_fork(&tab).await?;
        tab.until_there("[data-testid=problem]").await?;
        ensure!(file() == NEW, "it is reverted all the same");
        relay.launch_host().await?;
        tab.until_gone(away).await?;
        tab.click("[data-testid=hunk] [data-testid=revert]").await?;
        wait_until("the old text", async || file() == OLD).await?;
        tab.until_gone("[data-testid=review]").await?;
        press_fork(&tab).await?;
        tab.until("the fork", &format!("!location.pathname.endsWith('{id}')")).await?;
        until_said(&tab, "answer: allow_once").await
    })
    .await
}

async fn until_live(tab: &Tab) -> Result<()> {
    let live = "document.querySelector('[data-testid=link]').dataset.tone === 'live'";
    tab.until("the link", live).await
}
