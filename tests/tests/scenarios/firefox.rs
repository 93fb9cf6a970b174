//! The main scenarios in Firefox, by WebDriver BiDi.

mod driver;

use anyhow::{Result, ensure};
use moorline_shared::rest::CreateSession;
use moorline_shared::tmux::TmuxSpec;
use moorline_tests::expected;
use moorline_tests::relay::Relay;
use moorline_tests::tmux::TmuxServer;
use moorline_tests::wait::wait_until;

pub(crate) use driver::{Context, Firefox};

/// What the terminal shows.
const TEXT: &str = "[...document.querySelectorAll('.xterm-rows > div')]
    .map(row => row.textContent.replaceAll('\\u00a0', ' ').trimEnd()).join('\\n')";
const STATE: &str = "document.querySelector('[data-testid=status]')?.dataset.state ?? ''";

/// Waits until an expression is true in a tab.
pub(crate) async fn until(tab: &Context, what: &str, script: &str) -> Result<()> {
    let script = format!("Boolean({script})");
    wait_until(what, async || tab.evaluate(&script).await.is_ok_and(|answer| answer == true)).await
}

async fn until_text(tab: &Context, text: &str) -> Result<()> {
    let text = serde_json::Value::from(text);
    until(tab, &format!("{text} in the terminal"), &format!("({TEXT}).includes({text})")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn type_and_see_and_go_on_after_a_reload_in_firefox() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::shell()).await?;
    let firefox = Firefox::launch().await?;
    let tab = firefox.tab().await?;
    tab.go_to(&format!("{}/terminal/{session}", relay.url())).await?;
    until(&tab, "a live page", &format!("({STATE}) === 'live'")).await?;
    until_text(&tab, "moor>").await?;
    tab.type_text("echo $((6*7)) 'A \"b\"'\n").await?;
    until_text(&tab, "42 A \"b\"").await?;
    tab.go_to(&format!("{}/terminal/{session}", relay.url())).await?;
    until(&tab, "a live page", &format!("({STATE}) === 'live'")).await?;
    until_text(&tab, "42 A \"b\"").await?;
    tab.type_text("exit 5\n").await?;
    until(&tab, "the end", &format!("({STATE}) === 'ended'")).await?;
    firefox.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn panes_of_tmux_are_typed_into_while_their_host_is_away_in_firefox() -> Result<()> {
    let server = TmuxServer::start()?;
    server.run(&["split-window", "-h", "-t", "%0"])?;
    let mut relay = Relay::start().await?;
    let tmux =
        TmuxSpec { socket: Some(server.socket()), pane: Some("%0".into()), ..TmuxSpec::default() };
    let wish = CreateSession { tmux: Some(tmux), ..CreateSession::default() };
    let id = relay.api().create(&wish).await?.session_id;
    let firefox = Firefox::launch().await?;
    let tab = firefox.tab().await?;
    tab.go_to(&format!("{}/terminal/{id}", relay.url())).await?;
    let panes = "document.querySelectorAll('[data-testid=tmux-pane] .xterm-rows')";
    until(&tab, "both panes", &format!("{panes}.length === 2")).await?;
    until(&tab, "a live page", &format!("({STATE}) === 'live'")).await?;
    until_text(&tab, "$").await?;
    relay.kill_host().await?;
    let note = "document.querySelector('.focused [data-testid=host-note]')?.hidden";
    until(&tab, "the note", &format!("{note} === false")).await?;
    tab.type_text("echo awa''y\n").await?;
    relay.launch_host().await?;
    until_text(&tab, "\naway").await?;
    until(&tab, "the note to go", &format!("{note} === true")).await?;

    // In a frame, the pane is alone.
    tab.go_to(&format!("{}/embed/terminal/{id}", relay.url())).await?;
    until_text(&tab, "\naway").await?;
    // A frame takes the keyboard only if it is asked to.
    let focus = "document.querySelector('.xterm-helper-textarea').focus()";
    tab.evaluate(focus).await?;
    tab.type_text("echo fra''me\n").await?;
    until_text(&tab, "\nframe").await?;
    let bar = "document.querySelector('[data-testid=tmux-bar]') === null";
    ensure!(tab.evaluate(bar).await? == true, "a frame shows the bar of tmux");
    firefox.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_palettes_keys_are_ones_that_firefox_lets_a_page_have() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let firefox = Firefox::launch().await?;
    let tab = firefox.tab().await?;
    tab.go_to(&format!("{}/terminal/{session}", relay.url())).await?;
    until_text(&tab, "ready").await?;
    tab.press_with(&["\u{E009}", "\u{E008}"], "E").await?;
    until(&tab, "the palette", "document.querySelector('[data-testid=palette]').open").await?;
    let shown = "document.body.innerText.includes('Ctrl+Shift+P')";
    ensure!(tab.evaluate(shown).await? == false, "it names keys that Firefox keeps");
    firefox.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_tabs_work_in_firefox() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run_ready(expected::counter()).await?;
    let firefox = Firefox::launch().await?;
    let mut tabs = Vec::new();
    for _ in 0..3 {
        for (path, sign) in [
            (
                format!("/session/{session}"),
                "document.querySelector('[data-testid=stream]')?.dataset.tone === 'live'",
            ),
            (
                format!("/terminal/{session}"),
                "document.querySelector('[data-testid=status]')?.dataset.state === 'live'",
            ),
            ("/sessions".to_owned(), "document.querySelector('[data-testid=session-row]')"),
        ] {
            let tab = firefox.tab().await?;
            tab.go_to(&format!("{}{path}", relay.url())).await?;
            until(&tab, &format!("{path} to be alive"), sign).await?;
            tabs.push((tab, path));
        }
    }
    let renamed = serde_json::json!({"name": "renamed for all"});
    api.expect(200, reqwest::Method::PATCH, &format!("/api/sessions/{session}"), renamed).await?;
    for (tab, path) in &tabs {
        let script = "document.body.innerText.includes('renamed for all')";
        until(tab, &format!("the name in {path}"), script).await?;
    }
    firefox.close().await
}
