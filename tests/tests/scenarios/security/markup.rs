//! Markup in everything that a page shows: it is text, wherever it comes from.

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::relay::Relay;
use reqwest::Method;
use serde_json::json;

use super::project;
use crate::asking;
use crate::chromium::{Browser, Tab};
use crate::pages::agents::{agent, prompt};

/// Markup that runs a script in several ways, if it is taken for markup.
const HOSTILE: &str = "<img src=x onerror=window.ran=1><svg onload=window.ran=1>\
    <script>window.ran=1</script><a href=javascript:window.ran=1>a</a><iframe srcdoc=x>";
/// A part of it that a page shows as it is.
const SHOWN: &str = "<img src=x";
/// Elements that only markup of others could make.
const FOUND: &str = "[...document.querySelectorAll('img[src=x], [onload], [onerror], iframe, object, embed, \
    a[href^=\"javascript\" i], a[href^=\"data\" i]')].concat([...document.scripts]\
    .filter(({ textContent }) => textContent.includes('window.ran'))).length";

/// Checks that a page shows the text, and that none of it became an element or ran.
async fn is_text(tab: &Tab, page: &str) -> Result<()> {
    let shown = format!("document.body.innerText.includes({})", json!(SHOWN));
    tab.until(&format!("the text on {page}"), &shown).await?;
    let found: u64 = tab.evaluate(FOUND).await?;
    ensure!(found == 0, "{found} elements on {page} are of others");
    ensure!(tab.evaluate::<bool>("window.ran === undefined").await?, "a script ran on {page}");
    Ok(())
}

async fn rename(relay: &Relay, session: &SessionId) -> Result<()> {
    let path = format!("/api/sessions/{session}");
    relay.api().expect(200, Method::PATCH, &path, json!({"name": HOSTILE})).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn names_titles_and_output_are_text_on_the_list_and_in_the_terminal() -> Result<()> {
    let relay = Relay::start().await?;
    let script = format!(
        "stty -echo; printf '\\033]0;%s\\007' '{HOSTILE}'; printf '\\033]2;%s\\033\\\\' '{HOSTILE}'; \
         printf '%s\\r\\n' '{HOSTILE}'; printf ready; cat"
    );
    let session = relay.api().run_ready(["sh", "-c", &script].map(str::to_owned).to_vec()).await?;
    let project = project(&relay.api()).await?;
    let path = format!("/api/projects/{project}");
    relay.api().expect(200, Method::PATCH, &path, json!({"name": HOSTILE})).await?;
    let moved = format!("/api/sessions/{session}/move");
    relay.api().expect(200, Method::POST, &moved, json!({"projectId": project})).await?;
    Browser::run("names_titles_and_output_are_text", async |browser| {
        // First by the title of its program, then by a name.
        for is_named in [false, true] {
            if is_named {
                rename(&relay, &session).await?;
            }
            for page in
                ["sessions".to_owned(), format!("terminal/{session}"), format!("session/{session}")]
            {
                let tab = browser.open(&format!("{}/{page}", relay.url())).await?;
                is_text(&tab, &page).await?;
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_reports_is_text_on_its_page() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    let text = json!(HOSTILE);
    let markdown = json!(format!(
        "{HOSTILE}\n\n[a](javascript:window.ran=1) [b](data:text/html,x) ![c](x)\n\n```{HOSTILE}\n{HOSTILE}\n```"
    ));
    for script in [
        format!("title {HOSTILE}"),
        format!("say {markdown}"),
        format!("think {markdown}"),
        format!(r#"plan [{{"content":{text},"priority":"high","status":"pending"}}]"#),
        format!(r#"commands [{{"name":{text},"description":{text}}}]"#),
        format!(r#"tool {{"title":{text},"kind":"execute","rawInput":{{"command":{text}}}}}"#),
        format!(
            r#"config [{{"id":"x","name":{text},"type":"select","currentValue":"a",
            "options":[{{"value":"a","name":{text}}}]}}]"#
        )
        .replace('\n', ""),
        "say end".to_owned(),
        format!(r#"ask {{"title":{text},"kind":"execute","rawInput":{{"command":{text}}}}}"#),
    ] {
        prompt(&relay, &id, &script).await?;
    }
    rename(&relay, &id).await?;
    Browser::run("what_an_agent_reports_is_text", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        tab.until_there("[data-testid=approval]").await?;
        is_text(&tab, "the agent's page").await?;
        let tab = browser.open(&format!("{}/approvals", relay.url())).await?;
        tab.until_there("[data-testid=inbox-card]").await?;
        is_text(&tab, "the approvals").await?;
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        is_text(&tab, "the list").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_asks_for_is_text_on_the_approvals() -> Result<()> {
    let relay = Relay::start().await?;
    let asks =
        format!("$m ask --command '{HOSTILE}' --explanation '{HOSTILE}' --expires never; cat");
    let id = asking::script(&relay, &asks).await?;
    rename(&relay, &id).await?;
    Browser::run("what_a_program_asks_for_is_text", async |browser| {
        let tab = browser.open(&format!("{}/approvals", relay.url())).await?;
        tab.until_there("[data-testid=inbox-card]").await?;
        is_text(&tab, "the approvals").await?;
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        is_text(&tab, "the session's page").await?;
        Ok(())
    })
    .await
}
