//! Clients of the Agent Client Protocol: one by hand, and one on the protocol's own library.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use moorline_shared::id::SessionId;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::plain::{Plain, Said};
use crate::programs;
use crate::relay::{Relay, TOKEN};
use crate::wait::within;
use crate::wire::Greeting;

/// A program that is steered by lines. Dropping it kills it.
struct LineProgram {
    _child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl LineProgram {
    fn start(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("the client cannot be started")?;
        let stdin = child.stdin.take().context("no stdin")?;
        let stdout = child.stdout.take().context("no stdout")?;
        Ok(Self { _child: child, stdin, lines: BufReader::new(stdout).lines() })
    }

    async fn send(&mut self, line: &Value) -> Result<()> {
        Ok(self.stdin.write_all(format!("{line}\n").as_bytes()).await?)
    }

    async fn next(&mut self) -> Result<Value> {
        let line = within("a line of the client", self.lines.next_line()).await??;
        let line = line.context("the client has ended")?;
        serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))
    }
}

/// `moorline acp` with these arguments, for this relay.
fn command(relay: &Relay, arguments: &[&str]) -> Command {
    let mut command = Command::new(relay.program());
    command.arg("acp").args(arguments);
    command.env("MOORLINE_URL", relay.url()).env("MOORLINE_TOKEN", TOKEN);
    command
}

enum Transport {
    Stdio(Box<LineProgram>),
    Socket(Box<Plain>),
}

/// A client by hand, whose messages are seen as they are.
pub struct AcpClient {
    transport: Transport,
    /// Messages that have arrived and were not asked for yet.
    told: Vec<Value>,
    last_id: u64,
}

impl AcpClient {
    /// Starts `moorline acp` with these arguments, and initializes it.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn stdio(relay: &Relay, arguments: &[&str]) -> Result<Self> {
        let program = LineProgram::start(&mut command(relay, arguments))?;
        Self::begin(Transport::Stdio(Box::new(program))).await
    }

    /// Connects to the relay's `/acp` with this query, and initializes the connection.
    ///
    /// # Errors
    /// If the WebSocket is refused.
    pub async fn socket(relay: &Relay, query: &str, token: &str) -> Result<Self> {
        let greeting = Greeting { bearer: Some(token.to_owned()), ..Greeting::ic1() };
        let socket = Plain::connect(relay.address(), &format!("/acp?{query}"), &greeting).await?;
        let named = socket.headers.contains_key("acp-connection-id");
        ensure!(named, "the connection has no name: {:?}", socket.headers);
        Self::begin(Transport::Socket(Box::new(socket))).await
    }

    async fn begin(transport: Transport) -> Result<Self> {
        let mut client = Self { transport, told: Vec::new(), last_id: 0 };
        let answer = client.ask("initialize", json!({ "protocolVersion": 1 })).await?;
        ensure!(answer["agentCapabilities"]["loadSession"] == true, "{answer}");
        Ok(client)
    }

    /// Sends a request. Returns the id of its answer.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send(&mut self, method: &str, params: Value) -> Result<u64> {
        self.last_id += 1;
        let id = self.last_id;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await?;
        Ok(id)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn say(&mut self, message: &Value) -> Result<()> {
        match &mut self.transport {
            Transport::Stdio(program) => program.send(message).await,
            Transport::Socket(socket) => socket.send(message.to_string()).await,
        }
    }

    async fn read(&mut self) -> Result<Value> {
        match &mut self.transport {
            Transport::Stdio(program) => program.next().await,
            Transport::Socket(socket) => match socket.next().await? {
                Said::Text(text) => Ok(serde_json::from_str(&text)?),
                Said::Closed(code) => bail!("the connection was closed with {code}"),
            },
        }
    }

    /// Takes the first message that fits, and keeps those before it.
    async fn find(&mut self, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut seen = 0;
        loop {
            while let Some(message) = self.told.get(seen) {
                if fits(message) {
                    return Ok(self.told.remove(seen));
                }
                seen += 1;
            }
            // Pings of the relay are no messages.
            let message = within("a message of the agent", self.read()).await;
            let message = message.flatten();
            self.told.push(message.with_context(|| format!("after {}", json!(self.told)))?);
        }
    }

    /// Returns the answer to a request: its result, or the whole answer if it is an error.
    ///
    /// # Errors
    /// If none arrives.
    pub async fn answer(&mut self, id: u64) -> Result<Value> {
        let mut answer = self.find(|it| it["id"] == id && it.get("method").is_none()).await?;
        Ok(if answer.get("error").is_some() { answer } else { answer["result"].take() })
    }

    /// Sends a request, and returns its answer.
    ///
    /// # Errors
    /// As [`AcpClient::answer`].
    pub async fn ask(&mut self, method: &str, params: Value) -> Result<Value> {
        let id = self.send(method, params).await?;
        self.answer(id).await
    }

    /// Attaches to a session by this method, with this `_meta` of Moorline's.
    ///
    /// # Errors
    /// If the answer is an error.
    pub async fn open(&mut self, method: &str, session: &SessionId, meta: Value) -> Result<Value> {
        let params = json!({
            "sessionId": session, "cwd": "/", "mcpServers": [], "_meta": { "moorline": meta },
        });
        let answer = self.ask(method, params).await?;
        ensure!(answer.get("error").is_none(), "{method}: {answer}");
        Ok(answer)
    }

    /// Sends a prompt. Returns the id of its answer.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn prompt(&mut self, session: &SessionId, text: &str) -> Result<u64> {
        let prompt = json!([{ "type": "text", "text": text }]);
        self.send("session/prompt", json!({ "sessionId": session, "prompt": prompt })).await
    }

    /// Returns the next request or notification of this method.
    ///
    /// # Errors
    /// If none arrives.
    pub async fn next(&mut self, method: &str) -> Result<Value> {
        self.find(|it| it["method"] == method).await
    }

    /// Answers the agent's question with this option.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn decide(&mut self, question: &Value, option: &str) -> Result<()> {
        let outcome = json!({ "outcome": { "outcome": "selected", "optionId": option } });
        self.say(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": outcome })).await
    }

    /// Reads updates until one contains this text. Returns the texts of all of them, each after the
    /// first letter of its kind, and the last cursor.
    ///
    /// # Errors
    /// If it does not come.
    pub async fn said(&mut self, until: &str) -> Result<(Vec<String>, Value)> {
        let (mut said, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let update = self.next("session/update").await?["params"].take();
            let new = &update["_meta"]["moorline"]["cursor"];
            if !new.is_null() {
                cursor = new.clone();
            }
            let kind = update["update"]["sessionUpdate"].as_str().unwrap_or_default();
            let Some(text) = update["update"]["content"]["text"].as_str() else { continue };
            said.push(format!("{}: {text}", &kind[..1]));
            if said.last().is_some_and(|last| last.contains(until)) {
                return Ok((said, cursor));
            }
        }
    }

    /// Takes the messages of this method that have arrived.
    pub fn arrived(&mut self, method: &str) -> Vec<Value> {
        let is_it = |it: &mut Value| it["method"] == method;
        self.told.extract_if(.., is_it).collect()
    }
}

/// A client on the protocol's own library, which checks every message against the schema.
pub struct LibraryClient {
    program: LineProgram,
    told: Vec<Value>,
}

impl LibraryClient {
    /// Starts `moorline acp` with these arguments as the library's agent.
    ///
    /// # Errors
    /// If the library is missing.
    pub async fn stdio(relay: &Relay, arguments: &[&str]) -> Result<Self> {
        let program = relay.program().to_string_lossy().into_owned();
        let mut all = vec!["stdio", &program, "acp"];
        all.extend(arguments);
        Self::begin(relay, &all).await
    }

    /// Connects the library to the relay's `/acp` with this query.
    ///
    /// # Errors
    /// If the library is missing.
    pub async fn socket(relay: &Relay, query: &str) -> Result<Self> {
        let url = format!("ws://{}/acp?{query}", relay.address());
        Self::begin(relay, &["socket", &url]).await
    }

    async fn begin(relay: &Relay, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(programs::python()?);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/acp/client.py");
        command.arg(script).args(arguments);
        command.env("MOORLINE_URL", relay.url()).env("MOORLINE_TOKEN", TOKEN);
        let program = LineProgram::start(&mut command)?;
        let mut client = Self { program, told: Vec::new() };
        let answer = client.call(json!({ "call": "initialize", "protocol_version": 1 })).await?;
        ensure!(answer["agentInfo"]["name"] == "moorline", "{answer}");
        Ok(client)
    }

    /// Sends a command.
    ///
    /// # Errors
    /// If the client has ended.
    pub async fn send(&mut self, command: &Value) -> Result<()> {
        self.program.send(command).await
    }

    /// Returns the next thing of this kind that happens: see `client.py`.
    ///
    /// # Errors
    /// If nothing comes.
    pub async fn next(&mut self, kind: &str) -> Result<Value> {
        loop {
            if let Some(place) = self.told.iter().position(|it| it.get(kind).is_some()) {
                return Ok(self.told.remove(place)[kind].take());
            }
            let line = self.program.next().await.with_context(|| format!("{:?}", self.told))?;
            ensure!(kind == "error" || line.get("error").is_none(), "{line}");
            self.told.push(line);
        }
    }

    /// Calls a method of the library, and returns its answer.
    ///
    /// # Errors
    /// If it fails.
    pub async fn call(&mut self, command: Value) -> Result<Value> {
        self.send(&command).await?;
        self.next("answer").await
    }

    /// Returns the texts of updates until one contains this, and the kinds of all updates.
    ///
    /// # Errors
    /// If it does not come.
    pub async fn said(&mut self, until: &str) -> Result<(String, Vec<String>)> {
        let (mut said, mut kinds) = (String::new(), Vec::new());
        while !said.contains(until) {
            let update = self.next("update").await?["update"].take();
            kinds.push(update["sessionUpdate"].as_str().unwrap_or_default().to_owned());
            said.push_str(update["content"]["text"].as_str().unwrap_or_default());
        }
        Ok((said, kinds))
    }
}
