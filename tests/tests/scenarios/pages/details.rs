//! Parts of a conversation: footnotes, and the room that is left for it.

use anyhow::{Result, ensure};
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use serde_json::json;

use super::agents::{EDIT, agent, prompt, until_said};
use crate::chromium::Browser;

#[tokio::test(flavor = "multi_thread")]
async fn a_footnote_is_reached_from_its_mark() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    let text = "As it says[^1].\n\n[^1]: In the *manual*.\n\nThe end.";
    prompt(&relay, &id, &format!("say {}", json!(text))).await?;
    Browser::run("a_footnote_is_reached", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        until_said(&tab, "The end.").await?;
        tab.click(".footnote-mark").await?;
        let note = "document.activeElement.matches('.footnote') && location.hash === ''";
        tab.until("the focus on the note", note).await?;
        let text: String = tab.evaluate("document.activeElement.innerText").await?;
        ensure!(text.contains("In the manual."), "{text}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smallest_phone_has_room_for_the_conversation() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    Browser::run("the_smallest_phone_has_room", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        tab.resize(320, 568, true).await?;
        prompt(&relay, &id, EDIT).await?;
        tab.click("[data-testid=allow]").await?;
        let file = || std::fs::read_to_string(folder.path().join("lib.rs")).unwrap_or_default();
        wait_until("the change", async || file().contains("1 + 2")).await?;
        let plan = json!([{ "content": "Mend it", "status": "in_progress", "priority": "high" }]);
        prompt(&relay, &id, &format!("plan {plan}\nsay busy\nhang")).await?;
        for text in ["say one", "say two"] {
            prompt(&relay, &id, text).await?;
        }
        for part in ["plan", "review", "queue"] {
            tab.until(part, &format!("document.querySelector('[data-testid={part}]') !== null"))
                .await?;
        }
        let height = "document.querySelector('.conversation-view').clientHeight";
        let height: u64 = tab.evaluate(height).await?;
        ensure!(height >= 180, "{height} px are left");
        let overflow: i64 =
            tab.evaluate("document.documentElement.scrollWidth - innerWidth").await?;
        ensure!(overflow <= 0, "{overflow} too wide");
        Ok(())
    })
    .await
}
