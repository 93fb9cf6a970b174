//! Pages whose code fails, or does not load.

use anyhow::{Result, ensure};
use moorline_tests::expected;
use moorline_tests::relay::{Relay, TOKEN};

use super::{look, steering, terminals};
use crate::chromium::{Browser, Tab};

const FAILURE: &str = "#failure[open]";

async fn empty_tab(browser: &Browser, relay: &Relay) -> Result<Tab> {
    browser.open_exactly(&format!("{}/healthz", relay.url())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_panics_says_so_and_can_be_reloaded() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    Browser::run("a_page_that_panics_says_so", async |browser| {
        browser.expect_bad_network();
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        tab.until_there("[data-testid=session-row]").await?;
        // A terminal cannot be made without it, and the page relies on it.
        tab.evaluate::<bool>("Reflect.construct = () => { throw new Error('sabotage') }; true")
            .await?;
        tab.click(".row-link").await?;
        let told = tab.until_there(FAILURE).await?;
        ensure!(told.contains("has failed") && told.contains("nothing in them is lost"), "{told}");
        ensure!(told.contains("panicked at") && told.contains("sabotage"), "no error: {told}");
        let found = look::scan(&tab, "the message", &look::axe()?).await?;
        ensure!(found.is_empty(), "{}", found.join("\n"));
        // It stays whatever is pressed, and there is one of it.
        tab.press("Escape").await?;
        let is_open = "document.querySelectorAll('#failure').length === 1
            && document.querySelector('#failure').open";
        tab.until("the message to stay", is_open).await?;
        let complaints = tab.take_complaints().join("\n");
        ensure!(complaints.contains("panicked at"), "not on the console: {complaints}");
        tab.click(&format!("{FAILURE} button")).await?;
        tab.until_state("live").await?;
        tab.until_text("ready").await?;
        let path: String = tab.evaluate("location.pathname").await?;
        ensure!(path == format!("/terminal/{session}"), "{path}");
        drop(tab.take_complaints());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_code_does_not_load_says_so() -> Result<()> {
    let relay = Relay::start().await?;
    Browser::run("a_page_whose_code_does_not_load", async |browser| {
        for part in ["*://*:*/moorline-client-*.js", "*://*:*/moorline-client-*.wasm"] {
            let tab = empty_tab(browser, &relay).await?;
            tab.block(Some(part)).await?;
            tab.go_to(&format!("{}/sessions#token={TOKEN}", relay.url())).await?;
            let told = tab.until_there(FAILURE).await?;
            ensure!(told.contains("did not load"), "{told}");
            tab.block(None).await?;
            tab.click(&format!("{FAILURE} button")).await?;
            tab.until_there("[data-testid=empty]").await?;
            drop(tab.take_complaints());
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_page_that_did_not_load_is_tried_again() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    Browser::run("a_part_of_the_page_that_did_not_load_is_tried_again", async |browser| {
        browser.expect_bad_network();
        for (page, shown) in [("session", "preview"), ("terminal", "terminal")] {
            let tab = empty_tab(browser, &relay).await?;
            tab.block(Some(&format!("*://*:*/part-{page}-*"))).await?;
            tab.go_to(&format!("{}/{page}/{session}#token={TOKEN}", relay.url())).await?;
            let (failed, again) =
                ("[data-testid=page-not-loaded]", "[data-testid=load-page-again]");
            let told = tab.until_there(failed).await?;
            ensure!(told.contains("did not load"), "{told}");
            tab.click(again).await?;
            tab.until_there(failed).await?;
            tab.block(None).await?;
            tab.click(again).await?;
            tab.until_gone(failed).await?;
            tab.until_there(&format!("[data-testid={shown}]")).await?;
            // What loads modules reports each failure.
            drop(tab.take_complaints());
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_did_not_load_is_tried_again() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    Browser::run("a_terminal_that_did_not_load_is_tried_again", async |browser| {
        browser.expect_bad_network();
        let tab = empty_tab(browser, &relay).await?;
        tab.block(Some("*://*:*/xterm-*")).await?;
        tab.go_to(&format!("{}/terminal/{session}#token={TOKEN}", relay.url())).await?;
        let again = "[data-testid=load-again]";
        let told = tab.until_there("[data-testid=broken]").await?;
        ensure!(told.contains("did not load"), "{told}");
        // As long as it fails, it says so each time.
        tab.click(again).await?;
        tab.until_there("[data-testid=broken]").await?;
        tab.block(None).await?;
        tab.click(again).await?;
        tab.until_gone("[data-testid=broken]").await?;
        tab.until_state("live").await?;
        tab.until_text("ready").await?;
        tab.type_text("typed\n").await?;
        tab.until_text("1:typed").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_the_page_cannot_read_says_so() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    Browser::run("a_list_that_the_page_cannot_read_says_so", async |browser| {
        browser.expect_bad_network();
        let tab = terminals::terminal(browser, &relay, &session).await?;
        // What a relay of another version may send.
        let other = "(() => {
            const { get } = Object.getOwnPropertyDescriptor(MessageEvent.prototype, 'data');
            Object.defineProperty(MessageEvent.prototype, 'data', {
                get() {
                    const data = get.call(this);
                    if (!this.target.url.includes('/api/events')) return data;
                    const text = new TextDecoder().decode(data).replaceAll('lifecycle', 'phase');
                    return new TextEncoder().encode(text).buffer;
                },
            });
            return true;
        })()";
        tab.evaluate::<bool>(other).await?;
        tab.click("a[href='/sessions']").await?;
        steering::until_shown(&tab, "main [data-testid=problem]", "cannot read").await
    })
    .await
}
