//! What is sent while the relay is away, and what a reader is offered.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::proxy::Proxy;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::json;

use super::agents::{EDIT, agent, prompt, send, until_said};
use crate::chromium::{Browser, Tab};

const BUBBLE: &str = "[data-testid=unsent-prompt]";
/// The number of messages of the user.
const PROMPTS: &str = "document.querySelectorAll('[data-testid=user-message]').length";

async fn until_tone(tab: &Tab, tone: &str) -> Result<()> {
    let has = format!("document.querySelector('[data-testid=link]')?.dataset.tone === '{tone}'");
    tab.until(&format!("the link to be {tone}"), &has).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_is_not_sent_is_shown_and_outlives_its_page() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    let tunnel = Proxy::start(relay.address()).await?;
    let address = format!("{}/session/{id}", tunnel.url());
    Browser::run("a_prompt_that_is_not_sent", async |browser| {
        browser.expect_bad_network();
        let tab = browser.open(&address).await?;
        until_tone(&tab, "live").await?;
        tab.until_there("[data-testid=composer]").await?;
        tunnel.refuse(true);
        until_tone(&tab, "away").await?;
        send(&tab, "say one").await?;
        let told = tab.until_there(BUBBLE).await?;
        ensure!(told.contains("say one") && told.contains("Not sent yet"), "{told}");
        // Another one is taken back into the field.
        send(&tab, "say two").await?;
        let second = "document.querySelectorAll('[data-testid=take-back]')[1]";
        tab.until("the second prompt", &format!("!!{second}")).await?;
        tab.evaluate::<bool>(&format!("{second}.click(), true")).await?;
        let draft = "document.querySelector('[data-testid=composer]').value === 'say two'";
        tab.until("the draft", draft).await?;
        // The page ends before there is a connection.
        tab.go_to("about:blank").await?;
        tunnel.refuse(false);
        tab.go_to(&address).await?;
        until_said(&tab, "\none").await?;
        tab.until_gone(BUBBLE).await?;
        tab.until("the draft", draft).await?;
        tab.reload().await?;
        until_said(&tab, "\none").await?;
        ensure!(tab.evaluate::<u64>(PROMPTS).await? == 1, "it counted twice, or both were sent");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_network_is_told_within_seconds() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    let tunnel = Proxy::start(relay.address()).await?;
    Browser::run("a_silent_network_is_told", async |browser| {
        browser.expect_bad_network();
        let tab = browser.open(&format!("{}/session/{id}", tunnel.url())).await?;
        until_tone(&tab, "live").await?;
        tab.until_there("[data-testid=composer]").await?;
        tunnel.silence(true);
        send(&tab, "say one").await?;
        until_tone(&tab, "away").await?;
        let told = tab.until_there(BUBBLE).await?;
        ensure!(told.contains("not answered yet"), "{told}");
        tunnel.silence(false);
        until_tone(&tab, "live").await?;
        until_said(&tab, "\none").await?;
        tab.until_gone(BUBBLE).await?;
        ensure!(tab.evaluate::<u64>(PROMPTS).await? == 1, "the prompt counted twice");
        // What the browser itself knows is told at once.
        tunnel.silence(true);
        let told = "(async () => {
            window.dispatchEvent(new Event('offline'));
            for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
            return document.querySelector('[data-testid=link]').dataset.tone;
        })()";
        let tone: String = tab.evaluate(told).await?;
        ensure!(tone == "away", "{tone}");
        tunnel.silence(false);
        until_tone(&tab, "live").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_shown_a_question_and_not_asked() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    prompt(&relay, &id, EDIT).await?;
    let wish = json!({ "scope": format!("session:{id}:read") });
    let made = relay.api().expect(201, Method::POST, "/api/tokens", wish).await?;
    let token = made["token"].as_str().context("no token")?;
    Browser::run("a_reader_is_shown_a_question", async |browser| {
        let address = format!("{}/session/{id}#token={token}", relay.url());
        let tab = browser.open_exactly(&address).await?;
        let told = tab.until_there("[data-testid=cannot-decide]").await?;
        ensure!(told.contains("Somebody else must decide"), "{told}");
        let buttons = "document.querySelectorAll('[data-testid=allow], [data-testid=deny]').length";
        ensure!(tab.evaluate::<u64>(buttons).await? == 0, "a reader is offered a button");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_can_be_undone() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    let file = || std::fs::read_to_string(folder.path().join("lib.rs")).unwrap_or_default();
    let old = file();
    prompt(&relay, &id, EDIT).await?;
    Browser::run("a_revert_can_be_undone", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        tab.click("[data-testid=allow]").await?;
        wait_until("the change", async || file() != old).await?;
        let new = file();
        tab.click("[data-testid=review] summary").await?;
        tab.until_there("[data-testid=hunk]").await?;
        let named = "document.querySelector('[data-testid=hunk] [data-testid=revert]')\
                     .ariaLabel === 'Revert lib.rs, line 1'";
        tab.until("the name of the button", named).await?;
        tab.click("[data-testid=hunk] [data-testid=revert]").await?;
        wait_until("the old text", async || file() == old).await?;
        tab.click("[data-testid=undo-revert]").await?;
        wait_until("the new text", async || file() == new).await?;
        tab.until_gone("[data-testid=reverted]").await
    })
    .await
}
