//! Questions that several people see: who is late learns of it, and keeps the focus.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use moorline_tests::proxy::Proxy;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::json;

use super::agents::{EDIT, agent, prompt};
use crate::chromium::{Browser, Tab};

/// The row that tells what became of the last question.
const ROW: &str = "[...document.querySelectorAll('[data-testid=decided]')].pop()";

async fn focus_card(tab: &Tab) -> Result<()> {
    tab.until_there("[data-testid=approval]").await?;
    tab.evaluate::<bool>("document.querySelector('[data-testid=approval]').focus(); true").await?;
    Ok(())
}

async fn until_row_has_focus(tab: &Tab, word: &str) -> Result<()> {
    let has = format!("document.activeElement === {ROW} && {ROW}.innerText.includes('{word}')");
    tab.until(&format!("the focus on {word:?}"), &has).await
}

fn is_changed(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("lib.rs")).is_ok_and(|text| text.contains("1 + 2"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_focus_stays_where_a_question_was() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    prompt(&relay, &id, EDIT).await?;
    Browser::run("the_focus_stays_where_a_question_was", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        focus_card(&tab).await?;
        // Somebody else denies it, a moment before a key would allow it.
        let open = relay.api().expect(200, Method::GET, "/api/approvals", json!(null)).await?;
        let approval = open["approvals"][0]["approvalId"].as_str().context("no approval")?;
        let path = format!("/api/session/{id}/approvals/{approval}");
        relay.api().expect(200, Method::POST, &path, json!({ "approved": false })).await?;
        until_row_has_focus(&tab, "Denied").await?;
        tab.press("1").await?;
        // The same after an own decision, by a key and by a button.
        for _ in 0..2 {
            let asked = tab
                .evaluate::<u64>("document.querySelectorAll('[data-testid=decided]').length")
                .await?;
            prompt(&relay, &id, EDIT).await?;
            focus_card(&tab).await?;
            ensure!(!is_changed(folder.path()), "a key on the row has decided");
            let press = if asked == 1 { "3" } else { "Enter" };
            if press == "Enter" {
                let deny = "document.querySelector('[data-testid=deny]').focus(); true";
                tab.evaluate::<bool>(deny).await?;
            }
            tab.press(press).await?;
            let rows = format!(
                "document.querySelectorAll('[data-testid=decided]').length === {}",
                asked + 1
            );
            tab.until("its row", &rows).await?;
            until_row_has_focus(&tab, "Denied").await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_that_answer_at_once_show_the_same_answer() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    prompt(&relay, &id, EDIT).await?;
    Browser::run("two_tabs_that_answer_at_once", async |browser| {
        let address = format!("{}/session/{id}", relay.url());
        let (one, other) = (browser.open(&address).await?, browser.open(&address).await?);
        one.until_there("[data-testid=allow]").await?;
        other.until_there("[data-testid=deny]").await?;
        let click =
            |what: &str| format!("document.querySelector('[data-testid={what}]').click(); true");
        let (allow, deny) = (click("allow"), click("deny"));
        let (allowed, denied) =
            tokio::join!(one.evaluate::<bool>(&allow), other.evaluate::<bool>(&deny));
        ensure!(allowed? && denied?);
        let said =
            async |tab: &Tab| tab.evaluate::<String>(&format!("{ROW}?.innerText ?? ''")).await;
        wait_until("the same answer on both", async || {
            let (Ok(one), Ok(other)) = (said(&one).await, said(&other).await) else { return false };
            // The name comes with the log.
            one.contains(" by ") && one == other
        })
        .await?;
        let approved = said(&one).await?.starts_with("Allowed");
        let turn_is_over = "document.querySelector('[data-testid=stop]') === null";
        one.until("the end of the turn", turn_is_over).await?;
        ensure!(is_changed(folder.path()) == approved, "the agent heard another answer");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_decides_one_question_of_a_list() -> Result<()> {
    let relay = Relay::start().await?;
    let (one, _folder) = agent(&relay).await?;
    let (other, _other_folder) = agent(&relay).await?;
    for id in [&one, &other] {
        prompt(&relay, id, EDIT).await?;
    }
    Browser::run("a_key_decides_one_question_of_a_list", async |browser| {
        let tab = browser.open(&format!("{}/approvals", relay.url())).await?;
        let cards = "document.querySelectorAll('[data-testid=inbox-card]').length";
        tab.until("two cards", &format!("{cards} === 2")).await?;
        focus_card(&tab).await?;
        tab.press("1").await?;
        tab.until("one card", &format!("{cards} === 1")).await?;
        // The next card does not take the keys of the one before.
        let place = "document.activeElement.className === 'inbox-session'";
        tab.until("the focus before the next card", place).await?;
        tab.press("1").await?;
        tab.press("Tab").await?;
        let card = "document.activeElement.dataset.testid === 'approval'";
        tab.until("the focus on the next card", card).await?;
        ensure!(tab.evaluate::<u64>(cards).await? == 1, "it was decided by a key for another");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hides_in_a_question_is_written_out() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    let question = json!({
        "title": "Edit \u{202e}cod.txt", "kind": "edit",
        "content": [{ "type": "diff", "path": "/etc/\u{202e}cod.txt", "oldText": "a", "newText": "b\u{200b}" }],
    });
    prompt(&relay, &id, &format!("ask {question}")).await?;
    Browser::run("what_hides_in_a_question_is_written_out", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        for path in ["", "/approvals"] {
            if !path.is_empty() {
                tab.go_to(&format!("{}{path}", relay.url())).await?;
            }
            tab.until_there("[data-testid=approval] [data-testid=diff]").await?;
            let shown = tab.until_there("[data-testid=approval]").await?;
            ensure!(shown.contains("Edit ⟨U+202E⟩cod.txt"), "{shown}");
            ensure!(
                shown.contains("/etc/⟨U+202E⟩cod.txt") && shown.contains("b⟨U+200B⟩"),
                "{shown}"
            );
            ensure!(!shown.contains(['\u{202e}', '\u{200b}']), "{shown}");
            tab.until_there("[data-testid=hidden-characters]").await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_waits_for_the_relay_on_the_page_of_all_questions() -> Result<()> {
    let relay = Relay::start().await?;
    let tunnel = Proxy::start(relay.address()).await?;
    let (id, folder) = agent(&relay).await?;
    prompt(&relay, &id, EDIT).await?;
    Browser::run("a_decision_waits_for_the_relay", async |browser| {
        browser.expect_bad_network();
        let tab = browser.open(&format!("{}/approvals", tunnel.url())).await?;
        tab.until_there("[data-testid=allow]").await?;
        tunnel.refuse(true);
        tab.click("[data-testid=allow]").await?;
        tab.until_there("[data-testid=decision-waits]").await?;
        tunnel.refuse(false);
        tab.until_there("[data-testid=no-approvals]").await?;
        wait_until("the change", async || is_changed(folder.path())).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_questions_have_one_scroll_bar() -> Result<()> {
    let relay = Relay::start().await?;
    let mut folders = Vec::new();
    for _ in 0..6 {
        let (id, folder) = agent(&relay).await?;
        prompt(&relay, &id, EDIT).await?;
        folders.push(folder);
    }
    Browser::run("many_questions_have_one_scroll_bar", async |browser| {
        let tab = browser.open(&format!("{}/approvals", relay.url())).await?;
        let cards = "document.querySelectorAll('[data-testid=inbox-card]').length";
        tab.until("all cards", &format!("{cards} === 6")).await?;
        let heights = "[document.documentElement.scrollHeight, innerHeight].join(' ')";
        let heights: String = tab.evaluate(heights).await?;
        let (page, window) = heights.split_once(' ').context("no heights")?;
        ensure!(page == window, "the page is {page} px high in {window} px");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_command_shows_both_its_ends_and_that_some_is_missing() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    let command = format!("echo {} ; rm -rf ~", "x".repeat(9000));
    let question = json!({ "title": "Run", "kind": "execute", "rawInput": { "command": command } });
    prompt(&relay, &id, &format!("ask {question}")).await?;
    Browser::run("a_long_command_shows_both_its_ends", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        tab.until_there("[data-testid=question-truncated]").await?;
        let shown = tab.until_there("[data-testid=approval]").await?;
        ensure!(shown.contains("echo xxx") && shown.contains("; rm -rf ~"), "{shown}");
        let led = "document.querySelector('[data-testid=approval] .primary') !== null";
        ensure!(!tab.evaluate::<bool>(led).await?, "the page leads to allowing it");
        Ok(())
    })
    .await
}
