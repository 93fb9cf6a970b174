//! An agent that does as little as possible, and its pipes without anything in between.

use std::io::{BufRead as _, BufReader, BufWriter, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::stage::itself;

/// Runs an agent on the standard streams. A prompt is `tools COUNT`, which reports so many tool
/// calls as fast as possible, or `asks COUNT`, which asks for so many permissions, one after the
/// other. The microseconds since 1970 at which each answer is read are said as a message.
/// `talk COUNT` is a conversation of so many reports, of messages and tool calls; `grow PAUSE_MS
/// COUNT BYTES` a message of so many parts.
///
/// # Errors
/// If a stream breaks or a line is not understood.
pub(crate) fn serve() -> Result<()> {
    let (mut input, mut output) = (std::io::stdin().lock(), BufWriter::new(std::io::stdout()));
    let mut line = String::new();
    loop {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let heard: Value = serde_json::from_str(&line)?;
        let id = &heard["id"];
        let result = match heard["method"].as_str() {
            Some("initialize") => json!({ "protocolVersion": 1 }),
            Some("session/new") => json!({ "sessionId": "s" }),
            Some("session/prompt") => {
                let prompt = heard["params"]["prompt"][0]["text"].as_str().unwrap_or_default();
                let mut words = prompt.split(' ');
                let word = words.next().unwrap_or_default();
                let numbers: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>()?;
                match (word, &*numbers) {
                    ("tools", [count]) => tools(&mut output, *count)?,
                    ("asks", [count]) => asks(&mut input, &mut output, *count)?,
                    ("talk", [count]) => talk(&mut output, *count)?,
                    ("grow", [pause, count, bytes]) => grow(&mut output, *pause, *count, *bytes)?,
                    _ => bail!("{prompt:?} is not understood"),
                }
                json!({ "stopReason": "end_turn" })
            }
            _ => continue,
        };
        writeln!(output, "{}", json!({ "jsonrpc": "2.0", "id": id, "result": result }))?;
        output.flush()?;
    }
}

fn tools(output: &mut impl Write, count: u64) -> Result<()> {
    for number in 0..count {
        writeln!(
            output,
            r#"{{"jsonrpc":"2.0","method":"session/update","params":{{"sessionId":"s","update":{{"sessionUpdate":"tool_call","toolCallId":"t{number}","title":"Read src/file_{number}.rs","kind":"read","status":"completed"}}}}}}"#
        )?;
    }
    Ok(())
}

fn asks(input: &mut impl std::io::BufRead, output: &mut impl Write, count: u64) -> Result<()> {
    let mut line = String::new();
    for number in 0..count {
        writeln!(
            output,
            r#"{{"jsonrpc":"2.0","id":{number},"method":"session/request_permission","params":{{"sessionId":"s","toolCall":{{"toolCallId":"q{number}","title":"Write a file","kind":"edit"}},"options":[{{"optionId":"go","name":"Allow","kind":"allow_once"}}]}}}}"#
        )?;
        output.flush()?;
        line.clear();
        input.read_line(&mut line)?;
        let micros = micros()?;
        writeln!(
            output,
            r#"{{"jsonrpc":"2.0","method":"session/update","params":{{"sessionId":"s","update":{{"sessionUpdate":"agent_message_chunk","messageId":"m{number}","content":{{"type":"text","text":"read {micros}"}}}}}}}}"#
        )?;
    }
    Ok(())
}

/// Of every ten reports, six are parts of a message and four are tool calls.
fn talk(output: &mut impl Write, count: u64) -> Result<()> {
    for number in 0..count {
        let message = number / 10;
        match number % 10 {
            0 => say(output, &format!("t{message}"), &format!("## Step {message}\n\n"))?,
            1..6 => {
                let text = "It reads **some** of the files, and `says` what it finds there. ";
                say(output, &format!("t{message}"), text)?;
            }
            _ => writeln!(
                output,
                r#"{{"jsonrpc":"2.0","method":"session/update","params":{{"sessionId":"s","update":{{"sessionUpdate":"tool_call","toolCallId":"t{number}","title":"Read src/file_{number}.rs","kind":"read","status":"completed","content":[{{"type":"content","content":{{"type":"text","text":"fn main() {{}}"}}}}]}}}}}}"#
            )?,
        }
    }
    say(output, "last", "All of it is said.")
}

fn grow(output: &mut impl Write, pause_ms: u64, count: u64, bytes: u64) -> Result<()> {
    let line = "Some *words* of a `message` that [grows](https://example.org).\n";
    for number in 0..count {
        let mut text = line.repeat(usize::try_from(bytes)? / line.len());
        // A paragraph at times, and a list.
        text += if number % 3 == 0 { "\n" } else { "- " };
        say(output, "grown", &text)?;
        output.flush()?;
        std::thread::sleep(Duration::from_millis(pause_ms));
    }
    say(output, "grown", "\n\nIt has grown.")
}

fn say(output: &mut impl Write, message: &str, text: &str) -> Result<()> {
    let content = json!({ "type": "text", "text": text });
    let update = json!({
        "sessionUpdate": "agent_message_chunk", "messageId": message, "content": content,
    });
    let params = json!({ "sessionId": "s", "update": update });
    let method = "session/update";
    Ok(writeln!(output, "{}", json!({ "jsonrpc": "2.0", "method": method, "params": params }))?)
}

/// Microseconds since 1970.
pub(crate) fn micros() -> Result<u64> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_micros();
    Ok(u64::try_from(now)?)
}

/// The command of the agent.
pub(crate) fn command() -> Result<Vec<String>> {
    Ok(vec![itself()?.to_string_lossy().into_owned(), "agent".to_owned()])
}

/// The agent on two pipes. Dropping it kills it.
pub(crate) struct BareAgent {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl BareAgent {
    pub(crate) fn start() -> Result<Self> {
        let mut child = Command::new(itself()?)
            .arg("agent")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("it was asked for")?;
        let output = BufReader::new(child.stdout.take().context("it was asked for")?);
        Ok(Self { child, input, output })
    }

    fn prompt(&mut self, text: &str) -> Result<()> {
        let prompt = json!({
            "id": "p", "method": "session/prompt", "params": { "prompt": [{ "text": text }] },
        });
        Ok(writeln!(self.input, "{prompt}")?)
    }

    /// Reads the lines of so many tool calls, and returns how long that took.
    pub(crate) fn tools(&mut self, count: u64) -> Result<Duration> {
        let started = Instant::now();
        self.prompt(&format!("tools {count}"))?;
        for _ in 0..=count {
            self.line()?;
        }
        Ok(started.elapsed())
    }

    /// Answers so many questions, and returns how long each answer took to be read.
    pub(crate) fn asks(&mut self, count: u64) -> Result<Vec<f64>> {
        self.prompt(&format!("asks {count}"))?;
        let mut times = Vec::new();
        let mut question = self.line()?;
        for number in 0..count {
            let sent = micros()?;
            writeln!(self.input, "{}", json!({ "id": question["id"], "result": {} }))?;
            let said = self.line()?;
            let read = said.pointer("/params/update/content/text").and_then(Value::as_str);
            times.push(read_at(read.context("no time")?)?.saturating_sub(sent) as f64);
            if number + 1 < count {
                question = self.line()?;
            }
        }
        self.line()?;
        Ok(times)
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

/// Reads the time in what the agent has said.
pub(crate) fn read_at(said: &str) -> Result<u64> {
    Ok(said.strip_prefix("read ").context("the agent said something else")?.parse()?)
}

impl Drop for BareAgent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
