//! The list of sessions under a pointer.

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::json;

use super::steering::until_shown;
use crate::chromium::{Browser, Tab};

const ROWS: &str = "[...document.querySelectorAll('[data-testid=session-row]')]
    .map(row => row.dataset.session)";
const WAITING: &str = "[data-testid=waiting]";

fn row(id: &SessionId) -> String {
    format!("[data-testid=session-row][data-session='{id}']")
}

async fn rows(tab: &Tab) -> Result<Vec<String>> {
    tab.evaluate(ROWS).await
}

/// Waits until the page shows these sessions in this order.
async fn until_rows(tab: &Tab, expected: &[&SessionId]) -> Result<()> {
    let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
    wait_until(&format!("{expected:?}"), async || {
        rows(tab).await.is_ok_and(|rows| rows == expected)
    })
    .await
}

/// Starts a session that says each line back, and nothing else: its activity ends with that.
async fn echo(relay: &Relay, name: &str) -> Result<SessionId> {
    let id = format!("session-{name}");
    let command = ["sh", "-c", "stty -echo; while read -r line; do echo \"$line.\"; done"];
    let wish = json!({"sessionId": id, "name": name, "command": command});
    relay.api().expect(201, Method::POST, "/api/sessions", wish).await?;
    Ok(id.parse()?)
}

/// Makes a session the one with the latest activity. `line` is new to it.
async fn touch(relay: &Relay, id: &SessionId, line: &str) -> Result<()> {
    relay.api().prompt(id, line).await?;
    let (path, said) = (format!("/api/terminal/{id}/output"), format!("{line}."));
    wait_until("the answer", async || {
        relay.api().get_text(&path).await.is_ok_and(|(_, output)| output.contains(&said))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_does_not_move_under_a_pointer() -> Result<()> {
    let relay = Relay::start().await?;
    let (one, two) = (echo(&relay, "one").await?, echo(&relay, "two").await?);
    let three = echo(&relay, "three").await?;
    for id in [&one, &two, &three] {
        touch(&relay, id, "first").await?;
    }
    Browser::run("a_list_does_not_move_under_a_pointer", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        until_rows(&tab, &[&three, &two, &one]).await?;
        tab.hover(&row(&two)).await?;
        touch(&relay, &one, "second").await?;
        let four = echo(&relay, "four").await?;
        // The page has learned of the new session, and so of the activity before.
        until_shown(&tab, WAITING, "1 new").await?;
        let held = [&three, &two, &one].map(ToString::to_string);
        ensure!(rows(&tab).await? == held, "{:?}", rows(&tab).await?);
        // The row of a session that goes keeps its place too, and does nothing.
        relay.api().delete(&three).await?;
        until_shown(&tab, &format!("{}.gone", row(&three)), "deleted").await?;
        let is_inert = format!("document.querySelector(\"{}\").inert", row(&three));
        ensure!(rows(&tab).await? == held && tab.evaluate::<bool>(&is_inert).await?);
        // What is aimed at is what is hit.
        tab.click(&format!("{} [data-testid=delete]", row(&two))).await?;
        until_shown(&tab, "dialog[open]", "Delete two?").await?;
        tab.press("Escape").await?;
        tab.hover("[data-testid=shelf-title]").await?;
        tab.evaluate::<bool>("document.activeElement.blur(); true").await?;
        until_rows(&tab, &[&four, &one, &two]).await?;

        // The keyboard's focus holds it as well, until it leaves.
        tab.press("j").await?;
        touch(&relay, &two, "second").await?;
        let five = echo(&relay, "five").await?;
        until_shown(&tab, WAITING, "1 new").await?;
        ensure!(rows(&tab).await? == [&four, &one, &two].map(ToString::to_string));
        tab.evaluate::<bool>("document.activeElement.blur(); true").await?;
        until_rows(&tab, &[&five, &two, &four, &one]).await?;

        // An own deletion is not held, wherever the pointer is.
        tab.hover(&row(&four)).await?;
        tab.click(&format!("{} [data-testid=delete]", row(&two))).await?;
        tab.click("[data-testid=confirm]").await?;
        until_rows(&tab, &[&five, &four, &one]).await
    })
    .await
}
