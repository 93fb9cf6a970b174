//! A real Firefox, spoken to by WebDriver BiDi: <https://w3c.github.io/webdriver-bidi/>.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_tests::programs;
use moorline_tests::relay::TOKEN;
use moorline_tests::wait::within;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// What Firefox says on its standard error when it can be spoken to.
const LISTENS: &str = "WebDriver BiDi listening on ws://";
/// Nothing that asks a question, or talks to hosts that no test should need.
const PREFERENCES: &str = r#"
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("browser.safebrowsing.downloads.remote.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("services.settings.server", "data:,");
"#;

type Wire = Arc<Mutex<Connection>>;

struct Connection {
    socket: WebSocketStream<TcpStream>,
    last: u64,
}

/// One Firefox.
pub(crate) struct Firefox {
    wire: Wire,
    child: Child,
    _profile: TempDir,
}

/// One tab.
pub(crate) struct Context {
    wire: Wire,
    id: String,
}

impl Firefox {
    /// Starts one with a profile of its own.
    ///
    /// # Errors
    /// Where there is none, or it does not start.
    pub(crate) async fn launch() -> Result<Self> {
        // Without it there is no page to open.
        programs::dist()?;
        let profile = TempDir::with_prefix("moorline-firefox-")?;
        std::fs::write(profile.path().join("user.js"), PREFERENCES)?;
        let mut child = Command::new(programs::firefox()?)
            .args(["--headless", "--no-remote", "--remote-debugging-port=0", "--profile"])
            .arg(profile.path())
            .env("HOME", profile.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stderr = child.stderr.take().context("its standard error is piped")?;
        let mut lines = BufReader::new(stderr).lines();
        let address = within("Firefox to listen", async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, address)) = line.split_once(LISTENS) {
                    return Ok(address.trim().trim_end_matches('/').to_owned());
                }
            }
            bail!("Firefox ended")
        })
        .await??;
        // It must be able to go on writing.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let stream = TcpStream::connect(&address).await?;
        let (socket, _) = client_async(format!("ws://{address}/session"), stream).await?;
        let wire = Arc::new(Mutex::new(Connection { socket, last: 0 }));
        // Of relays whose certificates nobody has signed, too.
        let wanted = json!({"capabilities": {"alwaysMatch": {"acceptInsecureCerts": true}}});
        call(&wire, "session.new", wanted).await?;
        Ok(Self { wire, child, _profile: profile })
    }

    /// Opens a tab.
    ///
    /// # Errors
    /// Where Firefox refuses.
    pub(crate) async fn tab(&self) -> Result<Context> {
        let made = call(&self.wire, "browsingContext.create", json!({"type": "tab"})).await?;
        let id = made["context"].as_str().context("a context")?.to_owned();
        let viewport = json!({"context": id, "viewport": {"width": 1000, "height": 700}});
        call(&self.wire, "browsingContext.setViewport", viewport).await?;
        Ok(Context { wire: Arc::clone(&self.wire), id })
    }

    /// Ends it.
    ///
    /// # Errors
    /// Where it does not end.
    pub(crate) async fn close(mut self) -> Result<()> {
        // It may be gone before it answers.
        drop(call(&self.wire, "browser.close", json!({})).await);
        self.child.kill().await?;
        Ok(())
    }
}

impl Context {
    /// Opens an address of a relay, with the administrator's token in the fragment.
    ///
    /// # Errors
    /// Where it cannot be loaded.
    pub(crate) async fn go_to(&self, address: &str) -> Result<()> {
        // What differs in the fragment alone would not be loaded.
        let blank = json!({"context": self.id, "url": "about:blank", "wait": "complete"});
        call(&self.wire, "browsingContext.navigate", blank).await?;
        let url = format!("{address}#token={TOKEN}");
        let there = json!({"context": self.id, "url": url, "wait": "complete"});
        call(&self.wire, "browsingContext.navigate", there).await.map(drop)
    }

    /// The value of an expression: a boolean, a number or a text.
    ///
    /// # Errors
    /// Where it throws.
    pub(crate) async fn evaluate(&self, expression: &str) -> Result<Value> {
        let wanted = json!({
            "expression": expression, "target": {"context": self.id}, "awaitPromise": true,
        });
        let answer = call(&self.wire, "script.evaluate", wanted).await?;
        if answer["type"] != "success" {
            bail!("{expression}: {answer}");
        }
        Ok(answer["result"]["value"].clone())
    }

    /// Presses the keys for a text. `\n` is Enter.
    ///
    /// # Errors
    /// Where Firefox refuses.
    pub(crate) async fn type_text(&self, text: &str) -> Result<()> {
        let press = |character: char| {
            let key = if character == '\n' { "\u{E007}".to_owned() } else { character.to_string() };
            ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key}))
        };
        self.perform(text.chars().flat_map(press).collect()).await
    }

    /// Presses a key while others are held.
    ///
    /// # Errors
    /// Where Firefox refuses.
    pub(crate) async fn press_with(&self, held: &[&str], key: &str) -> Result<()> {
        let down = |key: &str| json!({"type": "keyDown", "value": key});
        let up = |key: &str| json!({"type": "keyUp", "value": key});
        let mut actions: Vec<Value> = held.iter().map(|key| down(key)).collect();
        actions.extend([down(key), up(key)]);
        actions.extend(held.iter().rev().map(|key| up(key)));
        self.perform(actions).await
    }

    async fn perform(&self, actions: Vec<Value>) -> Result<()> {
        let keys = json!({"type": "key", "id": "keyboard", "actions": actions});
        let wanted = json!({"context": self.id, "actions": [keys]});
        call(&self.wire, "input.performActions", wanted).await.map(drop)
    }
}

/// Sends a command and waits for its answer.
async fn call(wire: &Wire, method: &str, params: Value) -> Result<Value> {
    let mut wire = wire.lock().await;
    wire.last += 1;
    let id = wire.last;
    let command = json!({"id": id, "method": method, "params": params});
    wire.socket.send(Message::text(command.to_string())).await?;
    within(method, async {
        while let Some(message) = wire.socket.next().await {
            let Message::Text(text) = message? else { continue };
            let answer: Value = serde_json::from_str(&text)?;
            if answer["id"] != id {
                continue;
            }
            if answer["type"] == "error" {
                bail!("{method}: {answer}");
            }
            return Ok(answer["result"].clone());
        }
        bail!("Firefox is gone")
    })
    .await?
}
