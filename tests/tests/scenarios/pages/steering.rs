//! Sessions steered from their pages: prompts, copies, the palette and the switcher.

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::expected;
use moorline_tests::relay::Relay;
use reqwest::Method;
use serde_json::{Value, json};

use crate::chromium::{Browser, Tab};

pub(super) async fn shell(relay: &Relay, name: &str) -> Result<SessionId> {
    let id = format!("session-{name}");
    let wish = json!({"sessionId": id, "name": name, "command": expected::shell()});
    relay.api().expect(201, Method::POST, "/api/sessions", wish).await?;
    Ok(id.parse()?)
}

pub(super) async fn until_shown(tab: &Tab, selector: &str, text: &str) -> Result<()> {
    let shows = format!(
        "document.querySelector({selector})?.innerText.includes({text}) === true",
        selector = Value::from(selector),
        text = Value::from(text)
    );
    tab.until(&format!("{text} in {selector}"), &shows).await
}

async fn until_at(tab: &Tab, path: &str) -> Result<()> {
    tab.until(path, &format!("location.pathname === {}", Value::from(path))).await
}

/// Sends a line.
async fn prompt(tab: &Tab, line: &str) -> Result<()> {
    tab.type_into("[data-testid=prompt]", line).await?;
    tab.type_text("\n").await
}

pub(super) async fn press_with_control(tab: &Tab, key: &str) -> Result<()> {
    let press = format!(
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{
            key: '{key}', code: 'Key{}', ctrlKey: true, bubbles: true, cancelable: true
        }})); true",
        key.to_uppercase()
    );
    tab.evaluate::<bool>(&press).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_page_steers_the_session_of_its_address() -> Result<()> {
    let relay = Relay::start().await?;
    let (one, two) = (shell(&relay, "north").await?, shell(&relay, "south").await?);
    Browser::run("each_page_steers_its_session", async |browser| {
        let mut tabs = Vec::new();
        let sums = [(&one, "north", "echo $((40+1))"), (&two, "south", "echo $((40+2))")];
        for (id, name, sum) in sums {
            let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
            until_shown(&tab, "[data-testid=title]", name).await?;
            prompt(&tab, sum).await?;
            tabs.push(tab);
        }
        for (tab, own, other) in [(&tabs[0], "41", "42"), (&tabs[1], "42", "41")] {
            until_shown(tab, "[data-testid=preview]", own).await?;
            until_shown(tab, "[data-testid=timeline]", "echo").await?;
            let text: String = tab.evaluate("document.body.innerText").await?;
            ensure!(!text.contains(&format!("\n{other}\n")), "of the other session: {text}");
        }
        // A fork has what was, and goes on by itself.
        tabs[0].click("[data-testid=fork]").await?;
        let elsewhere = format!("!location.pathname.endsWith('{one}')");
        tabs[0].until("the fork's page", &elsewhere).await?;
        let sessions = relay.api().expect(200, Method::GET, "/api/sessions", Value::Null).await?;
        ensure!(sessions["total"] == 3, "{sessions}");
        // Who watches a session that goes is told.
        relay.api().delete(&two).await?;
        tabs[1].until_there("[data-testid=gone]").await.map(drop)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_palette_and_the_switcher_reach_every_session() -> Result<()> {
    let relay = Relay::start().await?;
    let (one, two) = (shell(&relay, "north").await?, shell(&relay, "south").await?);
    Browser::run("the_palette_reaches_every_session", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        until_shown(&tab, "main", "south").await?;
        press_with_control(&tab, "k").await?;
        tab.until_there("[data-testid=palette-field]").await?;
        tab.type_text("south").await?;
        until_shown(&tab, "[data-testid=palette-list]", "south").await?;
        tab.type_text("\n").await?;
        until_at(&tab, &format!("/terminal/{two}")).await?;
        tab.until_text("moor>").await?;
        tab.click("[data-testid=switcher-button]").await?;
        tab.until_there("[data-testid=switch-field]").await?;
        tab.type_text("north").await?;
        until_shown(&tab, "[data-testid=switch-list]", "north").await?;
        tab.type_text("\n").await?;
        until_at(&tab, &format!("/terminal/{one}")).await?;
        tab.until_text("moor>").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_takes_the_place_of_a_selection() -> Result<()> {
    let relay = Relay::start().await?;
    let (_one, _two) = (shell(&relay, "north").await?, shell(&relay, "south").await?);
    Browser::run("the_search_takes_the_place_of_a_selection", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        until_shown(&tab, "main", "south").await?;
        tab.press("a").await?;
        tab.until_there("[data-testid=selection]").await?;
        tab.press("/").await?;
        tab.until("the search", "document.activeElement.id === 'filter'").await?;
        tab.type_text("north").await?;
        tab.until("one row", "document.querySelectorAll('[data-testid=session-row]').length === 1")
            .await
    })
    .await
}
