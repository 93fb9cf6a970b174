//! A Chromium that is driven over its DevTools protocol, with just the calls that the bench needs.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_tests::programs;
use moorline_tests::wait::wait_for;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Longest time for an answer of the browser.
const PATIENCE: Duration = Duration::from_mins(2);
/// Without these Chromium talks to other hosts, or slows down pages that are not in front.
const ARGUMENTS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--remote-debugging-port=0",
];

/// A Chromium. Dropping it kills it.
pub(super) struct DrivenBrowser {
    child: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last: u64,
    _profile: TempDir,
}

/// A page of a [`DrivenBrowser`]: the id of its protocol session.
#[derive(Debug, Clone)]
pub(super) struct DrivenPage(String);

impl DrivenBrowser {
    pub(super) async fn launch() -> Result<Self> {
        let profile = TempDir::with_prefix("moorline-bench-chromium-")?;
        let child = Command::new(programs::chromium()?)
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("Chromium does not start")?;
        let port = profile.path().join("DevToolsActivePort");
        let address = wait_for("Chromium's port", async || {
            let text = std::fs::read_to_string(&port).ok()?;
            let (port, path) = text.trim().split_once('\n')?;
            Some(format!("ws://127.0.0.1:{port}{path}"))
        });
        let (socket, _) = tokio_tungstenite::connect_async(address.await?).await?;
        Ok(Self { child, socket, last: 0, _profile: profile })
    }

    /// Opens an empty page in a window and a profile of its own, with a script that runs before those
    /// of each page that is loaded there.
    pub(super) async fn page(&mut self, script: &str) -> Result<DrivenPage> {
        let context = self.call(None, "Target.createBrowserContext", json!({})).await?;
        let target = json!({
            "url": "about:blank", "newWindow": true, "width": 1280, "height": 900,
            "browserContextId": context["browserContextId"],
        });
        let target = self.call(None, "Target.createTarget", target).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", attach).await?;
        let session = attached["sessionId"].as_str().context("no session")?.to_owned();
        let page = DrivenPage(session);
        self.of_page(&page, "Page.enable", json!({})).await?;
        self.of_page(&page, "Performance.enable", json!({})).await?;
        let source = json!({ "source": script });
        self.of_page(&page, "Page.addScriptToEvaluateOnNewDocument", source).await?;
        Ok(page)
    }

    pub(super) async fn open(&mut self, page: &DrivenPage, address: &str) -> Result<()> {
        self.of_page(page, "Page.navigate", json!({ "url": address })).await?;
        Ok(())
    }

    /// Closes a page.
    pub(super) async fn close(&mut self, page: &DrivenPage) -> Result<()> {
        self.of_page(page, "Page.close", json!({})).await?;
        Ok(())
    }

    /// Returns the value of an expression, once its promise is kept if it is one.
    pub(super) async fn evaluate(&mut self, page: &DrivenPage, expression: &str) -> Result<Value> {
        let what = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.of_page(page, "Runtime.evaluate", what).await?;
        if let Some(problem) = answer.get("exceptionDetails") {
            bail!("{expression} fails: {problem}");
        }
        Ok(answer["result"]["value"].clone())
    }

    /// Returns the seconds that the page's scripts have run.
    pub(super) async fn script_seconds(&mut self, page: &DrivenPage) -> Result<f64> {
        let answer = self.of_page(page, "Performance.getMetrics", json!({})).await?;
        let metrics = answer["metrics"].as_array().context("no metrics")?;
        let task = metrics.iter().find(|metric| metric["name"] == "TaskDuration");
        task.and_then(|metric| metric["value"].as_f64()).context("no time of tasks")
    }

    async fn of_page(&mut self, page: &DrivenPage, method: &str, params: Value) -> Result<Value> {
        self.call(Some(&page.0), method, params).await
    }

    /// Calls a method, and waits for its answer. Events in between are of no interest here.
    async fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value> {
        self.last += 1;
        let mut call = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = session {
            call["sessionId"] = session.into();
        }
        self.socket.send(Message::text(call.to_string())).await?;
        let answer = async {
            while let Some(message) = self.socket.next().await {
                let Message::Text(text) = message? else { continue };
                let mut answer: Value = serde_json::from_str(&text)?;
                if answer["id"] == self.last {
                    if let Some(error) = answer.get("error") {
                        bail!("{method}: {error}");
                    }
                    return Ok(answer["result"].take());
                }
            }
            bail!("Chromium is gone")
        };
        tokio::time::timeout(PATIENCE, answer).await.with_context(|| format!("{method} in vain"))?
    }
}

impl Drop for DrivenBrowser {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
