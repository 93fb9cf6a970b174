//! Terminals under fingers, and with more output than they hold.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use tokio::time::timeout;

use super::terminals::terminal;
use crate::chromium::{Browser, Tab};

const PHONE: (i64, i64) = (390, 780);
/// A fling has come to rest by then.
const FLING: Duration = Duration::from_secs(3);

/// The number in the first row that is shown.
async fn first_row(tab: &Tab) -> Result<i64> {
    let text = tab.text().await?;
    let first = text.lines().next().context("nothing is shown")?;
    first.trim().parse().with_context(|| format!("{first:?} is no number"))
}

async fn until_first_row(tab: &Tab, what: &str, right: impl Fn(i64) -> bool) -> Result<i64> {
    wait_until(what, async || first_row(tab).await.is_ok_and(&right)).await?;
    first_row(tab).await
}

/// Swipes until the lines at the end are shown.
async fn back_to_end(tab: &Tab, last: i64) -> Result<()> {
    wait_until("the last lines", async || {
        drop(tab.swipe((150.0, 600.0), (150.0, 150.0)).await);
        first_row(tab).await.is_ok_and(|row| row >= last - 5)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finger_scrolls_and_flings_and_selects() -> Result<()> {
    let relay = Relay::start().await?;
    let command = ["sh", "-c", "seq 300; read x; seq 300 | less; read y"];
    let session = relay.api().run_ready(command.map(str::to_owned).to_vec()).await?;
    Browser::run("a_finger_scrolls_and_flings_and_selects", async |browser| {
        let tab = terminal(browser, &relay, &session).await?;
        tab.resize(PHONE.0, PHONE.1, true).await?;
        tab.until_text("300").await?;
        let before = until_first_row(&tab, "the last lines", |row| row > 200).await?;
        // It follows the finger, and goes on by itself. A busy machine may leave the finger at rest before it is
        // lifted, which is no fling: it comes back then, and swipes again.
        wait_until("lines that flew by", async || {
            drop(tab.swipe((150.0, 200.0), (150.0, 500.0)).await);
            let flew = wait_until("a fling", async || {
                first_row(&tab).await.is_ok_and(|row| row < before - 20)
            });
            if timeout(FLING, flew).await.is_ok_and(|flew| flew.is_ok()) {
                return true;
            }
            drop(back_to_end(&tab, before).await);
            false
        })
        .await?;
        back_to_end(&tab, before).await?;

        // A long press selects a word, to be copied.
        tab.hold((30.0, 300.0)).await?;
        tab.until_there("[data-testid=copy-selection]").await?;
        tab.click("[data-testid=copy-selection]").await?;
        tab.until_gone("[data-testid=selection]").await?;

        // A program with the alternate screen gets what a wheel would give it.
        tab.click("[data-testid=terminal]").await?;
        tab.type_text("x\n").await?;
        until_first_row(&tab, "less", |row| row == 1).await?;
        tab.swipe((150.0, 500.0), (150.0, 200.0)).await?;
        until_first_row(&tab, "less to scroll", |row| row > 5).await?;
        Ok(())
    })
    .await
}

/// Scrolls up by some thousand lines. The browser gives each turn of a wheel a frame, and keys none.
async fn far_up(tab: &Tab) -> Result<()> {
    for _ in 0..100 {
        tab.page_up().await?;
    }
    Ok(())
}

/// A session with more lines than a snapshot holds, and then `end`.
async fn more_lines_than_a_snapshot(relay: &Relay) -> Result<SessionId> {
    let command = ["sh", "-c", "seq 3000; echo end; cat"].map(str::to_owned).to_vec();
    relay.api().run_ready(command).await
}

/// Its terminal, which has begun with a snapshot: output from before it may be missing.
async fn reloaded(browser: &Browser, relay: &Relay, session: &SessionId) -> Result<Tab> {
    let tab = terminal(browser, relay, session).await?;
    tab.until_text("end").await?;
    tab.reload().await?;
    tab.until_text("end").await?;
    tab.until_state("live").await?;
    Ok(tab)
}

/// Scrolls up beyond the first line that the page holds.
async fn open_earlier(tab: &Tab) -> Result<()> {
    wait_until("the lines from before", async || {
        drop(far_up(tab).await);
        let shown = "document.querySelector('.earlier')?.dataset.shown === 'true'";
        tab.evaluate::<bool>(shown).await.is_ok_and(|shown| shown)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_from_before_a_reload_are_read_from_the_log() -> Result<()> {
    let relay = Relay::start().await?;
    let session = more_lines_than_a_snapshot(&relay).await?;
    Browser::run("lines_from_before_a_reload_are_read_from_the_log", async |browser| {
        let tab = reloaded(browser, &relay, &session).await?;
        open_earlier(&tab).await?;
        let first =
            "[...document.querySelectorAll('.earlier .xterm-rows > div')][0].textContent.trim()";
        wait_until("the first line of all", async || {
            drop(far_up(&tab).await);
            tab.evaluate::<String>(first).await.is_ok_and(|row| row == "1")
        })
        .await?;
        // Back to now; the session has gone on.
        tab.click("[data-testid=end-earlier]").await?;
        tab.until_gone("[data-testid=earlier]").await?;
        tab.type_text("still here\n").await?;
        tab.until_text("still here").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_output_has_the_keys_of_a_terminal() -> Result<()> {
    let relay = Relay::start().await?;
    let session = more_lines_than_a_snapshot(&relay).await?;
    Browser::run("earlier_output_has_the_keys_of_a_terminal", async |browser| {
        let tab = reloaded(browser, &relay, &session).await?;
        open_earlier(&tab).await?;
        ensure!(tab.evaluate::<bool>("!document.querySelector('.to-bottom')").await?);
        tab.click("[data-testid=search-button]").await?;
        tab.type_text("29").await?;
        let found = "document.querySelector('[data-testid=matches]')?.textContent.includes('/')";
        wait_until("matches", async || tab.evaluate::<bool>(found).await.is_ok_and(|found| found))
            .await?;
        tab.press("Escape").await?;
        tab.until_gone("[data-testid=search]").await?;
        tab.until_there("[data-testid=earlier]").await?;
        // The program hears nothing of the key that closes the view: it would show `^[`.
        tab.press("Escape").await?;
        tab.until_gone("[data-testid=earlier]").await?;

        // What is typed after a click in it is typed into the session.
        open_earlier(&tab).await?;
        tab.click(".earlier .xterm-screen").await?;
        tab.type_text("Once\n").await?;
        tab.until_gone("[data-testid=earlier]").await?;
        tab.until_text("end\nOnce\nOnce").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_clears_all_lines_is_followed() -> Result<()> {
    let relay = Relay::start().await?;
    let script =
        "seq 300; echo end; read x; printf '\\033[H\\033[2J\\033[3J'; seq 400 700; echo after; cat";
    let session = relay.api().run_ready(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    Browser::run("a_program_that_clears_all_lines_is_followed", async |browser| {
        let tab = reloaded(browser, &relay, &session).await?;
        let before = first_row(&tab).await?;
        tab.wheel((300.0, 300.0), -120.0).await?;
        until_first_row(&tab, "lines above the end", |row| row < before).await?;
        relay.api().prompt(&session, "x").await?;
        tab.until_text("700\nafter").await?;
        ensure!(tab.evaluate::<bool>("!document.querySelector('.earlier')").await?);
        Ok(())
    })
    .await
}
