//! A client of the peer that shows every message to the test.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use moorline_tests::wait::within;
use rustix::process::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The peer and the pipes to it. Dropping it kills the peer.
pub(crate) struct PeerOnPipes {
    child: Child,
    /// `None` once it is closed.
    pub(crate) input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    last_id: u64,
    /// Updates that came before a request to the client, for the turn that it belongs to.
    seen: Vec<Value>,
    /// The session that [`Self::start`] created.
    pub(crate) session: String,
}

/// What a turn came to.
#[derive(Debug)]
pub(crate) struct Turn {
    /// The updates before the answer.
    pub(crate) updates: Vec<Value>,
    /// The answer to the prompt.
    pub(crate) answer: Value,
}

impl Turn {
    /// The texts of the agent's messages, one for each message.
    pub(crate) fn said(&self) -> Vec<String> {
        let mut messages: Vec<(&Value, String)> = Vec::new();
        for update in self.updates_of("agent_message_chunk") {
            let text = update["content"]["text"].as_str().unwrap_or_default();
            match messages.last_mut() {
                Some((id, message)) if **id == update["messageId"] => message.push_str(text),
                _ => messages.push((&update["messageId"], text.to_owned())),
            }
        }
        messages.into_iter().map(|(_, text)| text).collect()
    }

    pub(crate) fn updates_of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.updates.iter().filter(move |update| update["sessionUpdate"] == kind)
    }

    pub(crate) fn stop_reason(&self) -> &str {
        self.answer["result"]["stopReason"].as_str().unwrap_or_default()
    }
}

impl PeerOnPipes {
    /// Starts the peer with these arguments.
    pub(crate) fn bare(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moorline-acp-peer"));
        command.arg("agent").args(arguments).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the peer")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("it has no output")?;
        let output = BufReader::new(output).lines();
        Ok(Self { child, input, output, last_id: 0, seen: Vec::new(), session: String::new() })
    }

    /// Starts the peer, initializes it, and creates a session in `/`.
    pub(crate) async fn start(arguments: &[&str]) -> Result<Self> {
        let mut peer = Self::bare(arguments)?;
        peer.initialize(1).await?;
        peer.create(Path::new("/")).await?;
        Ok(peer)
    }

    /// Initializes the connection and returns the result.
    pub(crate) async fn initialize(&mut self, version: u64) -> Result<Value> {
        let info = json!({"name": "test", "version": "0"});
        self.call(
            "initialize",
            json!({"protocolVersion": version, "clientInfo": info, "clientCapabilities": {}}),
        )
        .await
    }

    /// Creates a session in this folder, which further calls are about.
    pub(crate) async fn create(&mut self, folder: &Path) -> Result<Value> {
        let result = self.call("session/new", json!({"cwd": folder, "mcpServers": []})).await?;
        self.session = result["sessionId"].as_str().context("a session has no id")?.to_owned();
        Ok(result)
    }

    pub(crate) async fn send_line(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("its input is closed")?;
        Ok(within("the peer to read", input.write_all(format!("{line}\n").as_bytes())).await??)
    }

    pub(crate) async fn send(&mut self, message: Value) -> Result<()> {
        self.send_line(&message.to_string()).await
    }

    /// Sends a request and returns its id.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Result<u64> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await?;
        Ok(id)
    }

    /// Sends a request and returns its result. Other messages before it are ignored.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        let id = self.ask(method, params).await?;
        let answer = self.until_answer(id).await?.answer;
        ensure!(answer.get("error").is_none(), "{method}: {answer}");
        Ok(answer["result"].clone())
    }

    /// Sends a request that has to be refused, and returns the code of the error.
    pub(crate) async fn refused(&mut self, method: &str, params: Value) -> Result<i64> {
        let id = self.ask(method, params).await?;
        let answer = self.until_answer(id).await?.answer;
        answer["error"]["code"].as_i64().with_context(|| format!("{method}: {answer}"))
    }

    pub(crate) async fn cancel(&mut self) -> Result<()> {
        let params = json!({"sessionId": self.session});
        self.send(json!({"jsonrpc": "2.0", "method": "session/cancel", "params": params})).await
    }

    /// Sends a prompt and returns the id of the request.
    pub(crate) async fn begin(&mut self, script: &str) -> Result<u64> {
        let prompt = json!([{"type": "text", "text": script}]);
        self.ask("session/prompt", json!({"sessionId": self.session, "prompt": prompt})).await
    }

    /// Sends a prompt and waits for its answer.
    pub(crate) async fn prompt(&mut self, script: &str) -> Result<Turn> {
        let id = self.begin(script).await?;
        self.until_answer(id).await
    }

    /// The next line as it is; `None` at the end.
    pub(crate) async fn line(&mut self) -> Result<Option<String>> {
        Ok(within("a line of the peer", self.output.next_line()).await??)
    }

    pub(crate) async fn message(&mut self) -> Result<Value> {
        let line = self.line().await?.context("the peer has closed its output")?;
        let message: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        ensure!(message["jsonrpc"] == "2.0", "{message}");
        Ok(message)
    }

    /// The next update of the session.
    pub(crate) async fn update(&mut self) -> Result<Value> {
        let message = self.message().await?;
        ensure!(message["method"] == "session/update", "{message}");
        ensure!(message["params"]["sessionId"] == self.session.as_str(), "{message}");
        Ok(message["params"]["update"].clone())
    }

    /// The next request to the client. Updates before it are kept for [`Self::until_answer`].
    pub(crate) async fn request(&mut self, method: &str) -> Result<Value> {
        loop {
            let message = self.message().await?;
            if message["method"] == method {
                ensure!(message["id"].is_u64(), "{message}");
                return Ok(message);
            }
            ensure!(message["method"] == "session/update", "{message}");
            self.seen.push(message["params"]["update"].clone());
        }
    }

    /// Answers a request to the client.
    pub(crate) async fn reply(&mut self, request: &Value, result: Value) -> Result<()> {
        self.send(json!({"jsonrpc": "2.0", "id": request["id"], "result": result})).await
    }

    /// Refuses a request to the client.
    pub(crate) async fn refuse(&mut self, request: &Value) -> Result<()> {
        let error = json!({"code": -32601, "message": "Method not found"});
        self.send(json!({"jsonrpc": "2.0", "id": request["id"], "error": error})).await
    }

    /// Waits for the answer to a request. The turn has all updates since the last answer that were
    /// not looked at one by one.
    pub(crate) async fn until_answer(&mut self, id: u64) -> Result<Turn> {
        let mut updates = std::mem::take(&mut self.seen);
        loop {
            let message = self.message().await?;
            if message["method"] == "session/update" {
                updates.push(message["params"]["update"].clone());
            } else if message["id"] == id && message.get("method").is_none() {
                return Ok(Turn { updates, answer: message });
            } else {
                bail!("{message} came before the answer to {id}");
            }
        }
    }

    /// The process id. An error once the process was waited for.
    pub(crate) fn pid(&self) -> Result<Pid> {
        let pid = self.child.id().context("the peer has ended")?;
        Pid::from_raw(pid.try_into()?).context("it has no pid")
    }

    /// Waits for the process to end.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus> {
        Ok(within("the peer to end", self.child.wait()).await??)
    }
}
