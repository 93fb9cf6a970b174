//! The conversation of an agent, as people see and use it.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::proxy::Proxy;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use super::look;
use crate::chromium::{Browser, Tab};

/// A scripted agent whose folder has `lib.rs`.
pub(crate) async fn agent(relay: &Relay) -> Result<(SessionId, TempDir)> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("lib.rs"), "fn add() { 1 - 2 }\n")?;
    let command = [env!("CARGO_BIN_EXE_moorline-acp-peer"), "agent"];
    let wish =
        json!({ "driver": "agent", "command": command, "cwd": folder.path(), "name": "Fixer" });
    let created = relay.api().expect(201, Method::POST, "/api/sessions", wish).await?;
    let id = created["sessionId"].as_str().context("no id")?.parse()?;
    Ok((id, folder))
}

pub(crate) async fn prompt(relay: &Relay, id: &SessionId, script: &str) -> Result<()> {
    let path = format!("/api/session/{id}/prompt");
    relay.api().expect(200, Method::POST, &path, json!({ "command": script })).await?;
    Ok(())
}

/// Types a prompt on the page, after the draft that is there, and sends it with the button.
pub(super) async fn send(tab: &Tab, text: &str) -> Result<()> {
    const FIELD: &str = "[data-testid=composer]";
    tab.type_into(FIELD, text).await?;
    tab.click("[data-testid=send-prompt]").await?;
    let is_sent = format!("document.querySelector('{FIELD}').value === ''");
    tab.until("that it was sent", &is_sent).await
}

pub(super) async fn until_said(tab: &Tab, text: &str) -> Result<()> {
    let script = format!(
        "document.querySelector('[data-testid=conversation]').innerText.includes({})",
        json!(text)
    );
    tab.until(&format!("{text:?} in the conversation"), &script).await
}

pub(crate) const EDIT: &str = "edit lib.rs \"fn add() { 1 + 2 }\\n\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_is_sent_and_its_question_answered_on_a_phone() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    Browser::run("a_prompt_is_sent_on_a_phone", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        tab.resize(390, 844, true).await?;
        tab.until_there("[data-testid=composer]").await?;
        send(&tab, EDIT).await?;
        let asked = tab.until_there("[data-testid=approval]").await?;
        ensure!(asked.contains("1 + 2") && asked.contains("1 - 2"), "{asked}");
        tab.until("the count", "document.title.startsWith('(1) ')").await?;
        for width in [320, 390] {
            tab.resize(width, 844, true).await?;
            let overflow = "document.documentElement.scrollWidth - innerWidth";
            let overflow: i64 = tab.evaluate(overflow).await?;
            ensure!(overflow <= 0, "{overflow} too wide at {width}");
        }
        tab.click("[data-testid=allow]").await?;
        let decided = tab.until_there("[data-testid=decided]").await?;
        ensure!(decided.contains("Allowed"), "{decided}");
        tab.until_gone("[data-testid=stop]").await?;
        let file = || std::fs::read_to_string(folder.path().join("lib.rs")).unwrap_or_default();
        wait_until("the file", async || file().contains("1 + 2")).await?;
        // A page that is opened again shows the same.
        tab.reload().await?;
        tab.until_there("[data-testid=decided]").await?;
        until_said(&tab, "edit lib.rs").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_waits_for_the_network_and_arrives_once() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    let proxy = Proxy::start(relay.address()).await?;
    Browser::run("a_prompt_waits_for_the_network", async |browser| {
        browser.expect_bad_network();
        let tab = browser.open(&format!("{}/session/{id}", proxy.url())).await?;
        send(&tab, "say one").await?;
        until_said(&tab, "one").await?;
        proxy.refuse(true);
        send(&tab, "say two").await?;
        tab.until_there("[data-testid=unsent]").await?;
        proxy.refuse(false);
        until_said(&tab, "two").await?;
        tab.until_gone("[data-testid=unsent]").await?;
        let prompts = "document.querySelectorAll('[data-testid=user-message]').length";
        ensure!(tab.evaluate::<u64>(prompts).await? == 2);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_of_all_sessions_are_on_one_page_and_go_when_they_are_decided() -> Result<()> {
    let relay = Relay::start().await?;
    let (one, _folder) = agent(&relay).await?;
    let (other, _other_folder) = agent(&relay).await?;
    for id in [&one, &other] {
        prompt(&relay, id, EDIT).await?;
    }
    Browser::run("questions_of_all_sessions", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        tab.until(
            "the link",
            "document.querySelector('[data-testid=asks-link]').textContent === '2 questions'",
        )
        .await?;
        tab.click("[data-testid=asks-link]").await?;
        let count = "document.querySelectorAll('[data-testid=inbox-card]').length";
        tab.until("two cards", &format!("{count} === 2")).await?;
        tab.click("[data-testid=allow]").await?;
        tab.until("one card", &format!("{count} === 1")).await?;
        // Somebody else decides about the last one.
        let open = relay.api().expect(200, Method::GET, "/api/approvals", json!(null)).await?;
        let card = &open["approvals"][0];
        let session = card["sessionId"].as_str().context("no session")?;
        let approval = card["approvalId"].as_str().context("no approval")?;
        let path = format!("/api/session/{session}/approvals/{approval}");
        relay.api().expect(200, Method::POST, &path, json!({ "approved": false })).await?;
        tab.until_there("[data-testid=no-approvals]").await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_decided_says_so_before_its_list_does() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    prompt(&relay, &id, EDIT).await?;
    Browser::run("a_question_that_is_decided_says_so", async |browser| {
        let tab = browser.open(&format!("{}/approvals", relay.url())).await?;
        let card = "[data-testid=inbox-card]";
        tab.until_there(card).await?;
        // From now on the list does not arrive.
        let late = "window.original = window.fetch; window.fetch = (request, options) =>
            (request.url ?? request).endsWith('/api/approvals')
                ? new Promise(() => {})
                : window.original(request, options); true";
        tab.evaluate::<bool>(late).await?;
        tab.click(&format!("{card} [data-testid=allow]")).await?;
        let told = tab.until_there(&format!("{card} [data-testid=decided]")).await?;
        ensure!(told.starts_with("Allowed"), "{told}");
        let answers = format!("document.querySelectorAll('{card} button').length");
        ensure!(tab.evaluate::<u64>(&answers).await? == 0, "it can still be answered");
        let file = || std::fs::read_to_string(folder.path().join("lib.rs")).unwrap_or_default();
        wait_until("the file", async || file().contains("1 + 2")).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_an_agent_says_is_run() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    let hostile = "<img src=x onerror=\\\"window.ran=1\\\"><script>window.ran=1</script>\
                   [link](javascript:window.ran=1)\\n\\n```\\n</code><script>window.ran=1</script>";
    prompt(&relay, &id, &format!("say \"{hostile}\"")).await?;
    prompt(&relay, &id, &format!("tool {{\"title\":\"{hostile}\",\"kind\":\"{hostile}\"}}"))
        .await?;
    let code = "```html\\n</code><script>window.ran=1</script><img src=x>\\n```";
    prompt(&relay, &id, &format!("say \"{code}\"")).await?;
    prompt(&relay, &id, "update-unknown {\"x\":\"<script>window.ran=1</script>\"}\nsay end")
        .await?;
    Browser::run("nothing_that_an_agent_says_is_run", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        until_said(&tab, "end").await?;
        tab.until_there("[data-testid=agent-message] .hljs-tag").await?;
        let found = "document.querySelectorAll('[data-testid=conversation] :is(script, img, \
                     [href^=javascript])').length";
        ensure!(tab.evaluate::<u64>(found).await? == 0);
        ensure!(tab.evaluate::<bool>("window.ran === undefined").await?);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn code_has_colours_and_is_copied() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    let code =
        "- so:\\n\\n  ```rust\\n  fn add() {}\\n  ```\\n\\n```no-such-language\\nx < y\\n```";
    prompt(&relay, &id, &format!("say \"{code}\"")).await?;
    Browser::run("code_has_colours_and_is_copied", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        let word = tab.until_there("[data-testid=agent-message] li .hljs-keyword").await?;
        ensure!(word == "fn", "{word}");
        until_said(&tab, "x < y").await?;
        let copied = "window.copied = []; navigator.clipboard.writeText = async text => { copied.push(text) }; true";
        tab.evaluate::<bool>(copied).await?;
        tab.click("[data-testid=agent-message] li [data-copy]").await?;
        tab.until("the copy", "copied.length === 1 && copied[0] === 'fn add() {}\\n'").await?;
        let button = "document.querySelector('li [data-copy]').textContent";
        tab.until("that it says so", &format!("{button} === 'Copied'")).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_can_be_used_by_all() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    let script = "think \"hm\"\nplan [{\"content\":\"Step\",\"status\":\"pending\"}]\n\
                  tool {\"title\":\"Read\",\"kind\":\"read\",\"status\":\"completed\"}\n\
                  say \"# Title\\n\\n- a\\n\\n| a |\\n|---|\\n| b |\\n\\n```rust\\n/* a */ fn b(c: u8) -> &'static str { return \\\"d\\\"; } // 1\\n```\"\n";
    prompt(&relay, &id, &format!("{script}{EDIT}")).await?;
    prompt(&relay, &id, "say later").await?;
    let axe = look::axe()?;
    Browser::run("a_conversation_can_be_used_by_all", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        tab.until_there("[data-testid=approval]").await?;
        tab.until_there("[data-testid=queued]").await?;
        let mut found = look::scan(&tab, "the conversation", &axe).await?;
        tab.go_to(&format!("{}/approvals", relay.url())).await?;
        tab.until_there("[data-testid=inbox-card]").await?;
        found.extend(look::scan(&tab, "/approvals", &axe).await?);
        ensure!(found.is_empty(), "{}", found.join("\n"));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_by_keys_only_when_it_has_the_focus() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    prompt(&relay, &id, EDIT).await?;
    Browser::run("a_question_is_answered_by_keys", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        tab.until_there("[data-testid=approval]").await?;
        // Somebody who types a prompt does not decide.
        tab.click_into("[data-testid=composer]").await?;
        tab.type_text("1").await?;
        tab.click_into("[data-testid=reason]").await?;
        tab.type_text("1").await?;
        ensure!(
            tab.evaluate::<bool>("document.querySelector('[data-testid=approval]') !== null")
                .await?
        );
        tab.evaluate::<bool>("document.querySelector('[data-testid=approval]').focus(); true")
            .await?;
        tab.press("1").await?;
        tab.until_there("[data-testid=decided]").await?;
        let file = || std::fs::read_to_string(folder.path().join("lib.rs")).unwrap_or_default();
        wait_until("the file", async || file().contains("1 + 2")).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_reverted_by_hunk() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    prompt(&relay, &id, EDIT).await?;
    Browser::run("a_change_is_reverted_by_hunk", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        tab.click("[data-testid=allow]").await?;
        let told = tab.until_there("[data-testid=review] summary").await?;
        ensure!(told.contains("1 file changed"), "{told}");
        tab.click("[data-testid=review] summary").await?;
        let hunk = tab.until_there("[data-testid=hunk]").await?;
        ensure!(hunk.contains("1 + 2") && hunk.contains("1 - 2"), "{hunk}");
        // Its lines have numbers, which are not selected with them.
        let lines = "(() => {
            const lines = document.querySelector('[data-testid=hunk] pre');
            const added = lines.querySelector('[data-side=added]');
            getSelection().selectAllChildren(lines);
            return [getComputedStyle(added, '::before').content, getSelection().toString()];
        })()";
        let (number, selected): (String, String) = tab.evaluate(lines).await?;
        ensure!(number.contains('1'), "{number}");
        ensure!(selected.starts_with("-fn add") && !selected.contains("1 -fn"), "{selected}");
        tab.click("[data-testid=hunk] [data-testid=revert]").await?;
        let file = || std::fs::read_to_string(folder.path().join("lib.rs")).unwrap_or_default();
        wait_until("the old text", async || file() == "fn add() { 1 - 2 }\n").await?;
        tab.until_gone("[data-testid=review]").await
    })
    .await
}

/// The system's notices, which a test cannot see: a stand-in that records them.
pub(super) const NOTICES: &str =
    "window.told = []; window.Notification = class extends EventTarget {
    static permission = 'granted';
    static requestPermission() { return Promise.resolve('granted'); }
    constructor(title, { body }) { super(); told.push(`${title}: ${body}`); }
    close() {}
}; true";

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_page_tells_of_a_question() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    Browser::run("a_hidden_page_tells_of_a_question", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        tab.until_there("[data-testid=session-row]").await?;
        tab.evaluate::<bool>(NOTICES).await?;
        tab.click("[data-testid=menu-button]").await?;
        tab.click("[data-testid=notices]").await?;
        let hide = "Object.defineProperty(document, 'visibilityState', { value: 'hidden' }); true";
        tab.evaluate::<bool>(hide).await?;
        prompt(&relay, &id, EDIT).await?;
        tab.until("the notice", "told.length === 1 && told[0] === '1 question: Fixer'").await?;
        tab.until("the count", "document.title.startsWith('(1) ')").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_is_shown_as_a_terminal_would() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    prompt(&relay, &id, "say Hello, transcript.").await?;
    Browser::run("a_transcript_is_shown_as_a_terminal_would", async |browser| {
        let tab = browser.open(&format!("{}/terminal/{id}", relay.url())).await?;
        tab.until_text("Hello, transcript.").await?;
        let text = tab.text().await?;
        ensure!(!text.contains("\"summary\""), "{text}");
        Ok(())
    })
    .await
}
