//! The relay away, tokens that end, and what the plugin keeps.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use moorline_tests::expected;
use moorline_tests::relay::TOKEN;
use reqwest::Method;
use serde_json::json;

use super::{Vault, draw, run, unload, until_shown};
use crate::chromium::Browser;

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_away_is_shown_and_comes_back() -> Result<()> {
    let mut vault = Vault::start().await?;
    let session = vault.relay.api().run_ready(expected::counter()).await?;
    vault.adopt(&session).await?;
    Browser::run_with_frames("a_relay_that_is_away", async |browser| {
        browser.expect_bad_network();
        let tab = vault.open(browser, TOKEN).await?;
        draw(&tab, &format!("```moorline\nsession: {session}\n```\n")).await?;
        until_shown(&tab, ".moorline-screen", "ready").await?;
        tab.click(".moorline-preview").await?;
        tab.until_framed_text("ready").await?;
        run(&tab, "show-sessions").await?;
        let row = format!(".moorline-row[data-session='{session}']");
        tab.until_there(&row).await?;
        tab.until_there(".moorline-banner[data-state=live]").await?;
        vault.relay.kill().await?;
        tab.until_there(".moorline-banner[data-state=offline]").await?;
        until_shown(&tab, ".moorline-banner", "Offline").await?;
        until_shown(&tab, ".moorline-block .moorline-notice", "Offline").await?;
        // What was last known stays.
        tab.until_there(&row).await?;
        vault.relay.launch().await?;
        // As when the network is back: no need to wait for the next attempt.
        tab.evaluate::<bool>("dispatchEvent(new Event('online'))").await?;
        tab.until_there(".moorline-banner[data-state=live]").await?;
        vault.relay.api().prompt(&session, "again").await?;
        tab.until_framed_text("1:again").await?;
        unload(&tab).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_blanks_the_frame_and_the_settings_say_so() -> Result<()> {
    let vault = Vault::start().await?;
    let session = vault.relay.api().run_ready(expected::counter()).await?;
    vault.adopt(&session).await?;
    let api = vault.relay.api();
    let scope = format!("project:{}:write", vault.project().await?);
    let wish = json!({ "scope": scope, "label": "a vault" });
    let made = api.expect(201, Method::POST, "/api/tokens", wish).await?;
    let token = made["token"].as_str().context("no token")?;
    let id = made["id"].as_str().context("no id")?;
    Browser::run_with_frames("a_revoked_token_blanks_the_frame", async |browser| {
        browser.expect_bad_network();
        let tab = vault.open(browser, token).await?;
        draw(&tab, &format!("```moorline\nsession: {session}\n```\n")).await?;
        until_shown(&tab, ".moorline-screen", "ready").await?;
        tab.click(".moorline-preview").await?;
        tab.until_framed_text("ready").await?;
        run(&tab, "show-sessions").await?;
        tab.until_there(".moorline-banner[data-state=live]").await?;
        tab.evaluate::<bool>("standIn.settings()").await?;
        let data: String = tab.evaluate("standIn.data()").await?;
        ensure!(!data.contains(token) && data.contains("tokenSecret"), "{data}");
        tab.evaluate::<bool>("standIn.closeSettings()").await?;

        api.expect(200, Method::DELETE, &format!("/api/tokens/{id}"), json!({})).await?;
        let revoked = Instant::now();
        let blank = "document.querySelector('.xterm') === null && !document.body.innerText.includes('ready')";
        tab.until_in_frame("nothing of the session", blank).await?;
        let took = revoked.elapsed();
        ensure!(took < Duration::from_secs(2), "blank after {took:?}");
        tab.until_there(".moorline-banner[data-state=refused]").await?;
        let kept = "document.querySelector('.moorline-block .moorline-screen').textContent";
        tab.until("nothing kept", &format!("{kept} === ''")).await?;
        tab.until_gone(".moorline-row").await?;
        tab.evaluate::<bool>("standIn.settings()").await?;
        until_shown(&tab, ".moorline-connection", "expired or was revoked").await?;
        tab.click(".moorline-connection button").await?;
        until_shown(&tab, ".moorline-connection .moorline-bad", "does not accept the token").await?;

        // Another secret brings everything back.
        tab.evaluate::<bool>(&format!("(standIn.secret('other', {TOKEN:?}), standIn.settings())")).await?;
        let pick = "(() => { const list = document.querySelector('select.secret'); list.value = 'other';
            list.dispatchEvent(new Event('change')); return true; })()";
        tab.evaluate::<bool>(pick).await?;
        tab.evaluate::<bool>("standIn.settings()").await?;
        tab.click(".moorline-connection button").await?;
        until_shown(&tab, ".moorline-connection", "Changes arrive at once").await?;
        until_shown(&tab, ".moorline-connection", "project \"Garden\"").await?;
        tab.evaluate::<bool>("standIn.closeSettings()").await?;
        tab.until_framed_text("ready").await?;
        let data: String = tab.evaluate("standIn.data()").await?;
        ensure!(!data.contains(TOKEN) && data.contains("\"other\""), "{data}");
        unload(&tab).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_does_not_trust_the_window_is_polled() -> Result<()> {
    let vault = Vault::start_with(false).await?;
    let session = vault.relay.api().run_ready(expected::counter()).await?;
    vault.adopt(&session).await?;
    Browser::run_with_frames("a_relay_that_does_not_trust", async |browser| {
        // The browser reports the socket that is refused.
        browser.expect_bad_network();
        let tab = vault.open(browser, TOKEN).await?;
        run(&tab, "show-sessions").await?;
        tab.until_there(".moorline-banner[data-state=polling]").await?;
        tab.click(&format!(".moorline-row[data-session='{session}'] .moorline-row-main")).await?;
        tab.until_framed_text("ready").await?;
        vault.relay.api().run_ready(expected::shell()).await?;
        tab.click("[aria-label='Back to the list']").await?;
        let other = vault.relay.api().run_ready(expected::counter()).await?;
        vault.adopt(&other).await?;
        tab.until_there(&format!(".moorline-row[data-session='{other}']")).await?;
        tab.evaluate::<bool>("standIn.settings()").await?;
        tab.click(".moorline-connection button").await?;
        until_shown(&tab, ".moorline-connection", "--allow-origin http://notes.test:").await?;
        tab.evaluate::<bool>("standIn.closeSettings()").await?;
        unload(&tab).await
    })
    .await
}
