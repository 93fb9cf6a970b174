//! Terminals with large pastes, a search, other colours, a size and a name of their own.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::proxy::Proxy;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;

use crate::chromium::{Browser, Tab};

pub(super) async fn terminal(browser: &Browser, relay: &Relay, session: &SessionId) -> Result<Tab> {
    let tab = browser.open(&format!("{}/terminal/{session}", relay.url())).await?;
    tab.until_state("live").await?;
    Ok(tab)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_paste_goes_in_as_there_is_room() -> Result<()> {
    let relay = Relay::start().await?;
    let script = "stty raw -echo; printf ready; head -c 400000 | wc -c; stty sane; cat >/dev/null";
    let session = relay.api().run_ready(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    Browser::run("a_large_paste_goes_in_as_there_is_room", async |browser| {
        let tab = terminal(browser, &relay, &session).await?;
        tab.until_text("ready").await?;
        let paste = |count: usize| {
            format!(
                "(() => {{
                    const clipboardData = new DataTransfer();
                    clipboardData.setData('text/plain', 'x'.repeat({count}));
                    const paste = new ClipboardEvent('paste', {{ clipboardData, bubbles: true }});
                    return document.querySelector('.xterm-helper-textarea').dispatchEvent(paste);
                }})()"
            )
        };
        tab.evaluate::<bool>(&paste(400_000)).await?;
        tab.until_text("400000").await?;
        tab.until_gone("[data-testid=pasting]").await?;
        // What is more than anybody means is refused, with the reason.
        tab.evaluate::<bool>(&paste(17 << 20)).await?;
        let notice = tab.until_there("[data-testid=notice]").await?;
        ensure!(notice.contains("16 MiB"), "{notice}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paste_that_nobody_reads_can_be_stopped() -> Result<()> {
    let relay = Relay::start().await?;
    let script = "stty raw -echo; printf ready; read -r never < /dev/null; sleep 600";
    let session = relay.api().run_ready(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    Browser::run("a_paste_that_nobody_reads_can_be_stopped", async |browser| {
        let tab = terminal(browser, &relay, &session).await?;
        tab.until_text("ready").await?;
        let paste = "(() => {
            const clipboardData = new DataTransfer();
            clipboardData.setData('text/plain', 'x'.repeat(2000000));
            const paste = new ClipboardEvent('paste', { clipboardData, bubbles: true });
            return document.querySelector('.xterm-helper-textarea').dispatchEvent(paste);
        })()";
        tab.evaluate::<bool>(paste).await?;
        tab.until_there("[data-testid=pasting]").await?;
        tab.click("[data-testid=end-paste]").await?;
        tab.until_gone("[data-testid=pasting]").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn search_is_loaded_when_somebody_searches() -> Result<()> {
    let relay = Relay::start().await?;
    let proxy = Proxy::start(relay.address()).await?;
    let command = ["sh", "-c", "seq 30; echo end; cat"].map(str::to_owned).to_vec();
    let session = relay.api().run_ready(command).await?;
    Browser::run("search_is_loaded_when_somebody_searches", async |browser| {
        browser.expect_bad_network();
        let tab = browser.open(&format!("{}/terminal/{session}", proxy.url())).await?;
        tab.until_state("live").await?;
        tab.until_text("end").await?;
        let asked = "performance.getEntriesByType('resource')
            .some(({ name }) => name.includes('/part-search-'))";
        ensure!(!tab.evaluate::<bool>(asked).await?, "nobody has searched yet");
        // Without a network it does not come, nor does its bar in a page that loads it in parts.
        proxy.refuse(true);
        tab.click("[data-testid=search-button]").await?;
        let problem = ".search-place [role=alert]";
        let told =
            format!("document.querySelector('{problem}')?.innerText.includes('did not load')");
        tab.until("the reason", &told).await?;
        // What is typed for the search does not go into the program.
        tab.type_text("12").await?;
        proxy.refuse(false);
        tab.click(".search-place button:not(.icon-button)").await?;
        tab.type_into(".search input", "").await?;
        tab.evaluate::<bool>("document.querySelector('.search input').select() ?? true").await?;
        tab.type_text("12").await?;
        let found = "document.querySelector('[data-testid=matches]').textContent === '1/1'";
        wait_until("the match", async || tab.evaluate::<bool>(found).await.is_ok_and(|is| is))
            .await?;
        ensure!(!tab.text().await?.contains("end\n12"), "it was typed into the program");
        // What loads the parts says so on the console.
        drop(tab.take_complaints());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_session_starts_at_the_pages_size() -> Result<()> {
    let relay = Relay::start().await?;
    Browser::run("a_new_session_starts_at_the_pages_size", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        tab.click("[data-testid=create-custom]").await?;
        tab.click_into("[data-testid=command]").await?;
        tab.type_text("sh -c 'trap \"echo told\" WINCH; stty size; while :; do sleep 0.1; done'")
            .await?;
        tab.click("[data-testid=start]").await?;
        tab.until_state("live").await?;
        let size: (u16, u16) = (
            tab.evaluate("document.querySelectorAll('.xterm-rows > div').length").await?,
            tab.text().await?.split_whitespace().nth(1).context("a size")?.parse()?,
        );
        let text = tab.text().await?;
        ensure!(text.starts_with(&format!("{} {}", size.0, size.1)), "{text:?} in {size:?}");
        ensure!(size.1 > 90 && !text.contains("told"), "{text:?} in {size:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn symbols_make_the_control_characters_of_xterm() -> Result<()> {
    let relay = Relay::start().await?;
    let script = "stty raw -echo; printf ready; cat -v";
    let session = relay.api().run_ready(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    Browser::run("symbols_make_the_control_characters_of_xterm", async |browser| {
        let tab = terminal(browser, &relay, &session).await?;
        tab.until_text("ready").await?;
        let mut shown = "ready".to_owned();
        for (key, code, control) in
            [("^", "Digit6", "^^"), ("_", "Minus", "^_"), ("?", "Slash", "^?")]
        {
            let press = format!(
                "document.querySelector('.xterm-helper-textarea').dispatchEvent(
                    new KeyboardEvent('keydown', {{
                        key: '{key}', code: '{code}', ctrlKey: true, shiftKey: true,
                        bubbles: true, cancelable: true
                    }})); true"
            );
            tab.evaluate::<bool>(&press).await?;
            shown += control;
            tab.until_text(&shown).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_has_the_name_that_lists_have() -> Result<()> {
    let relay = Relay::start().await?;
    let script = "printf '\\033]2;a\\342\\200\\256title\\007ready'; cat";
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let session = relay.api().run_ready(command).await?;
    Browser::run("a_terminal_has_the_name_that_lists_have", async |browser| {
        let list = browser.open(&format!("{}/sessions", relay.url())).await?;
        list.until_there("[data-testid=session-row]").await?;
        let listed: String =
            list.evaluate("document.querySelector('.row-name').textContent").await?;
        let tab = terminal(browser, &relay, &session).await?;
        tab.until_text("ready").await?;
        let shown = tab.until_there("[data-testid=title]").await?;
        ensure!(
            shown == listed && shown == expected_name(&relay, &session).await?,
            "{shown:?}, {listed:?}"
        );
        wait_until("the program's title in the tab", async || {
            let title = tab.evaluate::<String>("document.title").await;
            title.is_ok_and(|title| title == format!("{listed}: atitle · Moorline"))
        })
        .await
    })
    .await
}

async fn expected_name(relay: &Relay, session: &SessionId) -> Result<String> {
    Ok(relay.api().status(session).await?.summary.name)
}
