//! Readers of an agent session over WebSockets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use moorline_shared::id::SessionId;

use crate::lean::{Came, Lean, snapshot_seq};
use crate::stage::itself;

/// Entries between two acknowledgements.
const ACK_EVERY: u64 = 500;

/// Readers in a process of their own. Dropping it kills the process.
pub(crate) struct AgentReaders {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl AgentReaders {
    /// Starts this many readers, which read until each has so many tool calls.
    pub(crate) fn seat(
        address: SocketAddr,
        session: &SessionId,
        count: usize,
        tools: u64,
    ) -> Result<Self> {
        let mut child = Command::new(itself()?)
            .arg("hear")
            .args([&address.to_string(), session.as_str()])
            .args([count.to_string(), tools.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().context("it was asked for")?);
        let mut readers = Self { child, output };
        ensure!(readers.line()?.trim() == "seated", "the readers are not there");
        Ok(readers)
    }

    /// Waits until all readers have everything.
    pub(crate) fn done(&mut self) -> Result<()> {
        ensure!(self.line()?.trim() == "done", "a reader did not get everything");
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for AgentReaders {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs the readers.
///
/// # Errors
/// If a reader cannot connect, or does not get everything.
pub(crate) fn hear(
    address: SocketAddr,
    session: &SessionId,
    count: usize,
    tools: u64,
) -> Result<()> {
    let mut readers = Vec::new();
    for number in 0..count {
        let mut reader = Lean::connect(address, session)?;
        reader.resume(&format!("bench-reader-{number}"), "replay")?;
        readers.push(reader);
    }
    println!("seated");
    let read = |mut reader: Lean| std::thread::spawn(move || until_tools(&mut reader, tools));
    let threads: Vec<_> = readers.into_iter().map(read).collect();
    for thread in threads {
        thread.join().ok().context("a reader panicked")??;
    }
    println!("done");
    std::io::stdout().flush()?;
    drop(std::io::stdin().read(&mut [0]));
    Ok(())
}

fn until_tools(reader: &mut Lean, tools: u64) -> Result<()> {
    let mut heard = 0;
    while heard < tools {
        let seq = match reader.next()? {
            Came::Output { seq, .. } => Some(seq),
            Came::Text(text) => {
                heard += u64::from(text.contains(r#""type":"agent-tool""#));
                event_seq(&text)
            }
            Came::Closed => bail!("closed after {heard} tool calls"),
        };
        acknowledge(reader, seq)?;
    }
    Ok(())
}

/// Acknowledges an entry, unless one was not long ago.
fn acknowledge(reader: &mut Lean, seq: Option<u64>) -> Result<()> {
    match seq {
        Some(seq) if seq.is_multiple_of(ACK_EVERY) => {
            reader.send_text(&format!(r#"{{"type":"ack","seq":{seq}}}"#))
        }
        _ => Ok(()),
    }
}

/// The number of an event, parsed from the beginning of its message.
fn event_seq(text: &str) -> Option<u64> {
    let rest = text.strip_prefix(r#"{"type":"event","seq":"#)?;
    rest.split(',').next()?.parse().ok()
}

/// Connects a new client, and returns the bytes and the time until it has everything.
///
/// # Errors
/// If it does not get everything.
pub(crate) fn catch_up(
    address: SocketAddr,
    session: &SessionId,
    way: &str,
) -> Result<(u64, Duration)> {
    let started = Instant::now();
    let mut client = Lean::connect(address, session)?;
    let resumed = client.resume(&format!("bench-newcomer-{way}"), way)?;
    let head = resumed.split_once(r#""head":"#).context("no head")?.1;
    let head: u64 = head.split([',', '}']).next().context("no head")?.parse()?;
    let mut at = 0;
    while at < head {
        let seq = match client.next()? {
            Came::Output { seq, .. } => Some(seq),
            Came::Text(text) => snapshot_seq(&text).or_else(|| event_seq(&text)),
            Came::Closed => bail!("closed at {at} of {head}"),
        };
        at = at.max(seq.unwrap_or_default());
        acknowledge(&mut client, seq)?;
    }
    Ok((client.received, started.elapsed()))
}
