//! The list of sessions under a pointer.

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;

use super::steering::{shell, until_shown};
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

/// Makes a session the one with the latest activity.
async fn touch(relay: &Relay, id: &SessionId) -> Result<()> {
    let before = relay.api().status(id).await?.summary.last_activity;
    relay.api().prompt(id, "true").await?;
    wait_until("the activity", async || {
        relay.api().status(id).await.is_ok_and(|now| now.summary.last_activity > before)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_does_not_move_under_a_pointer() -> Result<()> {
    let relay = Relay::start().await?;
    let (one, two) = (shell(&relay, "one").await?, shell(&relay, "two").await?);
    let three = shell(&relay, "three").await?;
    // A shell that has just started may still show its prompt after another one was used.
    let wanted = [&three, &two, &one].map(ToString::to_string);
    wait_until("the order of use", async || {
        for id in [&one, &two, &three] {
            if touch(&relay, id).await.is_err() {
                return false;
            }
        }
        let mut all = relay.api().list().await.unwrap_or_default();
        all.sort_by(|one, other| other.last_activity.cmp(&one.last_activity));
        all.iter().map(|session| session.session_id.to_string()).eq(wanted.iter().cloned())
    })
    .await?;
    Browser::run("a_list_does_not_move_under_a_pointer", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        until_rows(&tab, &[&three, &two, &one]).await?;
        tab.hover(&row(&two)).await?;
        touch(&relay, &one).await?;
        let four = shell(&relay, "four").await?;
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
        touch(&relay, &two).await?;
        let five = shell(&relay, "five").await?;
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
