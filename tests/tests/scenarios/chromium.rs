//! A real Chromium, and what a person would do and see in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, anyhow, ensure};
use chromiumoxide::BrowserConfig;
use chromiumoxide::cdp::browser_protocol::target::{
    CreateBrowserContextParams, CreateTargetParams,
};
use chromiumoxide::handler::viewport::Viewport;
use futures_util::StreamExt as _;
use moorline_tests::programs;
use moorline_tests::relay::TOKEN;
use tempfile::TempDir;
use tokio::task::JoinHandle;

mod drag;
mod frame;
mod passkeys;
mod push;
mod tab;
mod touch;

pub(crate) use tab::Tab;

/// A name of this machine that is not its own: for what is not to be had on loopback.
pub(crate) const NAME: &str = "moorline.test";
/// The names of pages of other sites, which show sessions in frames.
pub(crate) const NOTES: &str = "notes.test";
pub(crate) const STRANGER: &str = "stranger.test";
/// Where all names of tests lead.
const NAMES: (&str, &str) = ("host-resolver-rules", "MAP *.test 127.0.0.1");
/// Keeps frames of other sites in their page's process, where their content can be read. They stay
/// of another site to everything else.
const FRAMES: [&str; 1] = ["disable-site-isolation-trials"];
/// Takes any certificate.
const CERTIFICATES: [&str; 1] = ["ignore-certificate-errors"];
/// The preferences of a person who blocks all cookies: then even accessing storage throws, as it does in
/// frames in browsers that block the storage of other sites.
const STRICT: &str = r#"{"profile":{"default_content_setting_values":{"cookies":2}}}"#;
/// Without these Chromium talks to hosts that no test should need.
const QUIET: [&str; 7] = [
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "disable-quic",
    "no-first-run",
    "disable-gpu",
    // A page that is not in front must not be slowed down.
    "disable-renderer-backgrounding",
];

/// One Chromium with tabs.
pub(crate) struct Browser {
    inner: chromiumoxide::Browser,
    handler: JoinHandle<()>,
    tabs: Mutex<Vec<Tab>>,
    bad_network: AtomicBool,
    _profile: TempDir,
}

impl Browser {
    /// Runs a scenario in a new Chromium. Afterwards nothing may have been reported on a page's
    /// console as an error. Where the scenario fails, snapshots of its tabs stay in
    /// `target/test-artifacts`.
    ///
    /// # Errors
    /// As the scenario, and where there is no Chromium.
    pub(crate) async fn run(
        name: &str,
        scenario: impl AsyncFnOnce(&Self) -> Result<()>,
    ) -> Result<()> {
        Self::run_in(Self::launch(&[], None).await?, name, scenario).await
    }

    /// The same with relays whose certificates nobody has signed.
    ///
    /// # Errors
    /// As [`Browser::run`].
    pub(crate) async fn run_with_any_certificate(
        name: &str,
        scenario: impl AsyncFnOnce(&Self) -> Result<()>,
    ) -> Result<()> {
        Self::run_in(Self::launch(&CERTIFICATES, None).await?, name, scenario).await
    }

    /// The same with pages that show others in frames.
    ///
    /// # Errors
    /// As [`Browser::run`].
    pub(crate) async fn run_with_frames(
        name: &str,
        scenario: impl AsyncFnOnce(&Self) -> Result<()>,
    ) -> Result<()> {
        Self::run_in(Self::launch(&FRAMES, Some(STRICT)).await?, name, scenario).await
    }

    async fn run_in(
        mut browser: Self,
        name: &str,
        scenario: impl AsyncFnOnce(&Self) -> Result<()>,
    ) -> Result<()> {
        let outcome = scenario(&browser).await.and_then(|()| browser.check_consoles());
        if outcome.is_err() {
            browser.keep_snapshots(name).await;
        }
        browser.close().await;
        outcome
    }

    /// The network is going to be bad: that the page cannot load something is no fault of it.
    pub(crate) fn expect_bad_network(&self) {
        self.bad_network.store(true, Ordering::Relaxed);
    }

    /// Opens an address of a relay in a tab of its own, with the administrator's token in the
    /// fragment, as the printed address has it.
    ///
    /// # Errors
    /// Where the page cannot be opened.
    pub(crate) async fn open(&self, address: &str) -> Result<Tab> {
        self.open_exactly(&format!("{address}#token={TOKEN}")).await
    }

    /// Opens an address as it is.
    ///
    /// # Errors
    /// Where the page cannot be opened.
    pub(crate) async fn open_exactly(&self, address: &str) -> Result<Tab> {
        // Storage of its own: no other tab's token.
        let context =
            self.inner.create_browser_context(CreateBrowserContextParams::default()).await?;
        let target = CreateTargetParams::builder().url("about:blank").browser_context_id(context);
        let target = target.build().map_err(|problem| anyhow!(problem))?;
        let tab = Tab::watch(self.inner.new_page(target).await?).await?;
        self.tabs().push(tab.clone());
        tab.go_to(address).await?;
        Ok(tab)
    }

    /// Opens an address in a tab beside the others that were opened so: they share storage and
    /// connections, as the tabs of one person do.
    ///
    /// # Errors
    /// Where the page cannot be opened.
    pub(crate) async fn open_beside(&self, address: &str) -> Result<Tab> {
        self.open_in_profile(&format!("{address}#token={TOKEN}")).await
    }

    /// Opens an address as it is in a tab that has the profile's preferences.
    ///
    /// # Errors
    /// Where the page cannot be opened.
    pub(crate) async fn open_in_profile(&self, address: &str) -> Result<Tab> {
        let target = CreateTargetParams::new("about:blank");
        let tab = Tab::watch(self.inner.new_page(target).await?).await?;
        self.tabs().push(tab.clone());
        tab.go_to(address).await?;
        Ok(tab)
    }

    async fn launch(more: &[&'static str], preferences: Option<&str>) -> Result<Self> {
        // Without it there is no page to open.
        programs::dist()?;
        let profile = TempDir::with_prefix("moorline-chromium-")?;
        if let Some(preferences) = preferences {
            std::fs::create_dir(profile.path().join("Default"))?;
            std::fs::write(profile.path().join("Default/Preferences"), preferences)?;
        }
        let viewport = Viewport { width: 1000, height: 700, ..Viewport::default() };
        let config = BrowserConfig::builder()
            .chrome_executable(programs::chromium()?)
            .no_sandbox()
            .new_headless_mode()
            .user_data_dir(profile.path())
            .viewport(viewport)
            .args(QUIET)
            .args(more.iter().copied())
            .arg(NAMES)
            .build()
            .map_err(|problem| anyhow!(problem))?;
        let (inner, mut events) =
            chromiumoxide::Browser::launch(config).await.context("Chromium does not start")?;
        // Nothing happens in the browser unless its events are taken.
        let handler = tokio::spawn(async move { while events.next().await.is_some() {} });
        let tabs = Mutex::default();
        let bad_network = AtomicBool::new(false);
        Ok(Self { inner, handler, tabs, bad_network, _profile: profile })
    }

    fn tabs(&self) -> MutexGuard<'_, Vec<Tab>> {
        self.tabs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_consoles(&self) -> Result<()> {
        let forgiving = self.bad_network.load(Ordering::Relaxed);
        let complaints: Vec<String> =
            self.tabs().iter().flat_map(|tab| tab.complaints(forgiving)).collect();
        ensure!(complaints.is_empty(), "the page's console has errors: {complaints:#?}");
        Ok(())
    }

    async fn keep_snapshots(&self, name: &str) {
        let tabs = self.tabs().clone();
        for (index, tab) in tabs.iter().enumerate() {
            let Ok(folder) = programs::artifacts() else { return };
            let path = folder.join(format!("{name}-{index}.png"));
            // The scenario's own failure matters, not that its snapshot cannot be taken.
            if tab.keep_snapshot(&path).await.is_ok() {
                let console = tab.complaints(false).join("\n");
                drop(std::fs::write(path.with_extension("console.txt"), console));
            }
        }
    }

    async fn close(&mut self) {
        // Whether it ends by itself or not: it is killed when it is dropped.
        drop(self.inner.close().await);
        drop(self.inner.wait().await);
        self.handler.abort();
    }
}

/// What is shared with the tasks that listen to a page.
type Complaints = Arc<Mutex<Vec<Complaint>>>;

/// Something that a page reported as an error.
#[derive(Debug, Clone)]
struct Complaint {
    network: bool,
    text: String,
}
