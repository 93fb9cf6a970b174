//! Pages whose access ends or changes: by a log-out in another tab, by a change of the token, and in a
//! browser that stores nothing.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use moorline_shared::rest::Ticket;
use moorline_tests::expected;
use moorline_tests::relay::{Relay, TOKEN};
use reqwest::Method;
use serde_json::{Value, json};

use super::access::{LOG_IN, named, pick, status};
use super::start;
use super::steering::until_shown;
use crate::chromium::{Browser, Tab};

const ROW: &str = "[data-testid=session-row]";
/// The time within which a log-out ends another tab: a second, and more on a busy machine.
const SOON: Duration = Duration::from_secs(4);
const PROBLEM: &str = "#token-problem";
/// Holds the answer to the next renewal of the cookie until `release` is called.
const HOLD_RENEWAL: &str = "(() => {
    const send = window.fetch;
    window.fetch = async (request, ...more) => {
        const answer = await send(request, ...more);
        if (request.method !== 'POST' || !request.url.includes('/api/login')) return answer;
        window.fetch = send;
        window.isHeld = true;
        await new Promise(release => window.release = () => { release(); return true; });
        return answer;
    };
    localStorage.setItem('moorline.cookie', '1');
    return dispatchEvent(new Event('focus'));
})()";

async fn code(relay: &Relay) -> Result<String> {
    let made = relay.api().expect(200, Method::POST, "/api/tickets", Value::Null).await?;
    Ok(serde_json::from_value::<Ticket>(made)?.ticket)
}

/// The token that the browser has stored.
async fn stored(tab: &Tab) -> Result<Option<String>> {
    let token: String = tab.evaluate("localStorage.getItem('moorline.token') ?? ''").await?;
    Ok(Some(token).filter(|token| !token.is_empty()))
}

/// Puts the administrator's token into the page's address.
async fn put_token(tab: &Tab) -> Result<()> {
    tab.evaluate::<String>(&format!("location.hash = 'token={TOKEN}'")).await.map(drop)
}

/// Makes a token, and returns its id and secret.
async fn make(relay: &Relay, scope: &str) -> Result<(String, String)> {
    let wish = json!({"scope": scope, "label": "phone"});
    let made = relay.api().expect(201, Method::POST, "/api/tokens", wish).await?;
    let text = |name: &str| made[name].as_str().map(str::to_owned).context("a text");
    Ok((text("id")?, text("token")?))
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_ends_the_other_tabs_and_the_browsers_own_token() -> Result<()> {
    let relay = start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let base = relay.url();
    Browser::run("logging_out_ends_the_other_tabs", async |browser| {
        browser.expect_bad_network();
        for (entry, said) in [
            ("log-out", "You are logged out of this browser. The token that it had is revoked."),
            ("log-out-everywhere", "The tokens that they had for themselves are revoked."),
        ] {
            let code = code(&relay).await?;
            let address = format!("{base}/terminal/{session}#code={code}");
            let terminal = browser.open_in_profile(&address).await?;
            terminal.until_text("ready").await?;
            let list = browser.open_in_profile(&format!("{base}/sessions")).await?;
            list.until_there(ROW).await?;
            let token = stored(&list).await?.context("the browser has no token")?;
            let api = relay.api().with_token(Some(&token));
            api.expect(200, Method::GET, "/api/login", Value::Null).await?;
            pick(&list, entry).await?;
            let began = Instant::now();
            if entry == "log-out-everywhere" {
                list.click("[data-testid=confirm]").await?;
            }
            until_shown(&terminal, LOG_IN, said).await?;
            let after = began.elapsed();
            ensure!(after < SOON, "{entry}: only after {after:?}");
            until_shown(&list, LOG_IN, said).await?;
            api.expect(401, Method::GET, "/api/login", Value::Null).await?;
            ensure!(stored(&terminal).await?.is_none(), "the token is still stored");
            terminal.reload().await?;
            until_shown(&terminal, LOG_IN, said).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_token_outlives_a_log_out_and_the_page_says_so() -> Result<()> {
    const SAID: &str = "The token that it had logged in with is still valid";
    let relay = start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let base = relay.url();
    Browser::run("a_pasted_token_outlives", async |browser| {
        browser.expect_bad_network();
        let terminal = browser.open_beside(&format!("{base}/terminal/{session}")).await?;
        terminal.until_text("ready").await?;
        let list = browser.open_in_profile(&format!("{base}/sessions")).await?;
        list.until_there(ROW).await?;
        pick(&list, "log-out").await?;
        for tab in [&list, &terminal] {
            until_shown(tab, LOG_IN, SAID).await?;
        }
        relay.api().expect(200, Method::GET, "/api/login", Value::Null).await?;
        // Logging in again in one tab lets the other one in.
        put_token(&list).await?;
        list.until_there(ROW).await?;
        terminal.until_gone(LOG_IN).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_renews_its_cookie_during_a_log_out_stays_logged_out() -> Result<()> {
    let relay = start().await?;
    relay.api().run_ready(expected::counter()).await?;
    let base = named(&relay);
    Browser::run("a_tab_that_renews_its_cookie", async |browser| {
        browser.expect_bad_network();
        let renewing = browser.open_beside(&format!("{base}/sessions")).await?;
        renewing.until_there(ROW).await?;
        let leaving = browser.open_in_profile(&format!("{base}/sessions")).await?;
        leaving.until_there(ROW).await?;
        renewing.evaluate::<bool>(HOLD_RENEWAL).await?;
        renewing.until("the renewal", "window.isHeld === true").await?;
        pick(&leaving, "log-out").await?;
        until_shown(&leaving, LOG_IN, "You are logged out").await?;
        until_shown(&renewing, LOG_IN, "You are logged out").await?;
        renewing.evaluate::<bool>("window.release()").await?;
        // The answer was taken by the time of the next one.
        ensure!(status(&renewing).await? == 401, "the cookie is still valid");
        let marked = "localStorage.getItem('moorline.cookie') !== null";
        ensure!(!renewing.evaluate::<bool>(marked).await?, "the browser counts as logged in");
        until_shown(&renewing, LOG_IN, "You are logged out").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_continues_with_what_its_token_allows_now() -> Result<()> {
    let relay = start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let scope = |rights: &str| format!("session:{session}:{rights}");
    let (id, token) = make(&relay, &scope("write")).await?;
    let change = async |rights: &str| {
        let (path, wish) = (format!("/api/tokens/{id}"), json!({"scope": scope(rights)}));
        relay.api().expect(200, Method::PATCH, &path, wish).await
    };
    Browser::run("a_page_continues", async |browser| {
        browser.expect_bad_network();
        for base in [relay.url(), named(&relay)] {
            let address = format!("{base}/terminal/{session}#token={token}");
            let tab = browser.open_exactly(&address).await?;
            tab.until_text("ready").await?;
            tab.until_state("live").await?;
            const PILL: &str = "[data-testid=status]";
            change("read").await?;
            until_shown(&tab, PILL, "Live, watching").await?;
            tab.until_text("ready").await?;
            change("write").await?;
            tab.until_gone(LOG_IN).await?;
            let writes = format!(
                "document.querySelector({})?.innerText.includes('watching') === false",
                Value::from(PILL)
            );
            tab.until("the right to write", &writes).await?;
            tab.until_state("live").await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_is_what_happened() -> Result<()> {
    let relay = start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    Browser::run("the_reason_is_what_happened", async |browser| {
        browser.expect_bad_network();
        for base in [relay.url(), named(&relay)] {
            // A link whose token is not valid any more, in a browser that never had access.
            let wrong = "a-wrong-token-that-is-long-enough-0123456789";
            let tab = browser.open_exactly(&format!("{base}/sessions#token={wrong}")).await?;
            until_shown(&tab, PROBLEM, "does not accept the token in the address").await?;
            until_shown(&tab, LOG_IN, "no access yet").await?;

            // An access that ended elsewhere.
            let (id, token) = make(&relay, "admin").await?;
            let address = format!("{base}/terminal/{session}#token={token}");
            let terminal = browser.open_in_profile(&address).await?;
            terminal.until_text("ready").await?;
            let list = browser.open_in_profile(&format!("{base}/sessions")).await?;
            list.until_there(ROW).await?;
            let path = format!("/api/tokens/{id}");
            relay.api().expect(200, Method::DELETE, &path, Value::Null).await?;
            for tab in [&terminal, &list] {
                until_shown(tab, LOG_IN, "access has ended").await?;
            }
            for tab in [&terminal, &list] {
                tab.reload().await?;
                until_shown(tab, LOG_IN, "access has ended").await?;
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_stores_nothing_keeps_the_log_in_for_the_tab() -> Result<()> {
    const NOTE: &str = "[data-testid=log-in-storage]";
    let relay = start().await?;
    relay.api().run_ready(expected::counter()).await?;
    Browser::run_with_frames("a_browser_that_stores_nothing", async |browser| {
        browser.expect_bad_network();
        for base in [relay.url(), named(&relay)] {
            let tab = browser.open_in_profile(&format!("{base}/sessions")).await?;
            until_shown(&tab, NOTE, "blocks cookies and storage").await?;
            put_token(&tab).await?;
            tab.until_there(ROW).await?;
            for _ in 0..2 {
                tab.reload().await?;
                tab.until_there(ROW).await?;
                let state: String =
                    tab.evaluate("JSON.stringify([history.state, location.href])").await?;
                ensure!(!state.contains(TOKEN), "the token stays in the history: {state}");
            }
            pick(&tab, "log-out").await?;
            until_shown(&tab, LOG_IN, "You are logged out").await?;
            tab.reload().await?;
            until_shown(&tab, LOG_IN, "no access yet").await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_another_relay_is_not_sent() -> Result<()> {
    let relay = start().await?;
    let base = relay.url();
    Browser::run("the_token_of_another_relay", async |browser| {
        browser.expect_bad_network();
        let tab = browser.open_exactly(&format!("{base}/sessions")).await?;
        until_shown(&tab, LOG_IN, "no access yet").await?;
        tab.evaluate::<bool>(
            "(() => {
                window.sent = 0;
                const send = window.fetch;
                window.fetch = (...all) => { window.sent += 1; return send(...all); };
                return true;
            })()",
        )
        .await?;
        tab.click("[data-testid=token]").await?;
        tab.type_text(&format!("https://moor.example/sessions#token={TOKEN}")).await?;
        tab.press("Enter").await?;
        until_shown(&tab, PROBLEM, "of another relay, https://moor.example").await?;
        ensure!(tab.evaluate::<u64>("window.sent").await? == 0, "something was sent");
        Ok(())
    })
    .await
}
