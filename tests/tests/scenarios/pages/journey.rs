//! A day with an agent session: a phone in a tunnel, another device, and an editor.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::acp::AcpClient;
use moorline_tests::proxy::Proxy;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use serde_json::json;

use super::agents::{EDIT, NOTICES, prompt, until_said};
use crate::chromium::{Browser, Tab};

/// Picks an image, as the phone's gallery would: a picture of one colour.
const PICK_IMAGE: &str = "(async () => {
    const canvas = new OffscreenCanvas(64, 48);
    canvas.getContext('2d').fillRect(0, 0, 64, 48);
    const files = new DataTransfer();
    const blob = await canvas.convertToBlob({ type: 'image/png' });
    files.items.add(new File([blob], 'a.png', { type: 'image/png' }));
    const field = document.querySelector('[data-testid=pick-image]');
    field.files = files.files;
    return field.dispatchEvent(new Event('change', { bubbles: true }));
})()";

/// True once a prompt shows its image.
const IMAGE: &str = "document.querySelector('.asked .sent-images img')?.naturalWidth === 64";

/// Starts the scripted agent with the form for new sessions, in a folder that has `lib.rs`.
async fn start_agent(tab: &Tab, folder: &std::path::Path) -> Result<SessionId> {
    tab.click("[data-testid=create-custom]").await?;
    tab.click("[data-testid=drivers] [value=agent]").await?;
    let own = "(() => {
        const agent = document.querySelector('dialog[open] [data-testid=agent]');
        if (!agent) return false;
        agent.value = '';
        return agent.dispatchEvent(new Event('change', { bubbles: true }));
    })()";
    tab.until("the choice of an own command", own).await?;
    for (field, text) in [
        ("command", format!("{} agent", env!("CARGO_BIN_EXE_moorline-acp-peer"))),
        ("cwd", folder.display().to_string()),
        ("name", "Fixer".to_owned()),
    ] {
        tab.click_into(&format!("dialog[open] [data-testid={field}]")).await?;
        tab.type_text(&text).await?;
    }
    tab.click("[data-testid=start]").await?;
    tab.until_there("[data-testid=composer]").await?;
    session_of(tab).await
}

/// Returns the session whose page is open.
async fn session_of(tab: &Tab) -> Result<SessionId> {
    let path: String = tab.evaluate("location.pathname").await?;
    Ok(path.rsplit('/').next().context("no id")?.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_used_from_a_phone_another_device_and_an_editor() -> Result<()> {
    let relay = Relay::start().await?;
    let tunnel = Proxy::start(relay.address()).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("lib.rs");
    std::fs::write(&file, "fn add() { 1 - 2 }\n")?;
    let text = || std::fs::read_to_string(&file).unwrap_or_default();
    Browser::run("an_agent_is_used_from_a_phone", async |browser| {
        browser.expect_bad_network();
        let phone = browser.open(&format!("{}/sessions", tunnel.url())).await?;
        phone.resize(390, 844, true).await?;
        let id = start_agent(&phone, folder.path()).await?;
        // A prompt with an image, whose question comes while the phone is in a tunnel.
        // The button comes once the agent has said that it takes images.
        let picker = "document.querySelector('[data-testid=pick-image]') !== null";
        phone.until("the button for images", picker).await?;
        phone.evaluate::<bool>(PICK_IMAGE).await?;
        phone.until_there(".picture").await?;
        phone.click_into("[data-testid=composer]").await?;
        phone.type_text("images").await?;
        phone.click("[data-testid=send-prompt]").await?;
        until_said(&phone, "images: 1").await?;
        phone.until("the image in the prompt", IMAGE).await?;
        tunnel.refuse(true);
        prompt(&relay, &id, EDIT).await?;
        // Another device allows the change.
        let other = browser.open(&format!("{}/approvals", relay.url())).await?;
        other.click("[data-testid=allow]").await?;
        other.until_there("[data-testid=no-approvals]").await?;
        wait_until("the change", async || text().contains("1 + 2")).await?;
        // The phone comes back, sees what was decided, and reverts it.
        tunnel.refuse(false);
        let decided = phone.until_there("[data-testid=decided]").await?;
        ensure!(decided.contains("Allowed"), "{decided}");
        phone.click("[data-testid=review] summary").await?;
        phone.click("[data-testid=hunk] [data-testid=revert]").await?;
        wait_until("the old text", async || text() == "fn add() { 1 - 2 }\n").await?;
        // While its page is hidden, it hears of the next question.
        phone.evaluate::<bool>(NOTICES).await?;
        phone.click("[data-testid=menu-button]").await?;
        phone.click("[data-testid=notices]").await?;
        let hide = "Object.defineProperty(document, 'visibilityState', { value: 'hidden' }); true";
        phone.evaluate::<bool>(hide).await?;
        prompt(&relay, &id, EDIT).await?;
        phone.until("the notice", "told.length === 1 && told[0] === '1 question: Fixer'").await?;
        other.click("[data-testid=deny]").await?;
        phone.until("no question in the title", "!document.title.startsWith('(')").await?;
        // An editor attaches to the same session, and goes on.
        let mut editor = AcpClient::stdio(&relay, &[id.as_str()]).await?;
        editor.open("session/load", &id, json!({})).await?;
        let asked = editor.prompt(&id, "say from the editor").await?;
        let answer = editor.answer(asked).await?;
        ensure!(answer["stopReason"] == "end_turn", "{answer}");
        until_said(&phone, "from the editor").await?;
        // The first prompt is tried again, in a fork that begins before it.
        phone.click("[data-testid=user-message] [data-testid=fork-message]").await?;
        phone.until("another session", &format!("!location.pathname.endsWith('/{id}')")).await?;
        let draft = "document.querySelector('[data-testid=composer]')?.value === 'images'";
        phone.until("the prompt as a draft", draft).await?;
        let said = "document.querySelectorAll('[data-testid=user-message]').length === 0";
        phone.until("that it has no prompt", said).await?;
        phone.until_there(".picture img").await?;
        phone.click("[data-testid=send-prompt]").await?;
        until_said(&phone, "images: 1").await?;
        phone.until("the image in the prompt", IMAGE).await
    })
    .await
}
