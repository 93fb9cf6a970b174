//! The plugin for Obsidian, in a stand-in for Obsidian, on a page of another site than the relay's.

mod access;
mod notes;
mod pane;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::host_page::HostPage;
use moorline_tests::relay::{Relay, Setup, TOKEN};
use moorline_tests::vault_page::VaultPage;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::chromium::{Browser, NOTES, Tab};

/// The name of the stand-in's vault.
const VAULT: &str = "Garden";

/// A relay that lets the stand-in's page show its sessions, and a vault's folder.
struct Vault {
    relay: Relay,
    page: VaultPage,
    folder: TempDir,
}

impl Vault {
    /// Starts a relay that also lets the page follow its sessions.
    async fn start() -> Result<Self> {
        Self::start_with(true).await
    }

    async fn start_with(is_trusted: bool) -> Result<Self> {
        let (listener, port) = HostPage::reserve().await?;
        let origin = format!("http://{NOTES}:{port}");
        let mut variables = vec![("MOORLINE_FRAME_ANCESTOR".to_owned(), origin.clone())];
        if is_trusted {
            variables.push(("MOORLINE_ALLOW_ORIGIN".to_owned(), origin));
        }
        let relay = Relay::start_with(Setup { variables, ..Setup::default() }).await?;
        let page = VaultPage::serve(listener).await?;
        Ok(Self { relay, page, folder: tempfile::tempdir()? })
    }

    /// Opens the stand-in with the plugin, which uses this token.
    async fn open(&self, browser: &Browser, token: &str) -> Result<Tab> {
        let tab = browser.open_in_profile("about:blank").await?;
        self.load(&tab, token, &self.relay.url()).await?;
        Ok(tab)
    }

    /// The same with the size of a phone.
    async fn open_on_phone(&self, browser: &Browser, token: &str) -> Result<Tab> {
        let tab = browser.open_in_profile("about:blank").await?;
        tab.resize(390, 844, true).await?;
        self.load(&tab, token, &self.relay.url()).await?;
        Ok(tab)
    }

    async fn load(&self, tab: &Tab, token: &str, address: &str) -> Result<()> {
        tab.run_first(super::embed::PROBE).await?;
        tab.go_to(&self.page.url(NOTES)).await?;
        let settings = json!({ "address": address, "tokenSecret": "moorline" });
        let secrets = json!({ "moorline": token });
        let base = json!(self.folder.path());
        finish(tab, &format!("standIn.load({settings}, {secrets}, {base})")).await
    }

    /// The id of the vault's project, which it creates if necessary.
    async fn project(&self) -> Result<String> {
        let api = self.relay.api();
        let list: Value = api.get("/api/projects").await?;
        let projects = list["projects"].as_array().context("no projects")?;
        if let Some(project) = projects.iter().find(|project| project["name"] == VAULT) {
            return Ok(project["id"].as_str().context("no id")?.to_owned());
        }
        let wish = json!({ "name": VAULT });
        let made = api.expect(201, Method::POST, "/api/projects", wish).await?;
        Ok(made["project"]["id"].as_str().context("no id")?.to_owned())
    }

    /// Moves a session into the vault's project.
    async fn adopt(&self, session: &SessionId) -> Result<()> {
        let wish = json!({ "projectId": self.project().await? });
        let path = format!("/api/sessions/{session}/move");
        self.relay.api().expect(200, Method::POST, &path, wish).await.map(|_| ())
    }
}

/// Awaits a promise of the page.
async fn finish(tab: &Tab, promise: &str) -> Result<()> {
    let script = format!(
        "(window.finished = null, {promise}.then(() => (window.finished = 'well'),
            (error) => (window.finished = String(error?.stack ?? error))), true)"
    );
    tab.evaluate::<bool>(&script).await?;
    tab.until(promise.split('(').next().unwrap_or(promise), "window.finished !== null").await?;
    let how: String = tab.evaluate("window.finished").await?;
    ensure!(how == "well", "{promise}: {how}");
    Ok(())
}

async fn draw(tab: &Tab, note: &str) -> Result<()> {
    tab.evaluate::<bool>(&format!("standIn.draw('Notes/Work.md', {})", json!(note))).await?;
    Ok(())
}

async fn run(tab: &Tab, command: &str) -> Result<()> {
    tab.evaluate::<bool>(&format!("standIn.run({command:?})")).await?;
    Ok(())
}

/// Fills the editor and selects a part of it.
async fn select(tab: &Tab, text: &str, part: &str) -> Result<()> {
    let from = text.find(part).context("the part is not in the text")?;
    let script = format!(
        "(() => {{ const field = document.querySelector('#editor'); field.value = {};
            field.setSelectionRange({from}, {}); return true; }})()",
        json!(text),
        from + part.len()
    );
    tab.evaluate::<bool>(&script).await?;
    Ok(())
}

/// Chooses an item of the modal whose text has this part.
async fn choose(tab: &Tab, part: &str) -> Result<()> {
    let item = format!(
        "[...document.querySelectorAll('.suggestion-item')].find((it) => it.textContent.includes({part:?}))"
    );
    tab.until(&format!("the choice {part}"), &format!("{item} !== undefined")).await?;
    tab.evaluate::<bool>(&format!("({item}.click(), true)")).await?;
    Ok(())
}

async fn until_notice(tab: &Tab, part: &str) -> Result<()> {
    let said = format!("(document.body.dataset.notice ?? '').includes({part:?})");
    tab.until(&format!("a notice with {part:?}"), &said).await
}

async fn until_shown(tab: &Tab, selector: &str, part: &str) -> Result<()> {
    let script =
        format!("(document.querySelector({selector:?})?.innerText ?? '').includes({part:?})");
    let waited = tab.until(&format!("{part:?} in {selector}"), &script).await;
    let seen: Value = tab.evaluate("document.body.innerText").await?;
    waited.with_context(|| seen.to_string())
}

/// Unloads the plugin, which must leave nothing behind.
async fn unload(tab: &Tab) -> Result<()> {
    finish(tab, "standIn.unload()").await?;
    let none = json!({ "listeners": 0, "timers": 0, "sockets": 0, "observers": 0, "frames": 0 });
    // What `probe.js` listens to does not count: it was there before the stand-in. A request that cannot
    // be cancelled keeps its timer until it is answered.
    let is_none = async || tab.evaluate::<Value>("standIn.open()").await.is_ok_and(|it| it == none);
    let left = wait_until("that the plugin leaves nothing", is_none).await;
    let open: Value = tab.evaluate("standIn.open()").await?;
    left.with_context(|| format!("the plugin left {open}"))?;
    let registrations: u64 = tab.evaluate("standIn.registrations()").await?;
    ensure!(registrations == 0, "{registrations} registrations are left");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_origins_of_obsidian_are_let_in() -> Result<()> {
    let origins = "app://obsidian.md,capacitor://localhost";
    let variables = vec![("MOORLINE_ALLOW_ORIGIN".to_owned(), origins.to_owned())];
    let relay = Relay::start_with(Setup { variables, ..Setup::default() }).await?;
    let client = reqwest::Client::new();
    let post = |origin: &str| {
        let request = client.post(format!("{}/api/sessions", relay.url())).bearer_auth(TOKEN);
        request.header("origin", origin).json(&json!({})).send()
    };
    for origin in origins.split(',') {
        let answer = post(origin).await?;
        ensure!(answer.status() == 201, "{origin}: {}", answer.status());
        let told = answer.headers().get("access-control-allow-origin");
        ensure!(told.and_then(|told| told.to_str().ok()) == Some(origin), "{origin}: {told:?}");
    }
    for origin in ["app://obsidian", "capacitor://evil", "http://obsidian.md", "null"] {
        let answer = post(origin).await?;
        ensure!(answer.status() == 403, "{origin}: {}", answer.status());
    }
    Ok(())
}
