//! Adding a passkey, and logging in by it.

use anyhow::{Result, ensure};
use moorline_tests::relay::TOKEN;
use moorline_tests::secure::SecureRelay;

use super::access::{LOG_IN, ensure_no_token, pick, type_into};
use super::look;
use super::steering::until_shown;
use crate::chromium::Browser;

const ROW: &str = "[data-testid=passkey-row]";

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_added_and_logs_in() -> Result<()> {
    let mut relay = SecureRelay::start().await?;
    let base = relay.url();
    let axe = look::axe()?;
    let outcome = Browser::run_with_any_certificate("a_passkey_is_added", async |browser| {
        // The browser reports each 401 on the console.
        browser.expect_bad_network();
        let tab = browser.open_exactly(&format!("{base}/access#token={TOKEN}")).await?;
        tab.until_there("[data-testid=passkeys-empty]").await?;
        tab.add_passkey_device().await?;
        type_into(&tab, "passkey-label", "phone").await?;
        tab.click("[data-testid=add-passkey]").await?;
        until_shown(&tab, ROW, "phone").await?;
        until_shown(&tab, ROW, "the relay's own token").await?;
        until_shown(&tab, ROW, "never used").await?;
        until_shown(&tab, ROW, "added just now").await?;
        until_shown(&tab, "[data-testid=passkey-note]", "is added").await?;
        tab.until_there("[data-testid=audit-row][data-kind=passkey-added]").await?;
        let found = look::scan(&tab, "/access", &axe).await?;
        ensure!(found.is_empty(), "{}", found.join("\n"));
        // The device has one for this token.
        tab.click("[data-testid=add-passkey]").await?;
        until_shown(&tab, "#passkey-label-problem", "for the same token already").await?;
        let note = "document.querySelector('[data-testid=passkey-note]').innerText";
        ensure!(tab.evaluate::<String>(note).await?.is_empty(), "it is both added and refused");

        pick(&tab, "log-out").await?;
        until_shown(&tab, LOG_IN, "Use a passkey").await?;
        tab.click("[data-testid=use-passkey]").await?;
        until_shown(&tab, ROW, "used just now").await?;
        ensure_no_token(&tab, TOKEN).await?;

        tab.click("[data-testid=remove-passkey]").await?;
        tab.until_gone(ROW).await?;
        pick(&tab, "log-out").await?;
        until_shown(&tab, LOG_IN, "Use a passkey").await?;
        tab.click("[data-testid=use-passkey]").await?;
        until_shown(&tab, "#token-problem", "does not accept this passkey").await?;

        // Browsers make no passkeys for addresses.
        let address = base.replace("localhost", "127.0.0.1");
        let tab = browser.open_exactly(&format!("{address}/sessions")).await?;
        until_shown(&tab, LOG_IN, "no access yet").await?;
        tab.until_gone("[data-testid=use-passkey]").await
    });
    let outcome = outcome.await;
    relay.kill().await?;
    outcome
}
