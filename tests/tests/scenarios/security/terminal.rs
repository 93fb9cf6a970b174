//! What the output of a program could have the page do: write to the clipboard, and open addresses.

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::relay::{Relay, TOKEN};

use crate::chromium::{Browser, Tab};

/// Keeps what the page copies and opens, instead of doing it.
const WATCH: &str = "window.copied = []; window.opened = []; window.asked = [];
    Object.defineProperty(navigator.clipboard, 'writeText',
        { value: (text) => { copied.push(text); return Promise.resolve(); } });
    window.open = (address) => {
        if (address) opened.push(address);
        return { location: { set href(address) { opened.push(address); } } };
    };
    window.confirm = (question) => { asked.push(question); return true; };";

async fn open(browser: &Browser, relay: &Relay, session: &SessionId) -> Result<Tab> {
    let tab = browser.open_in_profile("about:blank").await?;
    tab.run_first(WATCH).await?;
    tab.go_to(&format!("{}/terminal/{session}#token={TOKEN}", relay.url())).await?;
    Ok(tab)
}

async fn run(relay: &Relay, script: &str) -> Result<SessionId> {
    relay.api().run_ready(["sh", "-c", script].map(str::to_owned).to_vec()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_copies_only_for_whoever_uses_the_page() -> Result<()> {
    let relay = Relay::start().await?;
    // The copy of "first", and what asks for the clipboard's content.
    let script = "stty -echo; printf ready; while read -r line; do \
        printf '\\033]52;c;%s\\007\\033]52;c;?\\007' \"$(printf %s \"$line\" | base64)\"; \
        printf 'done:%s\\r\\n' \"$line\"; done";
    let session = run(&relay, script).await?;
    Browser::run("a_program_copies_only_for_whoever_uses_the_page", async |browser| {
        let tab = open(browser, &relay, &session).await?;
        tab.until_text("ready").await?;
        // Somebody else types, and this page only shows it.
        relay.api().prompt(&session, "from-elsewhere").await?;
        tab.until_text("done:from-elsewhere").await?;
        let copied: Vec<String> = tab.evaluate("copied").await?;
        ensure!(copied.is_empty(), "a page that nobody uses has copied {copied:?}");
        tab.click(".xterm-screen").await?;
        tab.type_text("from-here\n").await?;
        tab.until_text("done:from-here").await?;
        tab.until("the copy", "copied.length > 0").await?;
        let copied: Vec<String> = tab.evaluate("copied").await?;
        ensure!(copied == ["from-here"], "{copied:?}");
        // A page that is opened later draws the same output, and copies nothing.
        let later = open(browser, &relay, &session).await?;
        later.until_text("done:from-here").await?;
        later.click(".xterm-screen").await?;
        let copied: Vec<String> = later.evaluate("copied").await?;
        ensure!(copied.is_empty(), "output of before was copied: {copied:?}");
        // Nobody has answered what the program asked: that would have been typed.
        let text = tab.text().await?;
        ensure!(!text.contains("done:\u{1b}") && !text.contains("]52"), "{text}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_a_program_opens_only_pages_of_the_web() -> Result<()> {
    let relay = Relay::start().await?;
    let addresses = [
        "javascript:window.ran=1",
        "JaVaScRiPt:window.ran=1",
        "data:text/html,<script>window.ran=1</script>",
        "file:///etc/passwd",
        "blob:http://127.0.0.1/x",
        "vbscript:x",
        "https://example.org/good",
    ];
    let lines: Vec<_> = addresses
        .iter()
        .enumerate()
        .map(|(at, address)| {
            format!("\\033]8;;{address}\\007this-is-the-link-{at}\\033]8;;\\007\\r\\n")
        })
        .collect();
    let session = run(&relay, &format!("printf '{}'; printf ready; cat", lines.concat())).await?;
    Browser::run("a_link_of_a_program_opens_only_pages", async |browser| {
        let tab = open(browser, &relay, &session).await?;
        tab.until_text("ready").await?;
        for (at, address) in addresses.iter().enumerate() {
            let link = format!(".xterm-rows > div:nth-child({}) > span", at + 1);
            tab.until_there(&link).await?;
            // The emulator looks at what is under the pointer before it is clicked on.
            tab.hover(&link).await?;
            let is_link = "document.querySelector('.xterm').classList.contains('xterm-cursor-pointer') \
                || document.querySelector('.xterm-cursor-pointer') !== null";
            if address.starts_with("https:") {
                tab.until("a pointer over the link", is_link).await?;
            }
            tab.click(&link).await?;
        }
        tab.until("the page of the web", "opened.length > 0").await?;
        let opened: Vec<String> = tab.evaluate("opened").await?;
        ensure!(opened.iter().all(|it| it == "https://example.org/good"), "{opened:?}");
        // The person was asked first.
        let asked: Vec<String> = tab.evaluate("asked").await?;
        ensure!(asked.iter().all(|it| it.contains("https://example.org/good")), "{asked:?}");
        ensure!(tab.evaluate::<bool>("window.ran === undefined").await?, "a script ran");
        let links: u64 = tab.evaluate("document.querySelectorAll('.xterm a').length").await?;
        ensure!(links == 0, "{links} links are elements");
        Ok(())
    })
    .await
}
