//! What a person does and sees in Chromium.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::digest::Digest;
use moorline_tests::expected::{self, Flood};
use moorline_tests::proxy::{Proxy, Way};
use moorline_tests::random::Random;
use moorline_tests::relay::{Kind, Relay, Setup, TOKEN};
use moorline_tests::wait::wait_until;

use super::chromium::{Browser, Tab};

async fn terminal(browser: &Browser, base: &str, session: &SessionId) -> Result<Tab> {
    let tab = browser.open(&format!("{base}/terminal/{session}?digest")).await?;
    tab.until_state("live").await?;
    Ok(tab)
}

/// The session of the terminal that the page shows.
async fn session_of(tab: &Tab) -> Result<SessionId> {
    let path: String = tab.evaluate("location.pathname").await?;
    let id = path.strip_prefix("/terminal/").with_context(|| format!("the page is {path}"))?;
    Ok(id.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn type_and_see_and_end() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::shell()).await?;
    Browser::run("type_and_see_and_end", async |browser| {
        let tab = terminal(browser, &relay.url(), &session).await?;
        let address: String = tab.evaluate("location.href").await?;
        ensure!(!address.contains(TOKEN), "the token is still in the address: {address}");
        tab.until_text("moor>").await?;
        tab.type_text("echo $((6*7)) 'A \"b\" ~|'\n").await?;
        tab.until_text("42 A \"b\" ~|").await?;
        tab.type_text("printf 'left'; printf '\\033[2Gxy\\n'\n").await?;
        tab.until_text("\nlxyt").await?;
        tab.press("ArrowUp").await?;
        tab.press("ArrowUp").await?;
        tab.type_text("\nexit 5\n").await?;
        let verdict = tab.until_there("[data-testid=ended]").await?;
        ensure!(verdict.contains("exit code 5"), "{verdict}");
        tab.until_state("ended").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_over_a_breaking_network_is_shown_exactly() -> Result<()> {
    const FLOOD: Flood = Flood { lines: 500_000 };
    let relay = Relay::start().await?;
    let proxy = Proxy::start(relay.address()).await?;
    let session = relay.api().run_ready(FLOOD.command()).await?;
    Browser::run("a_flood_over_a_breaking_network_is_shown_exactly", async |browser| {
        browser.expect_bad_network();
        let tab = terminal(browser, &proxy.url(), &session).await?;
        tab.until_text("ready").await?;
        let before = tab.applied().await?;
        let expected = Digest::of(&FLOOD.output());
        let mut random = Random::new(11);
        // The page comes back by itself each time. The edge compresses what it sends a browser.
        proxy.cut_after_each(Way::Down, (0..6).map(|_| random.between(1, 80_000)));
        tab.press("Enter").await?;
        wait_until("the last cut", async || proxy.was_cut(Way::Down)).await?;
        tab.until_text(Flood::END).await?;
        let after = tab.applied().await?;
        ensure!(after.bytes == expected.bytes(), "{after:?} instead of {expected:?}");
        ensure!(after.digest == expected.hex(), "{after:?} instead of {expected:?}");
        ensure!(after.from == before.from, "a snapshot took the place of output: {after:?}");
        tab.until_state("live").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_in_the_middle_of_work() -> Result<()> {
    let relay = Relay::start().await?;
    // A full-screen program: its screen cannot be had from the end of its output.
    let script = "stty -echo; printf '\\033[?1049h\\033[2J\\033[5;10Hfull screen\\033[12;3Hlow'; \
                  while read -r line; do printf '\\033[7;4H<%s>' \"$line\"; done";
    let session = relay.api().run_ready(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    Browser::run("a_reload_in_the_middle_of_work", async |browser| {
        let tab = terminal(browser, &relay.url(), &session).await?;
        tab.until_text("full screen").await?;
        tab.type_text("one\n").await?;
        tab.until_text("<one>").await?;
        let before = tab.text().await?;
        tab.reload().await?;
        tab.until_text("<one>").await?;
        ensure!(tab.text().await? == before, "{:?} after {before:?}", tab.text().await?);
        tab.until_state("live").await?;
        tab.type_text("two\n").await?;
        tab.until_text("<two>").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_offline_is_delivered_once() -> Result<()> {
    let relay = Relay::start().await?;
    let proxy = Proxy::start(relay.address()).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    Browser::run("what_is_typed_offline_is_delivered_once", async |browser| {
        browser.expect_bad_network();
        let tab = terminal(browser, &proxy.url(), &session).await?;
        tab.until_text("ready").await?;
        proxy.refuse(true);
        tab.until_state("waiting").await?;
        tab.type_text("while away\n").await?;
        let pending = tab.until_there("[data-testid=pending]").await?;
        ensure!(pending.contains("while away"), "{pending}");
        proxy.refuse(false);
        // The button is gone where the page was quicker.
        let now = "document.querySelector('[data-testid=retry]')?.click() ?? true";
        tab.evaluate::<bool>(now).await?;
        tab.until_text("1:while away").await?;
        tab.until_gone("[data-testid=pending]").await?;

        // A page that is loaded again delivers what the one before could not.
        proxy.refuse(true);
        tab.until_state("waiting").await?;
        tab.click("[data-testid=terminal]").await?;
        tab.type_text("before the reload\n").await?;
        tab.until_there("[data-testid=pending]").await?;
        proxy.refuse(false);
        tab.reload().await?;
        tab.until_text("2:before the reload").await?;
        tab.until_state("live").await?;
        tab.type_text("after\n").await?;
        tab.until_text("3:after").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_died_in_silence_is_shown_and_replaced() -> Result<()> {
    let relay = Relay::start().await?;
    let proxy = Proxy::start(relay.address()).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    Browser::run("a_connection_that_died_in_silence", async |browser| {
        browser.expect_bad_network();
        let tab = terminal(browser, &proxy.url(), &session).await?;
        tab.until_text("ready").await?;
        proxy.silence(true);
        tab.type_text("into nothing\n").await?;
        // What the browser reports when a laptop wakes up: the page asks for a sign of life.
        tab.evaluate::<bool>("dispatchEvent(new Event('online'))").await?;
        let script = "document.querySelector('[data-testid=status]').dataset.tone === 'away'";
        wait_until("the page to say that it is offline", async || {
            tab.evaluate::<bool>(script).await.is_ok_and(|away| away)
        })
        .await?;
        let pending = tab.until_there("[data-testid=pending]").await?;
        ensure!(pending.contains("into nothing"), "{pending}");
        proxy.silence(false);
        tab.until_state("live").await?;
        tab.until_text("1:into nothing").await?;
        tab.type_text("again\n").await?;
        tab.until_text("2:again").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_on_one_session() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    Browser::run("two_tabs_on_one_session", async |browser| {
        let one = terminal(browser, &relay.url(), &session).await?;
        let two = terminal(browser, &relay.url(), &session).await?;
        one.until_text("ready").await?;
        one.type_text("from one\n").await?;
        two.until_text("1:from one").await?;
        two.type_text("from two\n").await?;
        one.until_text("2:from two").await?;
        let shown = one.text().await?;
        two.until_text_is("what the other shows", |text| text == shown).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_started_found_again_and_deleted() -> Result<()> {
    let relay = Relay::start().await?;
    Browser::run("a_session_is_started_found_again_and_deleted", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        tab.until_there("[data-testid=empty]").await?;
        tab.click("[data-testid=create]").await?;
        tab.until_state("live").await?;
        let shell = session_of(&tab).await?;
        tab.type_text("echo $((6*7))\n").await?;
        tab.until_text("42").await?;

        tab.go_to(&format!("{}/sessions", relay.url())).await?;
        tab.click("[data-testid=create-custom]").await?;
        tab.click("[data-testid=command]").await?;
        tab.type_text("sh -c 'echo from the form; exit 4'").await?;
        tab.click("[data-testid=start]").await?;
        let verdict = tab.until_there("[data-testid=ended]").await?;
        ensure!(verdict.contains("exit code 4"), "{verdict}");
        tab.until_text("from the form").await?;
        let ended = session_of(&tab).await?;

        tab.go_to(&format!("{}/sessions", relay.url())).await?;
        // Rows move while the list learns of the end.
        let state = "[data-testid=session-state][data-tone=bad]";
        tab.until_there(&format!("[data-session='{ended}'] {state}")).await?;
        for (id, others) in [(shell, 1), (ended, 0)] {
            let row = format!("[data-testid=session-row][data-session='{id}']");
            tab.click(&format!("{row} [data-testid=delete]")).await?;
            tab.click("[data-testid=confirm]").await?;
            tab.until_gone(&row).await?;
            ensure!(relay.api().list().await?.len() == others, "{id} is still there");
        }
        tab.until_there("[data-testid=empty]").await.map(|_| ())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_used_says_how_to_get_another() -> Result<()> {
    let relay = Relay::start().await?;
    Browser::run("a_code_that_was_used_says_how_to_get_another", async |browser| {
        // The browser reports each 401 on the console.
        browser.expect_bad_network();
        let address = format!("{}/sessions#code=a-code-that-was-used", relay.url());
        let tab = browser.open_exactly(&address).await?;
        let page = tab.until_there("[data-testid=log-in]").await?;
        ensure!(page.contains("already used") && page.contains("moorline open"), "{page}");
        // A token does as well.
        tab.click("[data-testid=token]").await?;
        tab.type_text(TOKEN).await?;
        tab.press("Enter").await?;
        tab.until_gone("[data-testid=log-in]").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_asked_for_again() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    Browser::run("a_wrong_token_is_asked_for_again", async |browser| {
        // The browser reports each 401 on the console.
        browser.expect_bad_network();
        let wrong = "a-wrong-token-that-is-long-enough-0123456789";
        for address in [format!("/terminal/{session}#token={wrong}"), "/sessions".to_owned()] {
            let tab = browser.open_exactly(&format!("{}{address}", relay.url())).await?;
            tab.until_there("[data-testid=log-in]").await?;
            tab.click("[data-testid=token]").await?;
            tab.type_text(TOKEN).await?;
            tab.press("Enter").await?;
            tab.until_gone("[data-testid=log-in]").await?;
            match address.starts_with("/terminal") {
                true => tab.until_text("ready").await?,
                false => {
                    tab.until_there("[data-testid=session-row]").await?;
                }
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_survives_the_relays_restart() -> Result<()> {
    let mut relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    Browser::run("the_page_survives_the_relays_restart", async |browser| {
        browser.expect_bad_network();
        let tab = terminal(browser, &relay.url(), &session).await?;
        tab.until_text("ready").await?;
        tab.type_text("kept\n").await?;
        tab.until_text("1:kept").await?;
        relay.kill().await?;
        tab.until_state("waiting").await?;
        relay.launch().await?;
        tab.until_state("live").await?;
        tab.type_text("and on\n").await?;
        tab.until_text("2:and on").await?;
        tab.until_text("1:kept").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_tells_of_a_session_that_was_lost_with_the_relay() -> Result<()> {
    let mut relay = Relay::start_as(Kind::InProcess, Setup::default()).await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    Browser::run("the_page_tells_of_a_session_that_was_lost", async |browser| {
        browser.expect_bad_network();
        let tab = terminal(browser, &relay.url(), &session).await?;
        tab.until_text("ready").await?;
        tab.type_text("kept\n").await?;
        tab.until_text("1:kept").await?;
        relay.until_stored(&["1:kept\r\n"]).await?;
        relay.kill().await?;
        tab.until_state("waiting").await?;
        relay.launch().await?;
        tab.until_state("ended").await?;
        tab.until_text("1:kept").await?;
        let verdict = tab.until_there("[data-testid=ended]").await?;
        ensure!(verdict.contains("process is gone"), "{verdict}");
        Ok(())
    })
    .await
}
