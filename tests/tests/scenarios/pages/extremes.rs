//! Content at the limits of what a page shows, and beyond.

use anyhow::{Result, ensure};
use moorline_tests::relay::Relay;
use serde_json::json;

use super::agents::{prompt, send, until_said};
use super::conversation::agent_of;
use crate::chromium::Browser;

const TRUNCATED: &str = "Part of this was too large to store.";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_megabytes_is_shown_in_part_and_the_page_stays_usable() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent_of(&relay, "flood 5000000\nsay end").await?;
    prompt(&relay, &id, "go").await?;
    Browser::run("a_message_of_megabytes", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        // A page that has followed it, and one that comes later.
        for _ in 0..2 {
            until_said(&tab, "end").await?;
            until_said(&tab, TRUNCATED).await?;
            let shown = "document.querySelector('[data-testid=agent-message]').innerText.length";
            let before: u64 = tab.evaluate(shown).await?;
            ensure!((1000..200_000).contains(&before), "{before} letters at once");
            tab.click("[data-testid=agent-message] [data-testid=show-more]").await?;
            tab.until("more of it", &format!("{shown} > {before}")).await?;
            tab.reload().await?;
        }
        until_said(&tab, "end").await?;
        send(&tab, "again").await?;
        let ends = "document.querySelectorAll('[data-testid=agent-message]').length === 4";
        tab.until("the next answer", ends).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn images_that_are_none_are_named_and_loaded_from_nowhere() -> Result<()> {
    let relay = Relay::start().await?;
    let image = |mime_type: &str, data: &str| {
        let image = json!({ "type": "image", "mimeType": mime_type, "data": data });
        json!({ "type": "content", "content": image })
    };
    let tool = json!({
        "title": "Draw", "kind": "other", "status": "completed",
        "content": [
            image("image/png", "bm9uZQ=="),
            image("image/svg+xml", "PHN2Zy8+"),
            image("text/html", "PGI+"),
            image("image/png", "https://example.org/a.png"),
            image("image/png", ""),
        ],
    });
    let (id, _folder) = agent_of(&relay, &format!("tool {tool}\nsay end")).await?;
    prompt(&relay, &id, "go").await?;
    Browser::run("images_that_are_none", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        until_said(&tab, "end").await?;
        tab.click("[data-testid=tool] summary").await?;
        for kind in ["image/svg+xml", "text/html", "image/png"] {
            until_said(&tab, &format!("[Image, {kind}]")).await?;
        }
        // One claims to be an image. It is none, and a sentence says so.
        until_said(&tab, "Image from the agent cannot be shown.").await?;
        let images = "document.querySelectorAll('[data-testid=tool] img').length";
        ensure!(tab.evaluate::<u64>(images).await? == 0);
        send(&tab, "again").await?;
        let tools = "document.querySelectorAll('[data-testid=tool]').length === 2";
        tab.until("the next answer", tools).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_language_from_the_right_keeps_its_code_from_the_left() -> Result<()> {
    let relay = Relay::start().await?;
    let text = "שלום `x = 1`, עולם\n\n- פריט\n\n  ```rust\n  // הערה\n  let a = 1;\n  ```\n\n```\nהערה\n```\n\nמסקנה";
    let (id, _folder) = agent_of(&relay, &format!("say {}", json!(text))).await?;
    prompt(&relay, &id, "مرحبا بالعالم").await?;
    Browser::run("a_language_from_the_right", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        until_said(&tab, "מסקנה").await?;
        for (what, directions) in [
            (".typed", "rtl"),
            (".block:has(> p)", "rtl rtl"),
            (".block:has(> ul)", "rtl"),
            (".prose code", "ltr ltr ltr"),
            (".prose pre", "ltr ltr"),
        ] {
            let all = format!("[...document.querySelectorAll('{what}')]");
            let found = format!("{all}.map(it => getComputedStyle(it).direction).join(' ')");
            let found: String = tab.evaluate(&found).await?;
            ensure!(found == directions, "{what}: {found}");
        }
        // The button that copies is at the end of the lines, not on their beginning.
        let apart = "[...document.querySelectorAll('.code')].map(it => {
            const words = document.createRange();
            words.selectNodeContents(it.querySelector('code'));
            const [line, button] = [words, it.querySelector('[data-copy]')]
                .map(it => it.getBoundingClientRect());
            return line.right < button.left;
        }).join(' ')";
        tab.until("the buttons apart", &format!("{apart} === 'true true'")).await
    })
    .await
}
