//! The dialog of pod templates, and a session that starts from one, in a fake cluster.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::pod::PodSpec;
use moorline_shared::rest::CreateSession;
use moorline_tests::expected;
use moorline_tests::kubernetes::FakeCluster;
use moorline_tests::relay::{Relay, Setup};
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};

use super::{look, steering};
use crate::chromium::{Browser, Tab};

const LISTING: &str = "[data-testid=templates]";

async fn relay_of(cluster: &FakeCluster) -> Result<Relay> {
    let kubeconfig = cluster.kubeconfig().to_string_lossy().into_owned();
    let variables = vec![("KUBECONFIG".to_owned(), kubeconfig)];
    Relay::start_with(Setup { variables, ..Setup::default() }).await
}

async fn ensure_usable(tab: &Tab, what: &str) -> Result<()> {
    let found = look::scan(tab, what, &look::axe()?).await?;
    ensure!(found.is_empty(), "{}", found.join("\n"));
    tab.resize(320, 640, true).await?;
    let fits = "(() => {
        const dialog = document.querySelector('[data-testid=pods-dialog]');
        const edge = dialog.getBoundingClientRect();
        return dialog.scrollWidth <= dialog.clientWidth && edge.left >= 0 && edge.right <= 320;
    })()";
    tab.until(&format!("{what} to fit"), fits).await?;
    tab.resize(1280, 800, false).await
}

async fn fill(tab: &Tab, fields: &[(&str, &str)]) -> Result<()> {
    for (name, text) in fields {
        let field = format!("document.querySelector('[data-testid={name}]')");
        tab.until(name, &format!("{field} !== null")).await?;
        tab.evaluate::<bool>(&format!("{field}.value = ''; true")).await?;
        tab.type_into(&format!("[data-testid={name}]"), text).await?;
    }
    Ok(())
}

/// Chooses an option of a select box, as a user does.
async fn choose(tab: &Tab, name: &str, value: &str) -> Result<()> {
    let chosen = format!(
        "(() => {{
            const box = document.querySelector('[data-testid={name}]');
            if (![...(box?.options ?? [])].some(one => one.value === '{value}')) return false;
            box.value = '{value}';
            return box.dispatchEvent(new Event('change', {{ bubbles: true }}));
        }})()"
    );
    tab.until(&format!("{value} in {name}"), &chosen).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_starts_in_a_pod_from_a_template_that_was_added_on_the_page() -> Result<()> {
    let cluster = FakeCluster::start().await?;
    let relay = relay_of(&cluster).await?;
    Browser::run("a_session_from_a_new_template", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        tab.click("[data-testid=create-custom]").await?;
        tab.type_into("[data-testid=command]", "sh").await?;
        tab.click("[data-testid=drivers] [value=kubernetes]").await?;
        tab.click("[data-testid=pod-templates]").await?;
        steering::until_shown(&tab, LISTING, "500m CPU · 512Mi memory · 1Gi storage").await?;
        steering::until_shown(&tab, "[data-testid=cluster]", "namespace default").await?;
        ensure_usable(&tab, "the list of templates").await?;

        // Errors are beside their fields, which get the focus.
        tab.click("[data-testid=add-template]").await?;
        fill(&tab, &[("template-name", "default")]).await?;
        tab.click("[data-testid=save-template]").await?;
        steering::until_shown(&tab, "#template-name-problem", "another name").await?;
        fill(&tab, &[("template-name", "small"), ("template-memory", "much")]).await?;
        tab.type_text("\n").await?;
        steering::until_shown(&tab, "#template-memory-problem", "512Mi").await?;
        let focused = "document.activeElement.dataset.testid === 'template-memory'";
        tab.until("the focus in the field", focused).await?;
        ensure_usable(&tab, "the form of a template").await?;
        fill(&tab, &[("template-image", "busybox:1"), ("template-memory", "64Mi")]).await?;
        tab.type_text("\n").await?;
        steering::until_shown(&tab, "[data-name=small]", "busybox:1").await?;

        // Escape leaves the form, and then the dialog; what was typed below is kept.
        tab.click("[data-name=small] [data-testid=change-template]").await?;
        tab.until_there("[data-testid=template-form]").await?;
        tab.press("Escape").await?;
        steering::until_shown(&tab, "[data-name=small]", "64Mi memory").await?;
        tab.press("Escape").await?;
        tab.until_gone("[data-testid=pods]").await?;
        choose(&tab, "template", "small").await?;
        tab.click("[data-testid=start]").await?;

        steering::until_shown(&tab, "[data-testid=pod]", "Pod:").await?;
        let title = "document.querySelector('[data-testid=pod]').title";
        tab.until("the pod's image", &format!("{title}.includes('busybox:1')")).await?;
        tab.until_state("live").await?;
        tab.type_text("echo i$((40+2))n\n").await?;
        tab.until_text("i42n").await
    })
    .await?;
    let names = cluster.pods().names();
    let pod = names.first().and_then(|name| cluster.pods().get(name)).context("no pod")?;
    let container = &pod["spec"]["containers"][0];
    ensure!(container["resources"]["limits"]["memory"] == "64Mi", "{container}");
    Ok(())
}

/// Opens the dialog from the command palette.
async fn open_from_palette(tab: &Tab) -> Result<()> {
    tab.until_there("[data-testid=create]").await?;
    steering::press_with_control(tab, "k").await?;
    tab.type_into("[data-testid=palette] input", "pod templates").await?;
    tab.press("Enter").await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_administrator_only_sees_the_templates() -> Result<()> {
    let cluster = FakeCluster::start().await?;
    let relay = relay_of(&cluster).await?;
    let api = relay.api();
    let made = api.expect(201, Method::POST, "/api/projects", json!({ "name": "lab" })).await?;
    let scope = format!("project:{}:write", made["project"]["id"].as_str().context("no id")?);
    let made = api.expect(201, Method::POST, "/api/tokens", json!({ "scope": scope })).await?;
    let token = made["token"].as_str().context("no token")?;
    cluster.set_unauthorized(true);
    Browser::run("who_is_no_administrator", async |browser| {
        let address = format!("{}/sessions#token={token}", relay.url());
        let tab = browser.open_exactly(&address).await?;
        open_from_palette(&tab).await?;
        steering::until_shown(&tab, LISTING, "512Mi memory").await?;
        steering::until_shown(&tab, "[data-testid=cluster-problem]", "log in").await?;
        steering::until_shown(&tab, "[data-testid=pods-read-only]", "administrator").await?;
        let can_change = "document.querySelector('[data-testid=change-template]') !== null
            || document.querySelector('[data-testid=add-template]') !== null";
        ensure!(!tab.evaluate::<bool>(can_change).await?, "it can be changed");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_was_left_behind_is_deleted_from_the_page() -> Result<()> {
    let cluster = FakeCluster::start().await?;
    let relay = relay_of(&cluster).await?;
    let api = relay.api();
    let create = async |name: &str| {
        let wish = CreateSession {
            command: Some(expected::counter()),
            pod: Some(PodSpec::default()),
            name: Some(name.to_owned()),
            ..CreateSession::default()
        };
        anyhow::Ok(api.create(&wish).await?.session_id)
    };
    let (_, left) = (create("stays").await?, create("goes").await?);
    let claims = cluster.claims();
    wait_until("both volumes", async || claims.names().len() == 2).await?;
    cluster.forbid("delete", "persistentvolumeclaims");
    api.delete(&left).await?;
    wait_until("one pod to go", async || cluster.pods().names().len() == 1).await?;
    cluster.allow("delete", "persistentvolumeclaims");
    let hosts: Value = api.get("/api/hosts").await?;
    let path = format!("/api/hosts/{}/pods", hosts["hosts"][0]["hostId"].as_str().unwrap_or(""));
    let rich = json!({ "name": "rich", "image": "a", "env": { "A": "b" }, "cpu": "2" });
    api.expect(200, Method::POST, &path, rich).await?;
    Browser::run("a_volume_that_was_left_behind", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        open_from_palette(&tab).await?;
        steering::until_shown(&tab, "[data-testid=pods-volumes]", left.as_str()).await?;
        steering::until_shown(&tab, "[data-testid=pods-pods]", "stays").await?;
        ensure_usable(&tab, "the list of volumes").await?;
        let offered = "document.querySelectorAll('[data-testid=delete-volume]').length === 1";
        tab.until("one volume that can be deleted", offered).await?;
        tab.click("[data-testid=delete-volume]").await?;
        steering::until_shown(&tab, "[data-testid=pods]", "files in the volume are deleted")
            .await?;
        tab.click("[data-testid=pods-confirm]").await?;
        steering::until_shown(&tab, "[data-testid=pods-note]", "is deleted").await?;
        // The page has asked whether the session exists after all.
        let _ = tab.take_complaints();
        wait_until("the volume to go", async || claims.names().len() == 1).await?;

        // What the form does not show is kept.
        tab.click("[data-name=rich] [data-testid=change-template]").await?;
        steering::until_shown(&tab, "[data-testid=template-kept]", "environment").await?;
        fill(&tab, &[("template-cpu", "3")]).await?;
        tab.click("[data-testid=save-template]").await?;
        steering::until_shown(&tab, "[data-name=rich]", "3 CPU").await?;
        let kept: Value = api.get(&path).await?;
        ensure!(kept["templates"][1]["env"]["A"] == "b", "{kept}");
        tab.click("[data-name=rich] [data-testid=remove-template]").await?;
        tab.click("[data-testid=pods-confirm]").await?;
        steering::until_shown(&tab, "[data-testid=pods-note]", "rich is removed").await?;
        tab.until_gone("[data-name=rich]").await?;

        // A link leads to the session, and closes the dialog.
        tab.click("[data-testid=pods-pods] [data-testid=pod-session]").await?;
        steering::until_shown(&tab, "[data-testid=pod]", "Pod:").await
    })
    .await
}
