//! Logging in and out, and the page of tokens.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::rest::{TokenList, TokenSummary};
use moorline_tests::expected;
use moorline_tests::relay::{Relay, TOKEN};
use moorline_tests::wait::{wait_for, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

use super::steering::until_shown;
use super::{look, start};
use crate::chromium::{Browser, NAME, Tab};

pub(super) const LOG_IN: &str = "[data-testid=log-in]";
const ROW: &str = "[data-testid=session-row]";
/// Everything that a script can read of the browser's access.
const READABLE: &str = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, \
                        location.href])";

/// The address of a relay under a name that is not this machine's own: there it gives cookies.
pub(super) fn named(relay: &Relay) -> String {
    relay.url().replace("127.0.0.1", NAME)
}

/// Returns the status of a request of the page without a token.
pub(super) async fn status(tab: &Tab) -> Result<u16> {
    tab.evaluate("fetch('/api/login').then(answer => answer.status)").await
}

pub(super) async fn ensure_no_token(tab: &Tab, token: &str) -> Result<()> {
    let readable: String = tab.evaluate(READABLE).await?;
    ensure!(!readable.contains(token), "a script can read the token: {readable}");
    ensure!(tab.evaluate::<String>("document.cookie").await?.is_empty(), "the cookie is readable");
    ensure!(status(tab).await? == 200, "the browser has no cookie");
    Ok(())
}

async fn paste_token(tab: &Tab, token: &str) -> Result<()> {
    tab.click("[data-testid=token]").await?;
    tab.type_text(token).await?;
    tab.press("Enter").await
}

/// Picks an entry of the page's menu.
pub(super) async fn pick(tab: &Tab, entry: &str) -> Result<()> {
    tab.click("[data-testid=menu-button]").await?;
    tab.click(&format!("[data-testid={entry}]")).await
}

/// Chooses an option of a select box by its value, once it is there.
async fn choose(tab: &Tab, name: &str, value: &str) -> Result<()> {
    let script = format!(
        "(() => {{
            const select = document.querySelector('[data-testid={name}]');
            if (![...select?.options ?? []].some(option => option.value === '{value}')) return false;
            select.value = '{value}';
            return select.dispatchEvent(new Event('change', {{ bubbles: true }}));
        }})()"
    );
    tab.until(&format!("the option {value} of {name}"), &script).await
}

async fn make(relay: &Relay, scope: &str, label: &str) -> Result<String> {
    let wish = json!({"scope": scope, "label": label});
    let made = relay.api().expect(201, Method::POST, "/api/tokens", wish).await?;
    Ok(made["token"].as_str().context("no token")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_exchanged_for_a_cookie_that_scripts_cannot_read() -> Result<()> {
    let relay = start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let base = named(&relay);
    Browser::run("a_token_is_exchanged_for_a_cookie", async |browser| {
        // The browser reports each 401 on the console.
        browser.expect_bad_network();
        let tab = browser.open_exactly(&format!("{base}/sessions")).await?;
        until_shown(&tab, LOG_IN, "no access yet").await?;
        paste_token(&tab, "a-wrong-token-that-is-long-enough-0123456789").await?;
        until_shown(&tab, "#token-problem", "does not accept this token").await?;
        tab.evaluate::<bool>("document.querySelector('[data-testid=token]').value = ''; true")
            .await?;
        paste_token(&tab, TOKEN).await?;
        tab.until_there(ROW).await?;
        ensure_no_token(&tab, TOKEN).await?;

        // Its sockets are let in by the cookie too, after a reload as before.
        tab.go_to(&format!("{base}/terminal/{session}")).await?;
        tab.until_text("ready").await?;
        tab.reload().await?;
        tab.until_text("ready").await?;
        ensure_no_token(&tab, TOKEN).await?;
        // A page for frames uses nothing that the browser has.
        tab.go_to(&format!("{base}/embed/terminal/{session}")).await?;
        tab.until_there("[data-testid=embed-waiting]").await?;

        tab.go_to(&format!("{base}/sessions")).await?;
        tab.until_there(ROW).await?;
        pick(&tab, "log-out").await?;
        until_shown(&tab, LOG_IN, "You are logged out").await?;
        ensure!(status(&tab).await? == 401, "the cookie is still valid");
        tab.reload().await?;
        until_shown(&tab, LOG_IN, "You are logged out").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_everywhere_ends_other_browsers_pages() -> Result<()> {
    let relay = start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let token = make(&relay, "admin", "laptop").await?;
    let base = named(&relay);
    Browser::run("logging_out_everywhere", async |browser| {
        browser.expect_bad_network();
        let open =
            async |path: &str| browser.open_exactly(&format!("{base}{path}#token={token}")).await;
        let terminal = open(&format!("/terminal/{session}")).await?;
        terminal.until_text("ready").await?;
        let other = open("/sessions").await?;
        other.until_there(ROW).await?;
        for tab in [&terminal, &other] {
            ensure_no_token(tab, &token).await?;
        }
        pick(&other, "log-out-everywhere").await?;
        until_shown(&other, "dialog[open]", "The token itself stays valid").await?;
        other.click("[data-testid=confirm]").await?;
        until_shown(&other, LOG_IN, "every other one").await?;
        until_shown(&terminal, LOG_IN, "access has ended").await?;
        ensure!(status(&terminal).await? == 401, "the other browser's cookie is still valid");
        // The page goes on where it was once somebody logs in.
        paste_token(&terminal, &token).await?;
        terminal.until_text("ready").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_token_is_exchanged_and_the_cookie_renewed() -> Result<()> {
    let relay = start().await?;
    relay.api().run_ready(expected::counter()).await?;
    let base = named(&relay);
    Browser::run("a_stored_token_is_exchanged", async |browser| {
        // A page that is not one of Moorline's has no icon.
        browser.expect_bad_network();
        let tab = browser.open_exactly(&format!("{base}/healthz")).await?;
        let store = format!("localStorage.setItem('moorline.token', '{TOKEN}'); true");
        tab.evaluate::<bool>(&store).await?;
        tab.go_to(&format!("{base}/sessions")).await?;
        tab.until_there(ROW).await?;
        ensure_no_token(&tab, TOKEN).await?;
        tab.evaluate::<bool>("localStorage.setItem('moorline.cookie', '1'); true").await?;
        tab.reload().await?;
        tab.until_there(ROW).await?;
        tab.until("a renewal", "Number(localStorage.getItem('moorline.cookie')) > 1").await?;

        // On loopback every other server would get a cookie: there the page keeps the token.
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        tab.until_there(ROW).await?;
        let kept = "localStorage.getItem('moorline.token')";
        ensure!(tab.evaluate::<String>(kept).await? == TOKEN, "the token was not kept");
        pick(&tab, "log-out").await?;
        until_shown(&tab, LOG_IN, "You are logged out").await?;
        ensure!(
            tab.evaluate::<bool>(&format!("{kept} === null")).await?,
            "the token is still there"
        );
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_blocks_cookies_is_let_in() -> Result<()> {
    let relay = start().await?;
    relay.api().run_ready(expected::counter()).await?;
    Browser::run_with_frames("a_browser_that_blocks_cookies", async |browser| {
        browser.expect_bad_network();
        let address = format!("{}/sessions#token={TOKEN}", named(&relay));
        let tab = browser.open_in_profile(&address).await?;
        tab.until_there(ROW).await?;
        ensure!(status(&tab).await? == 401, "the browser has a cookie");
        Ok(())
    })
    .await
}

async fn listed(relay: &Relay, label: &str) -> Result<TokenSummary> {
    wait_for(&format!("the token {label}"), async || {
        let list: TokenList = relay.api().get("/api/tokens").await.ok()?;
        list.tokens.into_iter().find(|token| token.label.as_deref() == Some(label))
    })
    .await
}

pub(super) async fn type_into(tab: &Tab, field: &str, text: &str) -> Result<()> {
    tab.click(&format!("[data-testid={field}]")).await?;
    let select = format!("document.querySelector('[data-testid={field}]').select(); true");
    tab.evaluate::<bool>(&select).await?;
    tab.type_text(text).await
}

/// Makes a token for a session on the page, and returns its secret.
async fn make_on_page(tab: &Tab, session: &SessionId) -> Result<String> {
    tab.click("[data-testid=new-token]").await?;
    tab.until_there("[data-testid=token-form]").await?;
    type_into(tab, "token-label", "phone").await?;
    tab.click("[data-testid=save-token]").await?;
    until_shown(tab, "[data-testid=token-problem]", "Choose a session.").await?;
    choose(tab, "token-session", session.as_str()).await?;
    choose(tab, "token-expiry", "86400000").await?;
    tab.click("[data-testid=save-token]").await?;
    tab.until_there("[data-testid=token-secret]").await?;
    let value = |name: &str| format!("document.querySelector('[data-testid={name}]').value");
    let (secret, link): (String, String) =
        (tab.evaluate(&value("token-secret")).await?, tab.evaluate(&value("token-link")).await?);
    ensure!(link.ends_with(&format!("/terminal/{session}#token={secret}")), "{link}");
    tab.click("[data-testid=done]").await?;
    tab.until_gone("[data-testid=token-secret]").await?;
    let page: String = tab.evaluate("document.documentElement.outerHTML").await?;
    ensure!(!page.contains(&secret), "the page still has the secret");
    Ok(secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_changed_and_revoked_on_a_phone() -> Result<()> {
    let relay = start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let axe = look::axe()?;
    Browser::run("tokens_are_made_changed_and_revoked", async |browser| {
        let tab =
            browser.open_exactly(&format!("{}/sessions#token={TOKEN}", named(&relay))).await?;
        tab.resize(390, 780, true).await?;
        tab.until_there(ROW).await?;
        pick(&tab, "access").await?;
        tab.until_there("[data-testid=audit-row]").await?;
        let secret = make_on_page(&tab, &session).await?;
        let holder = relay.api().with_token(Some(&secret));
        let path = format!("/api/session/{session}/status");
        holder.expect(200, Method::GET, &path, Value::Null).await?;
        let phone = listed(&relay, "phone").await?;
        ensure!(phone.scope == format!("session:{session}:read"), "{phone:?}");
        ensure!(phone.expires_at.is_some(), "{phone:?}");
        let row = format!("[data-testid=token-row][data-token='{}']", phone.id);
        until_shown(&tab, &row, "only read").await?;
        until_shown(&tab, &row, "expires in").await?;

        // With the keyboard alone.
        let focus =
            format!("document.querySelector(\"{row} [data-testid=change-token]\").focus(); true");
        tab.evaluate::<bool>(&focus).await?;
        tab.press("Enter").await?;
        tab.until_there("[data-testid=token-form]").await?;
        type_into(&tab, "token-label", "tablet").await?;
        choose(&tab, "token-rights", "write").await?;
        tab.press("Enter").await?;
        until_shown(&tab, &row, "tablet").await?;
        until_shown(&tab, &row, "read and write").await?;
        until_shown(&tab, "[data-testid=access-note]", "tablet is changed").await?;
        ensure!(listed(&relay, "tablet").await?.expires_at == phone.expires_at, "another expiry");
        tab.click(&format!("{row} [data-testid=change-token]")).await?;
        choose(&tab, "token-expiry", "never").await?;
        tab.click("[data-testid=token-form] button.primary").await?;
        until_shown(&tab, &row, "valid until it is revoked").await?;
        ensure!(listed(&relay, "tablet").await?.expires_at.is_none(), "it expires");

        for width in [320, 390, 1280] {
            tab.resize(width, 780, width < 500).await?;
            let fits = "document.documentElement.scrollWidth <= innerWidth";
            tab.until("the page to fit", fits).await?;
        }
        let mut found = look::scan(&tab, "/access", &axe).await?;
        tab.resize(390, 780, true).await?;
        tab.click(&format!("{row} [data-testid=revoke-token]")).await?;
        until_shown(&tab, "dialog[open]", "every other connection that it has opened").await?;
        found.extend(look::scan(&tab, "the question", &axe).await?);
        ensure!(found.is_empty(), "{}", found.join("\n"));
        tab.click("[data-testid=confirm-revoke]").await?;
        tab.until_gone(&row).await?;
        holder.expect(401, Method::GET, &path, Value::Null).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_shown_by_kind_and_page() -> Result<()> {
    let relay = start().await?;
    for number in 0..60 {
        make(&relay, "host", &format!("machine {number}")).await?;
    }
    let path = format!("/api/tokens/{}", listed(&relay, "machine 7").await?.id);
    relay.api().expect(200, Method::DELETE, &path, Value::Null).await?;
    wait_until("the revocation in the audit", async || {
        let revoked = relay.api().get::<Value>("/api/audit?kinds=revoked").await;
        revoked.is_ok_and(|list| list["events"].as_array().is_some_and(|all| !all.is_empty()))
    })
    .await?;
    Browser::run("the_audit_is_shown_by_kind_and_page", async |browser| {
        browser.expect_bad_network();
        let base = named(&relay);
        let tab = browser.open_exactly(&format!("{base}/access#token={TOKEN}")).await?;
        tab.until_there("[data-testid=audit-row]").await?;
        choose(&tab, "audit-kinds", "shared,changed,revoked").await?;
        let count = |count: usize| {
            format!("document.querySelectorAll('[data-testid=audit-row]').length === {count}")
        };
        let newest = "[...document.querySelectorAll('[data-testid=audit-row]')]
            .slice(0, 2).map(row => row.dataset.kind).join() === 'revoked,shared'";
        tab.until("the events of tokens", newest).await?;
        tab.until("the first page", &count(50)).await?;
        tab.click("[data-testid=older-events]").await?;
        tab.until("all of them", &count(61)).await?;
        tab.until_gone("[data-testid=older-events]").await?;
        choose(&tab, "audit-kinds", "decided").await?;
        tab.until_there("[data-testid=no-events]").await?;

        // Others learn what their token allows.
        let host = make(&relay, "host", "another machine").await?;
        let tab = browser.open_exactly(&format!("{base}/access#token={host}")).await?;
        until_shown(&tab, "[data-testid=no-admin]", "This browser's token is for: Host").await
    })
    .await
}
