//! What is put into a prompt besides its text.

use anyhow::{Result, ensure};
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::json;

use super::agents::{agent, prompt, send, until_said};
use crate::chromium::{Browser, Tab};

/// An image of one pixel.
const PIXEL: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0!\xf9\x04\0\0\0\0\0,\0\0\0\0\
    \x01\0\x01\0\0\x02\x02D\x01\0;";

async fn count(tab: &Tab, selector: &str) -> Result<u64> {
    tab.evaluate(&format!("document.querySelectorAll({}).length", json!(selector))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_dropped_anywhere_and_the_page_stays() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    let (image, other) = (folder.path().join("pixel.gif"), folder.path().join("lib.rs"));
    std::fs::write(&image, PIXEL)?;
    Browser::run("files_are_dropped_anywhere", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        // What takes images is loaded behind the page.
        tab.until_there("[data-testid=pick-image]").await?;
        tab.evaluate::<bool>("window.is_the_same = true").await?;
        // The middle of the conversation, far from the field.
        let middle = (400.0, 250.0);
        let files = [image, other.clone()];
        tab.drag_files(middle, &files).await?;
        tab.until_there("[data-testid=drop-target]").await?;
        tab.drop_files(middle, &files).await?;
        tab.until_there(".picture").await?;
        tab.until_gone("[data-testid=drop-target]").await?;
        let told = tab.until_there("[data-testid=prompt-refused]").await?;
        ensure!(told.contains("lib.rs") && !told.contains("pixel.gif"), "{told}");
        ensure!(count(&tab, ".picture").await? == 1);
        ensure!(tab.evaluate::<bool>("window.is_the_same === true").await?, "the page has gone");
        // Nothing takes files here.
        tab.go_to(&format!("{}/sessions", relay.url())).await?;
        tab.until_there("[data-testid=session-row]").await?;
        tab.evaluate::<bool>("window.is_the_same = true").await?;
        tab.drag_files(middle, std::slice::from_ref(&other)).await?;
        tab.drop_files(middle, &[other]).await?;
        tab.until_there("[data-testid=session-row]").await?;
        ensure!(tab.evaluate::<bool>("window.is_the_same === true").await?, "the list has gone");
        Ok(())
    })
    .await
}

/// True once as many images are shown in this part of the page.
fn shows_images(place: &str, count: usize) -> String {
    let all = format!("[...document.querySelectorAll({})]", json!(format!("{place} img")));
    format!("{all}.length === {count} && {all}.every(it => it.naturalWidth === 1)")
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_prompts_are_shown_kept_and_forked() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    let image = folder.path().join("pixel.gif");
    std::fs::write(&image, PIXEL)?;
    Browser::run("images_of_prompts_are_shown", async |browser| {
        let address = format!("{}/session/{id}", relay.url());
        let tab = browser.open(&address).await?;
        tab.until_there("[data-testid=pick-image]").await?;
        let (middle, files) = ((400.0, 250.0), [image.clone(), image.clone()]);
        tab.drag_files(middle, &files).await?;
        tab.until_there("[data-testid=drop-target]").await?;
        tab.drop_files(middle, &files).await?;
        tab.until("two pictures", "document.querySelectorAll('.picture').length === 2").await?;
        // They are part of the draft.
        tab.reload().await?;
        tab.until("the pictures", "document.querySelectorAll('.picture img').length === 2").await?;
        send(&tab, "images").await?;
        until_said(&tab, "images: 2").await?;
        tab.until("the images", &shows_images(".asked .sent-images", 2)).await?;
        tab.click(".sent-image").await?;
        tab.until_there("[data-testid=full-image] .full-image").await?;
        tab.click("[data-testid=full-image] .button").await?;
        tab.until_gone("[data-testid=full-image] .full-image").await?;
        // Another page reads them from the log.
        tab.reload().await?;
        tab.until("the images", &shows_images(".asked .sent-images", 2)).await?;

        // A prompt of another client, which waits for its turn.
        prompt(&relay, &id, "say busy\nhang").await?;
        until_said(&tab, "busy").await?;
        let data = base64(PIXEL);
        let queued = json!({ "command": "images",
            "images": [{ "mimeType": "image/gif", "data": data }] });
        let path = format!("/api/session/{id}/prompt");
        relay.api().expect(200, Method::POST, &path, queued).await?;
        tab.until("the queued image", &shows_images("[data-testid=queued]", 1)).await?;

        fork(&tab, "user", 0).await?;
        until_draft(&tab, "images").await?;
        tab.until("the draft's pictures", "document.querySelectorAll('.picture img').length === 2")
            .await?;
        tab.click("[data-testid=send-prompt]").await?;
        until_said(&tab, "images: 2").await?;
        tab.until("the images", &shows_images(".asked .sent-images", 2)).await
    })
    .await
}

fn base64(data: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(data)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_prompt_is_folded() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    Browser::run("a_long_prompt_is_folded", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        let lines: String = (0..1500).map(|line| format!("# line {line} of it\n")).collect();
        prompt(&relay, &id, &format!("say read\n{lines}")).await?;
        let typed = "document.querySelector('[data-testid=user-message]').innerText";
        tab.until_there("[data-testid=user-message] [data-testid=show-more]").await?;
        let is_part = format!("{typed}.includes('line 1 of') && !{typed}.includes('line 1499 of')");
        ensure!(tab.evaluate::<bool>(&is_part).await?);
        tab.click("[data-testid=user-message] [data-testid=show-more]").await?;
        tab.until("all of it", &format!("{typed}.includes('line 1499 of')")).await?;
        tab.until_gone("[data-testid=user-message] [data-testid=show-more]").await
    })
    .await
}

/// Clicks on the button that forks at the message of this kind and number.
async fn fork(tab: &Tab, kind: &str, number: usize) -> Result<()> {
    let address: String = tab.evaluate("location.pathname").await?;
    let buttons = format!("[data-testid={kind}-message] [data-testid=fork-message]");
    let click = format!("document.querySelectorAll({})[{number}].click(); true", json!(buttons));
    tab.until("the button", &click).await?;
    let there = format!("location.pathname !== {}", json!(address));
    tab.until("the page of the fork", &there).await?;
    tab.until_there("[data-testid=composer]").await?;
    Ok(())
}

async fn until_draft(tab: &Tab, text: &str) -> Result<()> {
    let script =
        format!("document.querySelector('[data-testid=composer]').value === {}", json!(text));
    tab.until(&format!("the draft {text:?}"), &script).await
}

const PROMPTS: &str = "[data-testid=user-message]";

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_forked_at_a_message() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    Browser::run("a_conversation_is_forked_at_a_message", async |browser| {
        let address = format!("{}/session/{id}", relay.url());
        let tab = browser.open(&address).await?;
        for number in ["one", "two"] {
            send(&tab, &format!("say answer-{number}")).await?;
            until_said(&tab, &format!("\nanswer-{number}")).await?;
        }
        tab.until_gone("[data-testid=stop]").await?;
        // It is there for whoever points at the message.
        tab.hover(PROMPTS).await?;
        let opacity = "getComputedStyle(document.querySelector('.asked .message-tools')).opacity";
        tab.until("the button", &format!("{opacity} === '1'")).await?;

        fork(&tab, "user", 1).await?;
        until_said(&tab, "\nanswer-one").await?;
        until_draft(&tab, "say answer-two").await?;
        ensure!(count(&tab, PROMPTS).await? == 1);
        send(&tab, "-changed").await?;
        until_said(&tab, "say answer-two-changed").await?;
        ensure!(count(&tab, PROMPTS).await? == 2);

        tab.go_to(&address).await?;
        fork(&tab, "agent", 0).await?;
        until_said(&tab, "\nanswer-one").await?;
        until_draft(&tab, "").await?;
        ensure!(count(&tab, PROMPTS).await? == 1);

        tab.go_to(&address).await?;
        fork(&tab, "user", 0).await?;
        until_draft(&tab, "say answer-one").await?;
        ensure!(count(&tab, PROMPTS).await? == 0);
        until_said(&tab, "No messages yet.").await?;
        tab.click("[data-testid=send-prompt]").await?;
        until_said(&tab, "\nanswer-one").await?;
        tab.until_gone("[data-testid=nothing-said]").await
    })
    .await
}

/// Has the relay refuse to fork, with this status and code.
fn refusing(status: u16, code: &str, message: &str) -> String {
    let body = json!({ "error": "It cannot be forked", "code": code, "message": message });
    format!(
        "window.original ??= window.fetch; window.fetch = (request, options) =>
            (request.url ?? request).endsWith('/fork')
                ? Promise.resolve(new Response({}, {{ status: {status} }}))
                : window.original(request, options); true",
        json!(body.to_string())
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_is_refused_is_explained() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    Browser::run("a_fork_that_is_refused_is_explained", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        send(&tab, "say one").await?;
        let refusals = [(409, "trimmed", "Too much came after."), (503, "host_offline", "Away.")];
        for (status, code, message) in refusals {
            tab.evaluate::<bool>(&refusing(status, code, message)).await?;
            tab.click("[data-testid=agent-message] [data-testid=fork-message]").await?;
            let shown = "document.querySelector('[data-testid=problem]').innerText";
            tab.until("the reason", &format!("{shown}.includes({})", json!(message))).await?;
        }
        ensure!(tab.evaluate::<String>("location.pathname").await? == format!("/session/{id}"));
        Ok(())
    })
    .await
}

const OFFER: &str = "[data-testid=offers] [role=option]";

/// Waits until the chosen offer is this one.
async fn until_chosen(tab: &Tab, name: &str) -> Result<()> {
    let script = format!(
        "document.getElementById(document.querySelector('[data-testid=composer]')
            .getAttribute('aria-activedescendant'))?.querySelector('code').innerText === {}",
        json!(name)
    );
    tab.until(&format!("{name} to be chosen"), &script).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_commands_are_completed_while_they_are_typed() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    std::fs::create_dir(folder.path().join("src"))?;
    for name in ["src/library.rs", "src/main.rs"] {
        std::fs::write(folder.path().join(name), "")?;
    }
    let axe = super::look::axe()?;
    Browser::run("files_and_commands_are_completed", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        tab.click_into("[data-testid=composer]").await?;
        tab.type_text("say seen @lib").await?;
        until_chosen(&tab, "lib.rs").await?;
        // The first file may be the same for fewer letters.
        wait_until("two files to be offered", async || {
            count(&tab, OFFER).await.is_ok_and(|offers| offers == 2)
        })
        .await?;
        let found = super::look::scan(&tab, "offers", &axe).await?;
        ensure!(found.is_empty(), "{}", found.join("\n"));
        tab.press("ArrowDown").await?;
        until_chosen(&tab, "library.rs").await?;
        tab.press("Enter").await?;
        until_draft(&tab, "say seen @src/library.rs ").await?;
        // Escape leaves the text as it is, and Tab takes the first.
        tab.type_text("@main").await?;
        until_chosen(&tab, "main.rs").await?;
        tab.press("Escape").await?;
        tab.until_gone(OFFER).await?;
        until_draft(&tab, "say seen @src/library.rs @main").await?;
        tab.press("Backspace").await?;
        until_chosen(&tab, "main.rs").await?;
        tab.press("Tab").await?;
        until_draft(&tab, "say seen @src/library.rs @src/main.rs ").await?;
        // A page that is opened again still knows the files.
        tab.reload().await?;
        tab.click("[data-testid=send-prompt]").await?;
        until_said(&tab, "seen @src/library.rs @src/main.rs").await?;
        let path = format!("/api/session/{id}/prompts");
        let prompts = relay.api().expect(200, Method::GET, &path, json!(null)).await?;
        let files = &prompts["turns"][0]["prompt"]["files"];
        ensure!(*files == json!(["src/library.rs", "src/main.rs"]), "{prompts}");

        // Commands are chosen in the same way.
        send(&tab, "commands [{\"name\":\"compact\",\"description\":\"Shorten\"},\"clear\"]")
            .await?;
        tab.until_gone("[data-testid=stop]").await?;
        tab.click_into("[data-testid=composer]").await?;
        tab.type_text("/c").await?;
        until_chosen(&tab, "/compact").await?;
        tab.click(&format!("{OFFER}:last-child")).await?;
        until_draft(&tab, "/clear ").await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_prompt_that_goes_out_leaves_its_change() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    let go = folder.path().join("go");
    prompt(&relay, &id, &format!("wait {}", go.display())).await?;
    prompt(&relay, &id, "say one").await?;
    prompt(&relay, &id, "say two").await?;
    Browser::run("a_queued_prompt_that_goes_out", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        tab.until("both", "document.querySelectorAll('[data-testid=queued]').length === 2").await?;
        // What is typed goes into the field that was opened.
        tab.click("[data-testid=edit-queued]").await?;
        let focus = "document.activeElement.dataset.testid === 'queued-field'";
        tab.until("the focus", focus).await?;
        tab.type_text("!").await?;
        let field = "document.querySelector('[data-testid=queued-field]').value";
        tab.until("the change", &format!("{field} === 'say one!'")).await?;
        // The queue goes on meanwhile.
        std::fs::write(&go, "")?;
        until_said(&tab, "two").await?;
        tab.until_there("[data-testid=edited-gone]").await?;
        ensure!(tab.evaluate::<String>(field).await? == "say one!");
        tab.click("[data-testid=keep-queued]").await?;
        until_said(&tab, "one!").await
    })
    .await
}
