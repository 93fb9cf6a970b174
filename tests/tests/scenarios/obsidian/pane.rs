//! The side pane, on desktops and phones.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::expected;
use moorline_tests::relay::TOKEN;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Vault, choose, draw, run, select, unload, until_notice, until_shown};
use crate::chromium::{Browser, Tab};
use crate::pages::agents::{EDIT, agent, prompt};

async fn no_overflow(tab: &Tab) -> Result<()> {
    let overflow: i64 = tab
        .evaluate("Math.max(0, ...[document.documentElement, ...document.querySelectorAll('.moorline-pane, .moorline-approval')]
            .map((it) => it.scrollWidth - it.clientWidth))")
        .await?;
    ensure!(overflow == 0, "{overflow} pixels too wide");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pane_lists_starts_and_ends_sessions() -> Result<()> {
    let vault = Vault::start().await?;
    let elsewhere = vault.relay.api().run_ready(expected::shell()).await?;
    Browser::run_with_frames("the_pane_lists_starts_and_ends", async |browser| {
        let tab = vault.open(browser, TOKEN).await?;
        draw(&tab, "# Work\nA note.\n").await?;
        run(&tab, "show-sessions").await?;
        until_shown(&tab, ".moorline-bar-title", "Garden").await?;
        tab.until_there(".moorline-empty").await?;
        tab.click(".moorline-create").await?;
        tab.until_there(".moorline-stage .moorline-panel.is-drawn").await?;
        tab.until("the focus", "document.activeElement.localName === 'iframe'").await?;
        tab.type_text("pwd; echo shell-$((6*7))\n").await?;
        tab.until_framed_text("shell-42").await?;
        // It runs in the vault's folder, in the project that was made for the vault.
        let sessions = vault.relay.api().list().await?;
        let own = sessions.iter().find(|session| session.session_id != elsewhere);
        let own = own.map(|session| {
            (session.session_id.clone(), session.cwd.clone(), session.project.clone())
        });
        let Some((session, Some(cwd), Some(project))) = own else { anyhow::bail!("{sessions:?}") };
        ensure!(cwd == vault.folder.path().display().to_string(), "{cwd}");
        ensure!(project.as_str() == vault.project().await?, "{project:?}");

        tab.click("[aria-label='Back to the list']").await?;
        let row = format!(".moorline-row[data-session='{session}']");
        tab.until_there(&row).await?;
        tab.until_gone(&format!(".moorline-row[data-session='{elsewhere}']")).await?;
        no_overflow(&tab).await?;
        // What happens elsewhere shows at once.
        vault.adopt(&elsewhere).await?;
        tab.until_there(&format!(".moorline-row[data-session='{elsewhere}']")).await?;
        tab.click(&format!("{row} [aria-label='End']")).await?;
        tab.click(".modal .mod-warning").await?;
        tab.until_gone(&row).await?;
        ensure!(vault.relay.api().list().await?.len() == 1);
        // A shell for the note, in the note's folder.
        std::fs::create_dir(vault.folder.path().join("Notes"))?;
        run(&tab, "open-shell").await?;
        tab.until_there("#tabs .moorline-panel.is-drawn").await?;
        until_shown(&tab, ".moorline-list", "Idle in Notes").await?;
        unload(&tab).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_in_the_pane_on_a_phone() -> Result<()> {
    let vault = Vault::start().await?;
    let (id, folder) = agent(&vault.relay).await?;
    vault.adopt(&id).await?;
    let scope = format!("project:{}:write", vault.project().await?);
    let token = vault.relay.api().token(&scope).await?;
    Browser::run_with_frames("a_question_is_answered_in_the_pane", async |browser| {
        let tab = vault.open_on_phone(browser, &token).await?;
        run(&tab, "show-approvals").await?;
        let row = format!(".moorline-row[data-session='{id}']");
        tab.until_there(&row).await?;
        prompt(&vault.relay, &id, EDIT).await?;
        until_shown(&tab, ".moorline-approval", "+ fn add() { 1 + 2 }").await?;
        until_shown(&tab, ".moorline-approval", "- fn add() { 1 - 2 }").await?;
        until_shown(&tab, &row, "Waiting for you").await?;
        no_overflow(&tab).await?;
        let small: u64 = tab
            .evaluate("[...document.querySelectorAll('.moorline-pane button:not(.moorline-link)')].filter((it) => it.offsetHeight < 44).length")
            .await?;
        ensure!(small == 0, "{small} buttons are too small for a finger");
        tab.tap(".moorline-approval [data-answer=allow]").await?;
        let file = || std::fs::read_to_string(folder.path().join("lib.rs")).unwrap_or_default();
        wait_until("the file", async || file().contains("1 + 2")).await?;
        tab.until_gone(".moorline-approval").await?;

        // A prompt from a note, to an agent that is chosen once.
        draw(&tab, "# Work\n").await?;
        select(&tab, "A note that says more: say from-the-note", "say from-the-note").await?;
        run(&tab, "send-selection").await?;
        choose(&tab, "Fixer").await?;
        until_notice(&tab, "Sent to Fixer").await?;
        tab.tap(&format!("{row} .moorline-row-main")).await?;
        until_said(&tab, "from-the-note").await?;
        select(&tab, "say once-more", "say once-more").await?;
        run(&tab, "send-selection").await?;
        until_said(&tab, "once-more").await?;
        no_overflow(&tab).await?;
        unload(&tab).await
    })
    .await
}

/// Waits until the conversation has a text both in the prompt and in the agent's answer.
async fn until_said(tab: &Tab, text: &str) -> Result<()> {
    let said = format!("document.body.innerText.split({text:?}).length > 2");
    tab.until_in_frame(&format!("the answer {text}"), &said).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_from_a_note_has_the_note_as_context() -> Result<()> {
    let vault = Vault::start().await?;
    let note = vault.folder.path().join("Notes/Work.md");
    std::fs::create_dir(vault.folder.path().join("Notes"))?;
    std::fs::write(&note, "# Work\n")?;
    let command = [env!("CARGO_BIN_EXE_moorline-acp-peer"), "agent"];
    let wish = json!({ "driver": "agent", "command": command, "name": "Gardener",
        "cwd": vault.folder.path(), "project": vault.project().await? });
    let made = vault.relay.api().expect(201, Method::POST, "/api/sessions", wish).await?;
    let id = made["sessionId"].as_str().context("no id")?;
    Browser::run_with_frames("a_prompt_from_a_note", async |browser| {
        let tab = vault.open(browser, TOKEN).await?;
        draw(&tab, "# Work\n").await?;
        select(&tab, "say hello", "say hello").await?;
        run(&tab, "send-selection").await?;
        choose(&tab, "Gardener").await?;
        until_notice(&tab, "Sent to Gardener").await?;
        let turn = async || {
            let list: Value = vault.relay.api().get(&format!("/api/session/{id}/prompts")).await?;
            anyhow::Ok(list["turns"][0].clone())
        };
        let is_done = async || turn().await.is_ok_and(|turn| turn["state"] == "done");
        wait_until("the turn", is_done).await?;
        let turn = turn().await?;
        ensure!(turn["prompt"]["files"] == json!([note]), "{turn}");
        // What the agent said goes into a note as well.
        select(&tab, "HERE", "HERE").await?;
        run(&tab, "insert-output").await?;
        choose(&tab, "Gardener").await?;
        let inserted =
            "document.querySelector('#editor').value === '```text\\n> say hello\\nhello\\n```\\n'";
        let waited = tab.until("the conversation", inserted).await;
        let instead: String = tab.evaluate("document.querySelector('#editor').value").await?;
        waited.context(instead)?;
        unload(&tab).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_denied_in_the_pane() -> Result<()> {
    let vault = Vault::start().await?;
    let (id, folder) = agent(&vault.relay).await?;
    vault.adopt(&id).await?;
    prompt(&vault.relay, &id, EDIT).await?;
    Browser::run_with_frames("a_question_is_denied_in_the_pane", async |browser| {
        let tab = vault.open(browser, TOKEN).await?;
        run(&tab, "show-approvals").await?;
        tab.click(".moorline-approval [data-answer=deny]").await?;
        tab.until_gone(".moorline-approval").await?;
        let decided = async || {
            let status = vault.relay.api().status(&id).await;
            status
                .is_ok_and(|status| status.summary.agent.is_some_and(|agent| agent.approvals == 0))
        };
        wait_until("the decision", decided).await?;
        let file = std::fs::read_to_string(folder.path().join("lib.rs"))?;
        ensure!(file.contains("1 - 2"), "{file}");
        unload(&tab).await
    })
    .await
}
